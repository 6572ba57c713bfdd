//! Greedy decoding, and decoding along given tokens, without a read-back between tokens.

use bytemuck::{Pod, Zeroable};

use super::{IGNORED, grid, kernel};
use crate::gpu::{PlanBuilder, Slice};

kernel!(SELECT, "select", 3, 2);
kernel!(ADVANCE, "advance", 0, 1);

/// Uniforms of `select.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Select {
    /// B.
    pub batch: u32,
    /// Tokens per sequence.
    pub kv_time: u32,
    /// V.
    pub vocab: u32,
}

impl Select {
    /// The token behind `position[0]`: `forced` there, or the most likely one (the lowest id of equals)
    /// where that is [`IGNORED`] or beyond `kv_time`; written to `tokens` (unless beyond) and `current`;
    /// logits (B,V), forced, tokens (B,kv_time) u32, position (1) u32, current (B) u32.
    pub fn record(
        self,
        plan: &mut PlanBuilder,
        logits: &Slice,
        forced: &Slice,
        position: &Slice,
        tokens: &Slice,
        current: &Slice,
    ) {
        let (inputs, outputs) = ([logits, forced, position], [tokens, current]);
        plan.dispatch(&SELECT, &[], &self, &inputs, &outputs, grid(self.batch));
    }

    /// CPU twin of `select.wgsl`.
    pub fn record_cpu(
        self,
        logits: &[f32],
        forced: &[u32],
        position: u32,
        tokens: &mut [u32],
        current: &mut [u32],
    ) {
        let next = position as usize + 1;
        for (b, row) in logits.chunks_exact(self.vocab as usize).enumerate() {
            let at = b * self.kv_time as usize + next;
            let inside = next < self.kv_time as usize;
            let mut token = if inside { forced[at] } else { IGNORED };
            if token == IGNORED {
                token = 0;
                for (v, logit) in row.iter().enumerate() {
                    if *logit > row[token as usize] {
                        token = v as u32;
                    }
                }
            }
            if inside {
                tokens[at] = token;
            }
            current[b] = token;
        }
    }
}

/// Uniforms of `advance.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Advance {
    /// Tokens to move on by, 1 in decoding.
    pub by: u32,
}

impl Advance {
    /// `position[0] += by`; position (1) u32.
    pub fn record(self, plan: &mut PlanBuilder, position: &Slice) {
        plan.dispatch(&ADVANCE, &[], &self, &[], &[position], [1, 1, 1]);
    }

    /// CPU twin of `advance.wgsl`.
    pub fn record_cpu(self, position: &mut u32) {
        *position += self.by;
    }
}
