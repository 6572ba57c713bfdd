//! Cross-entropy with a penalty on leaving the base: its gradient by the logits, and the penalty itself.

use bytemuck::{Pod, Zeroable};

use super::{CrossEntropyChunk, IGNORED, Slices, Step, kernel};
use crate::gpu::{PlanBuilder, Slice};

kernel!(KL_BACKWARD, "kl_backward", 5, 2, "rows", "step");

/// Uniforms of `kl_backward.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct KlBackward {
    /// S, number of rows.
    pub rows: u32,
    /// W, columns of this chunk.
    pub width: u32,
    /// The token of its first column.
    pub start: u32,
    /// What the divergence is multiplied by.
    pub strength: f32,
}

/// What a chunk of [`KlBackward`] reads: targets (S) u32, the step [`Step`], the rows' states (S,4) as all chunks of
/// [`CrossEntropyChunk::forward`] left them, the base's too, and the base's logits (S,W).
pub struct KlInputs<T> {
    pub targets: T,
    pub step: T,
    pub state: T,
    pub base_state: T,
    pub base_logits: T,
}

impl KlBackward {
    /// Replaces a chunk's logits (S,W) by the gradient of the mean of `nll + strength * KL(base || tuned)`, and adds
    /// this chunk's part of `strength * KL` to nll (S), nats. Rows whose target is [`IGNORED`] get zeros and keep
    /// their nll.
    pub fn record(self, plan: &mut PlanBuilder, inputs: &KlInputs<&Slice>, logits: &Slice, nll: &Slice) {
        let slices = Slices::of(plan.gpu, self.width.div_ceil(4));
        let KlInputs { targets, step, state, base_state, base_logits } = *inputs;
        let inputs = [targets, step, state, base_state, base_logits];
        let workgroups = slices.grid(self.rows);
        plan.dispatch(&KL_BACKWARD, &slices.overrides(), &self, &inputs, &[logits, nll], workgroups);
    }

    /// CPU twin of `kl_backward.wgsl`.
    pub fn record_cpu(
        self,
        targets: &[u32],
        step: &Step,
        [state, base_state]: [&[f32]; 2],
        base_logits: &[f32],
        logits: &mut [f32],
        nll: &mut [f32],
    ) {
        let width = self.width as usize;
        let rows = logits.chunks_exact_mut(width).zip(base_logits.chunks_exact(width));
        for (n, (row, base)) in rows.enumerate() {
            if targets[n] == IGNORED {
                row.fill(0.0);
                continue;
            }
            let of = |state: &[f32]| {
                let at = CrossEntropyChunk::STATE * n;
                (state[at], state[at + 1], state[at + 1].ln())
            };
            let ((largest, sum, log_sum), (base_largest, base_sum, base_log_sum)) =
                (of(state), of(base_state));
            let mut kl = 0.0;
            for (v, (logit, base)) in (self.start..).zip(row.iter_mut().zip(base)) {
                let (x, y) = (*logit - largest, base - base_largest);
                let (p, q) = (x.exp() / sum, y.exp() / base_sum);
                kl += q * ((y - base_log_sum) - (x - log_sum));
                let onehot = if v == targets[n] { 1.0 } else { 0.0 };
                *logit = (p - onehot + self.strength * (p - q)) * step.inv_targets;
            }
            nll[n] += self.strength * kl;
        }
    }
}
