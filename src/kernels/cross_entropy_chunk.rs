//! Softmax and cross-entropy of rows of which only some columns are in memory at a time (the online softmax
//! of Milakov and Gimelshein, arXiv 1805.02867).

use bytemuck::{Pod, Zeroable};

use super::{IGNORED, Slices, Step, grid, kernel};
use crate::gpu::{PlanBuilder, Slice};

kernel!(CROSS_ENTROPY_CHUNK_FORWARD, "cross_entropy_chunk_forward", 2, 2, "rows");
kernel!(CROSS_ENTROPY_CHUNK_BACKWARD, "cross_entropy_chunk_backward", 3, 1, "step", "index");

/// Uniforms of the chunked cross-entropy kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct CrossEntropyChunk {
    /// S, number of rows.
    pub rows: u32,
    /// W, columns of this chunk.
    pub width: u32,
    /// The token of its first column; 0 begins the rows.
    pub start: u32,
}

impl CrossEntropyChunk {
    /// What a row remembers between chunks: largest logit, `Σ exp(logit - largest)`, the target's logit, 0.
    pub const STATE: usize = 4;

    /// Takes a chunk into the rows' states, first the one at `start` 0. After the last nll is what
    /// [`super::CrossEntropy::forward`] gives for whole rows; logits (S,W), targets (S) u32, state (S,4), nll (S).
    pub fn forward(
        self,
        plan: &mut PlanBuilder,
        logits: &Slice,
        targets: &Slice,
        state: &Slice,
        nll: &Slice,
    ) {
        let slices = Slices::of(plan.gpu, 2 * self.width.div_ceil(4));
        let (inputs, outputs, workgroups) = ([logits, targets], [state, nll], slices.grid(self.rows));
        plan.dispatch(
            &CROSS_ENTROPY_CHUNK_FORWARD,
            &slices.overrides(),
            &self,
            &inputs,
            &outputs,
            workgroups,
        );
    }

    /// CPU twin of `cross_entropy_chunk_forward.wgsl`.
    pub fn forward_cpu(self, logits: &[f32], targets: &[u32], state: &mut [f32], nll: &mut [f32]) {
        let rows = logits.chunks_exact(self.width as usize).zip(state.chunks_exact_mut(Self::STATE));
        for (n, (row, state)) in rows.enumerate() {
            if targets[n] == IGNORED {
                state.copy_from_slice(&[0.0, 1.0, 0.0, 0.0]);
                nll[n] = 0.0;
                continue;
            }
            let before = if self.start > 0 { [state[0], state[1], state[2]] } else { [-1e30, 0.0, 0.0] };
            let largest = row.iter().fold(before[0], |m, v| m.max(*v));
            let mass: f32 = row.iter().map(|v| (v - largest).exp()).sum();
            let sum = before[1] * (before[0] - largest).exp() + mass;
            let column = targets[n].checked_sub(self.start).filter(|c| *c < self.width);
            let own = column.map_or(before[2], |c| row[c as usize]);
            state.copy_from_slice(&[largest, sum, own, 0.0]);
            nll[n] = sum.ln() - (own - largest);
        }
    }

    /// Replaces a chunk's logits by their gradient, as [`super::CrossEntropy::backward`] does, once the state
    /// has seen all chunks; targets (S) u32, step [`Step`], state (S,4), logits (S,W).
    pub fn backward(
        self,
        plan: &mut PlanBuilder,
        targets: &Slice,
        step: &Slice,
        state: &Slice,
        logits: &Slice,
    ) {
        let threads = self.rows * self.width.div_ceil(4);
        let inputs = [targets, step, state];
        plan.dispatch(&CROSS_ENTROPY_CHUNK_BACKWARD, &[], &self, &inputs, &[logits], grid(threads));
    }

    /// CPU twin of `cross_entropy_chunk_backward.wgsl`.
    pub fn backward_cpu(self, targets: &[u32], step: &Step, state: &[f32], logits: &mut [f32]) {
        for (n, row) in logits.chunks_exact_mut(self.width as usize).enumerate() {
            let [largest, sum] = [state[Self::STATE * n], state[Self::STATE * n + 1]];
            for (v, logit) in (self.start..).zip(row) {
                let onehot = if v == targets[n] { 1.0 } else { 0.0 };
                *logit = match targets[n] {
                    IGNORED => 0.0,
                    _ => ((*logit - largest).exp() / sum - onehot) * step.inv_targets,
                };
            }
        }
    }
}
