//! Zeros, for gradients that accumulate.

use bytemuck::{Pod, Zeroable};

use super::{grid, kernel};
use crate::gpu::{PlanBuilder, Slice};

kernel!(FILL, "fill", 0, 1, "index");

/// Uniforms of `fill.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Fill {
    /// Number of words.
    pub len: u32,
}

impl Fill {
    /// `out = 0`; out (len).
    pub fn record(self, plan: &mut PlanBuilder, out: &Slice) {
        plan.dispatch(&FILL, &[], &self, &[], &[out], grid(self.len));
    }

    /// CPU twin of `fill.wgsl`.
    pub fn record_cpu(self, out: &mut [f32]) {
        out[..self.len as usize].fill(0.0);
    }
}
