//! The most likely tokens of each row.

use bytemuck::{Pod, Zeroable};

use super::{Slices, kernel};
use crate::gpu::{PlanBuilder, Slice};

kernel!(TOP_K, "top_k", 1, 2, "rows");

/// Uniforms of `top_k.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct TopK {
    /// N, number of rows.
    pub rows: u32,
    /// V, width of a row, at least `k`.
    pub vocab: u32,
    /// K, at most 16.
    pub k: u32,
}

impl TopK {
    /// Ids and log-probabilities (over the full vocabulary) of the K largest logits, largest first, equal
    /// ones by id; logits (N,V), ids (N,K) u32, logprobs (N,K).
    pub fn record(self, plan: &mut PlanBuilder, logits: &Slice, ids: &Slice, logprobs: &Slice) {
        // Two passes; where logits rise along a row each of them moves the whole list.
        let slices = Slices::of(plan.gpu, (2 + self.k) * self.vocab);
        let (outputs, workgroups) = ([ids, logprobs], slices.grid(self.rows));
        plan.dispatch(&TOP_K, &slices.overrides(), &self, &[logits], &outputs, workgroups);
    }

    /// CPU twin of `top_k.wgsl`: (ids, logprobs).
    pub fn record_cpu(self, logits: &[f32]) -> (Vec<u32>, Vec<f32>) {
        let k = self.k as usize;
        let (mut ids, mut logprobs) = (Vec::new(), Vec::new());
        for row in logits.chunks_exact(self.vocab as usize) {
            let mut best = vec![(0u32, -1e30f32); k];
            for (v, &logit) in row.iter().enumerate() {
                if logit > best[k - 1].1 {
                    let mut at = k - 1;
                    while at > 0 && logit > best[at - 1].1 {
                        best[at] = best[at - 1];
                        at -= 1;
                    }
                    best[at] = (v as u32, logit);
                }
            }
            let sum: f64 = row.iter().map(|v| f64::from((v - best[0].1).exp())).sum();
            let lse = best[0].1 + sum.ln() as f32;
            ids.extend(best.iter().map(|b| b.0));
            logprobs.extend(best.iter().map(|b| b.1 - lse));
        }
        (ids, logprobs)
    }
}
