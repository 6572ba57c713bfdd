//! Distribution shift between the tuned model and its base at each token (Lin et al., arXiv 2312.01552),
//! over the full vocabulary.

use bytemuck::{Pod, Zeroable};

use super::{IGNORED, Slices, kernel};
use crate::gpu::{PlanBuilder, Slice};

kernel!(SHIFT, "shift", 3, 1, "rows");

/// Uniforms of `shift.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Shift {
    /// N, number of rows.
    pub rows: u32,
    /// V, width of a row.
    pub vocab: u32,
}

impl Shift {
    /// For each row `[kl, rank, logprob, base_logprob]`: KL(tuned || base) in nats, exactly 0 for equal
    /// rows; the token's rank in the base (1 = most likely, equal logits rank by id); its log-probability
    /// under both. Zeros where the token is [`IGNORED`]. tuned, base (N,V), tokens (N) u32, out (N,4).
    pub fn record(self, plan: &mut PlanBuilder, tuned: &Slice, base: &Slice, tokens: &Slice, out: &Slice) {
        let slices = Slices::of(plan.gpu, 3 * self.vocab.div_ceil(4));
        let (inputs, workgroups) = ([tuned, base, tokens], slices.grid(self.rows));
        plan.dispatch(&SHIFT, &slices.overrides(), &self, &inputs, &[out], workgroups);
    }

    /// CPU twin of `shift.wgsl`: out.
    pub fn record_cpu(self, tuned: &[f32], base: &[f32], tokens: &[u32]) -> Vec<f32> {
        let vocab = self.vocab as usize;
        let mut out = Vec::with_capacity(tokens.len() * 4);
        for (n, &token) in tokens.iter().enumerate() {
            if token == IGNORED {
                out.extend([0.0; 4]);
                continue;
            }
            let (tuned, base) = (&tuned[n * vocab..][..vocab], &base[n * vocab..][..vocab]);
            let (lse_t, lse_b) = (log_sum_exp(tuned), log_sum_exp(base));
            let token = token as usize;
            let (mut kl, mut rank) = (0.0, 1.0);
            for (v, (t, b)) in tuned.iter().zip(base).enumerate() {
                let (log_t, log_b) = (t - lse_t, b - lse_b);
                kl += log_t.exp() * (log_t - log_b) - (log_t.exp() - log_b.exp());
                if *b > base[token] || (*b == base[token] && v < token) {
                    rank += 1.0;
                }
            }
            out.extend([kl.max(0.0), rank, tuned[token] - lse_t, base[token] - lse_b]);
        }
        out
    }
}

/// Summed in f64: 128,256 terms one after the other in f32 lose what several threads' sums keep.
fn log_sum_exp(row: &[f32]) -> f32 {
    let max = row.iter().fold(-1e30f32, |m, v| m.max(*v));
    max + row.iter().map(|v| f64::from((v - max).exp())).sum::<f64>().ln() as f32
}
