//! Softmax and cross-entropy in one.

use bytemuck::{Pod, Zeroable};

use super::{IGNORED, Slices, Step, kernel};
use crate::gpu::{PlanBuilder, Slice};

kernel!(CROSS_ENTROPY_FORWARD, "cross_entropy_forward", 2, 1, "rows");
kernel!(CROSS_ENTROPY_BACKWARD, "cross_entropy_backward", 2, 2, "rows", "step");

/// Uniforms of the cross-entropy kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct CrossEntropy {
    /// N, number of rows.
    pub rows: u32,
    /// V, width of a row.
    pub vocab: u32,
}

impl CrossEntropy {
    /// `nll = -log softmax(logits)[target]` in nats, 0 where the target is [`IGNORED`];
    /// logits (N,V), targets (N) u32, nll (N).
    pub fn forward(self, plan: &mut PlanBuilder, logits: &Slice, targets: &Slice, nll: &Slice) {
        let slices = Slices::of(plan.gpu, 2 * self.vocab.div_ceil(4));
        let (inputs, workgroups) = ([logits, targets], slices.grid(self.rows));
        plan.dispatch(&CROSS_ENTROPY_FORWARD, &slices.overrides(), &self, &inputs, &[nll], workgroups);
    }

    /// CPU twin of `cross_entropy_forward.wgsl`: nll.
    pub fn forward_cpu(self, logits: &[f32], targets: &[u32]) -> Vec<f32> {
        let row = |(row, &target): (&[f32], &u32)| {
            if target == IGNORED {
                return 0.0;
            }
            let max = row.iter().fold(-1e30f32, |m, v| m.max(*v));
            let sum: f32 = row.iter().map(|v| (v - max).exp()).sum();
            sum.ln() - (row[target as usize] - max)
        };
        logits.chunks_exact(self.vocab as usize).zip(targets).map(row).collect()
    }

    /// Replaces logits by `dlogits = (softmax - onehot) * inv_targets`, rows of zeros where the target is
    /// [`IGNORED`], and gives nll as [`Self::forward`] does; targets (N) u32, step [`Step`],
    /// logits (N,V), nll (N).
    pub fn backward(
        self,
        plan: &mut PlanBuilder,
        targets: &Slice,
        step: &Slice,
        logits: &Slice,
        nll: &Slice,
    ) {
        let slices = Slices::of(plan.gpu, 3 * self.vocab.div_ceil(4));
        let (inputs, outputs, workgroups) = ([targets, step], [logits, nll], slices.grid(self.rows));
        plan.dispatch(&CROSS_ENTROPY_BACKWARD, &slices.overrides(), &self, &inputs, &outputs, workgroups);
    }

    /// CPU twin of `cross_entropy_backward.wgsl`: nll.
    pub fn backward_cpu(self, targets: &[u32], step: &Step, logits: &mut [f32]) -> Vec<f32> {
        let mut nll = vec![0.0; targets.len()];
        for (n, row) in logits.chunks_exact_mut(self.vocab as usize).enumerate() {
            if targets[n] == IGNORED {
                row.fill(0.0);
                continue;
            }
            let target = targets[n] as usize;
            let max = row.iter().fold(-1e30f32, |m, v| m.max(*v));
            let sum: f32 = row.iter().map(|v| (v - max).exp()).sum();
            nll[n] = sum.ln() - (row[target] - max);
            for (v, logit) in row.iter_mut().enumerate() {
                let onehot = if v == target { 1.0 } else { 0.0 };
                *logit = ((*logit - max).exp() / sum - onehot) * step.inv_targets;
            }
        }
        nll
    }
}
