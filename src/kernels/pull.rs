//! Weight decay towards the start instead of zero: L2-SP (Li et al., arXiv 1802.01483), decoupled from the
//! moments as AdamW's decay is.

use bytemuck::{Pod, Zeroable};

use super::{Step, grid, kernel};
use crate::gpu::{PlanBuilder, Slice};

kernel!(PULL, "pull", 2, 1, "step", "index");

/// Uniforms of `pull.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Pull {
    /// Number of parameters.
    pub len: u32,
    /// Share of the way back in a step of learning rate 1.
    pub strength: f32,
}

impl Pull {
    /// `params -= lr * strength * (params - start)`; start, params (len), step [`Step`].
    pub fn record(self, plan: &mut PlanBuilder, start: &Slice, step: &Slice, params: &Slice) {
        plan.dispatch(&PULL, &[], &self, &[start, step], &[params], grid(self.len));
    }

    /// CPU twin of `pull.wgsl`.
    pub fn record_cpu(self, start: &[f32], step: &Step, params: &mut [f32]) {
        for (p, s) in params[..self.len as usize].iter_mut().zip(start) {
            *p -= step.lr * self.strength * (*p - s);
        }
    }
}
