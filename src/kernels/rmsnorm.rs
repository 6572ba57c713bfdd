//! RMSNorm (Zhang & Sennrich, arXiv 1910.07467).

use bytemuck::{Pod, Zeroable};

use super::{Slices, by_lanes, kernel};
use crate::gpu::{PlanBuilder, Slice};

kernel!(RMSNORM_FORWARD, "rmsnorm_forward", 2, 3, "words", "rows");
kernel!(RMSNORM_FORWARD_QUADS, "rmsnorm_forward", 2, 3, "quads", "rows");
kernel!(RMSNORM_BACKWARD, "rmsnorm_backward", 4, 1, "words", "rows");
kernel!(RMSNORM_BACKWARD_QUADS, "rmsnorm_backward", 4, 1, "quads", "rows");
kernel!(RMSNORM_BACKWARD_WEIGHT, "rmsnorm_backward_weight", 3, 1);

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
    /// `y = x * rstd * w`, and x itself into `residual`, where the block after the norm adds its output;
    /// x, y, residual (N,C), w (C), rstd (N).
    pub fn forward(
        self,
        plan: &mut PlanBuilder,
        x: &Slice,
        w: &Slice,
        y: &Slice,
        rstd: &Slice,
        residual: &Slice,
    ) {
        let slices = Slices::of(plan.gpu, 2 * self.width);
        let outputs = [y, rstd, residual];
        let (kernel, _) = by_lanes(&[self.width], &RMSNORM_FORWARD, &RMSNORM_FORWARD_QUADS);
        plan.dispatch(kernel, &slices.overrides(), &self, &[x, w], &outputs, slices.grid(self.rows));
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

    /// `dx = rstd * (dy*w - x * rstd^2 * mean_c(dy*w*x))`, added to dx if `accumulate`, otherwise stored;
    /// dy, x, dx (N,C), w (C), rstd (N).
    pub fn backward(
        self,
        plan: &mut PlanBuilder,
        dy: &Slice,
        x: &Slice,
        w: &Slice,
        rstd: &Slice,
        dx: &Slice,
        accumulate: bool,
    ) {
        let slices = Slices::of(plan.gpu, 2 * self.width);
        let [threads, share] = slices.overrides();
        let overrides = [("accumulate", f64::from(accumulate)), threads, share];
        let inputs = [dy, x, w, rstd];
        let (kernel, _) = by_lanes(&[self.width], &RMSNORM_BACKWARD, &RMSNORM_BACKWARD_QUADS);
        plan.dispatch(kernel, &overrides, &self, &inputs, &[dx], slices.grid(self.rows));
    }

    /// CPU twin of `rmsnorm_backward.wgsl`: dx, to be stored or added.
    pub fn backward_cpu(self, dy: &[f32], x: &[f32], w: &[f32], rstd: &[f32]) -> Vec<f32> {
        let width = self.width as usize;
        let mut dx = Vec::with_capacity(x.len());
        for (n, r) in rstd.iter().enumerate() {
            let (dy, x) = (&dy[n * width..][..width], &x[n * width..][..width]);
            let mut dot = 0.0;
            for c in 0..width {
                dot += dy[c] * w[c] * x[c];
            }
            let mean = dot * r * r / width as f32;
            for c in 0..width {
                dx.push(r * (dy[c] * w[c] - x[c] * mean));
            }
        }
        dx
    }

    /// `dw[c] = Σ_n dy[n,c] * x[n,c] * rstd[n]`; dy, x (N,C), rstd (N), dw (C).
    pub fn backward_weight(self, plan: &mut PlanBuilder, dy: &Slice, x: &Slice, rstd: &Slice, dw: &Slice) {
        let slices = Slices::of(plan.gpu, self.rows);
        let (inputs, workgroups) = ([dy, x, rstd], slices.grid(self.width));
        plan.dispatch(&RMSNORM_BACKWARD_WEIGHT, &slices.overrides(), &self, &inputs, &[dw], workgroups);
    }

    /// CPU twin of `rmsnorm_backward_weight.wgsl`: dw.
    pub fn backward_weight_cpu(self, dy: &[f32], x: &[f32], rstd: &[f32]) -> Vec<f32> {
        let width = self.width as usize;
        let mut dw = vec![0.0; width];
        for (n, r) in rstd.iter().enumerate() {
            for c in 0..width {
                dw[c] += dy[n * width + c] * x[n * width + c] * r;
            }
        }
        dw
    }
}
