//! RMSNorm (Zhang & Sennrich, arXiv 1910.07467), forward.

use bytemuck::{Pod, Zeroable};

use super::{grid, kernel};
use crate::gpu::{PlanBuilder, Slice};

kernel!(RMSNORM_FORWARD, "rmsnorm_forward", 2, 2);

/// Uniforms of the RMSNorm kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct RmsNorm {
    /// N, number of rows.
    pub rows: u32,
    /// C, width of a row.
    pub width: u32,
    /// Added to the mean square.
    pub eps: f32,
}

impl RmsNorm {
    /// `y = x * rstd * w`; x, y (N,C), w (C), rstd (N).
    pub fn forward(self, plan: &mut PlanBuilder, x: &Slice, w: &Slice, y: &Slice, rstd: &Slice) {
        plan.dispatch(&RMSNORM_FORWARD, &[], &self, &[x, w], &[y, rstd], grid(self.rows));
    }

    /// CPU twin of `rmsnorm_forward.wgsl`: (y, rstd).
    pub fn forward_cpu(self, x: &[f32], w: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let width = self.width as usize;
        let mut y = Vec::with_capacity(x.len());
        let mut rstd = Vec::with_capacity(self.rows as usize);
        for row in x.chunks_exact(width) {
            let sum: f32 = row.iter().map(|v| v * v).sum();
            let r = 1.0 / (sum / width as f32 + self.eps).sqrt();
            rstd.push(r);
            y.extend(row.iter().zip(w).map(|(v, w)| v * r * w));
        }
        (y, rstd)
    }
}
