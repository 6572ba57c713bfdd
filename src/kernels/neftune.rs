//! NEFTune (Jain et al., arXiv 2310.05914): uniform noise on the embeddings while training.

use bytemuck::{Pod, Zeroable};

use super::{Step, grid, kernel, pcg};
use crate::gpu::{PlanBuilder, Slice};

kernel!(NEFTUNE, "neftune", 2, 1, "step", "pcg", "index");

/// Uniforms of `neftune.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Neftune {
    /// B.
    pub batch: u32,
    /// T.
    pub time: u32,
    /// C.
    pub width: u32,
    /// Noise reaches `alpha / sqrt(L C)`, L the row's tokens; the paper uses 5 to 15.
    pub alpha: f32,
}

impl Neftune {
    /// `x += noise`; lengths (B) u32, step [`Step`], x (B*T,C).
    pub fn record(self, plan: &mut PlanBuilder, lengths: &Slice, step: &Slice, x: &Slice) {
        let threads = self.batch * self.time * self.width;
        plan.dispatch(&NEFTUNE, &[], &self, &[lengths, step], &[x], grid(threads));
    }

    /// CPU twin of `neftune.wgsl`: what is added to x, (B*T,C).
    pub fn noise_cpu(self, lengths: &[u32], step: &Step) -> Vec<f32> {
        let element = |i: u32| {
            let (c, t, b) = (i % self.width, i / self.width % self.time, i / (self.width * self.time));
            let length = lengths[b as usize];
            let hash = pcg(pcg(pcg(step.noise.wrapping_add(b)).wrapping_add(t)).wrapping_add(c));
            let eps = ((hash >> 9) as f32 + 0.5) / 4_194_304.0 - 1.0;
            if length == 0 { 0.0 } else { self.alpha / ((length * self.width) as f32).sqrt() * eps }
        };
        (0..self.batch * self.time * self.width).map(element).collect()
    }
}
