//! Sums over the micro-batches of a step: gradients and losses of a batch that is too large for one pass.

use bytemuck::{Pod, Zeroable};

use super::{Step, grid, kernel};
use crate::gpu::{PlanBuilder, Slice};

kernel!(ACCUMULATE, "accumulate", 2, 1, "step", "index");

/// Uniforms of `accumulate.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Accumulate {
    /// Number of words.
    pub len: u32,
}

impl Accumulate {
    /// `total = x` where [`Step::micro`] is 0, otherwise `total += x`; x, total (len), step [`Step`].
    pub fn record(self, plan: &mut PlanBuilder, x: &Slice, step: &Slice, total: &Slice) {
        plan.dispatch(&ACCUMULATE, &[], &self, &[x, step], &[total], grid(self.len));
    }

    /// CPU twin of `accumulate.wgsl`.
    pub fn record_cpu(self, x: &[f32], step: &Step, total: &mut [f32]) {
        for (total, x) in total.iter_mut().zip(x).take(self.len as usize) {
            *total = if step.micro == 0 { *x } else { *total + x };
        }
    }
}
