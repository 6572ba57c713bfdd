//! The gradient's norm and what a step reports, without a read-back.

use bytemuck::{Pod, Zeroable};

use super::{Share, Step, grid, kernel};
use crate::gpu::{PlanBuilder, Slice};

kernel!(SUM_SQUARES, "sum_squares", 1, 1);
kernel!(FINISH_STEP, "finish_step", 3, 2, "step");

/// Partial sums of [`SumSquares`]. Their number and order are fixed: the same gradients always give
/// the same norm.
pub const PARTIALS: u32 = 1024;

const OVERRIDE: (&str, f64) = ("partial_sums", PARTIALS as f64);

/// Uniforms of `sum_squares.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct SumSquares {
    /// Number of gradients.
    pub len: u32,
}

impl SumSquares {
    /// `partials[p] = Σ grads[i]^2` over `i = p mod PARTIALS`; grads (len), partials (PARTIALS).
    pub fn record(self, plan: &mut PlanBuilder, grads: &Slice, partials: &Slice) {
        plan.dispatch(&SUM_SQUARES, &[OVERRIDE], &self, &[grads], &[partials], grid(PARTIALS));
    }

    /// CPU twin of `sum_squares.wgsl`: partials.
    pub fn record_cpu(self, grads: &[f32]) -> Vec<f32> {
        let mut partials = vec![0.0; PARTIALS as usize];
        for (i, g) in grads[..self.len as usize].iter().enumerate() {
            partials[i % PARTIALS as usize] += g * g;
        }
        partials
    }
}

/// Uniforms of `finish_step.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct FinishStep {
    /// N, length of nll.
    pub rows: u32,
    /// Steps that the ring of metrics holds.
    pub ring: u32,
}

impl FinishStep {
    /// `loss = Σ nll * inv_targets`, `grad_norm = sqrt(Σ partials)` and the clip factor of
    /// `torch.nn.utils.clip_grad_norm_`; partials (PARTIALS), nll (N), step [`Step`],
    /// scalars (4): clip factor, grad_norm, loss, 0; metrics (ring,2): loss, grad_norm at `step % ring`.
    pub fn record(
        self,
        plan: &mut PlanBuilder,
        partials: &Slice,
        nll: &Slice,
        step: &Slice,
        scalars: &Slice,
        metrics: &Slice,
    ) {
        let (inputs, outputs) = ([partials, nll, step], [scalars, metrics]);
        let threads = match plan.gpu.choices().share {
            Share::Threads => 128.0,
            Share::Tiles => 1.0,
        };
        let overrides = [OVERRIDE, ("THREADS", threads)];
        plan.dispatch(&FINISH_STEP, &overrides, &self, &inputs, &outputs, [1, 1, 1]);
    }

    /// CPU twin of `finish_step.wgsl`: scalars.
    pub fn record_cpu(self, partials: &[f32], nll: &[f32], step: &Step, metrics: &mut [f32]) -> [f32; 4] {
        let grad_norm = partials.iter().sum::<f32>().sqrt();
        let loss = nll[..self.rows as usize].iter().sum::<f32>() * step.inv_targets;
        let clip = if step.max_norm > 0.0 { (step.max_norm / (grad_norm + 1e-6)).min(1.0) } else { 1.0 };
        let slot = (step.step % self.ring) as usize;
        metrics[2 * slot..][..2].copy_from_slice(&[loss, grad_norm]);
        [clip, grad_norm, loss, 0.0]
    }
}
