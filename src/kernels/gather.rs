//! Rows picked out of a matrix.

use bytemuck::{Pod, Zeroable};

use super::{grid, kernel};
use crate::gpu::{PlanBuilder, Slice};

kernel!(GATHER, "gather", 2, 1);

/// Uniforms of `gather.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Gather {
    /// R, number of rows picked.
    pub rows: u32,
    /// C, width of a row.
    pub width: u32,
}

impl Gather {
    /// `out[r] = x[rows[r]]`; x (N,C), rows (R) u32, out (R,C).
    pub fn record(self, plan: &mut PlanBuilder, x: &Slice, rows: &Slice, out: &Slice) {
        plan.dispatch(&GATHER, &[], &self, &[x, rows], &[out], grid(self.rows * self.width));
    }

    /// CPU twin of `gather.wgsl`: out.
    pub fn record_cpu(self, x: &[f32], rows: &[u32]) -> Vec<f32> {
        let width = self.width as usize;
        rows.iter().flat_map(|&n| &x[n as usize * width..][..width]).copied().collect()
    }
}
