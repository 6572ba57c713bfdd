//! Decoding without a read-back between tokens: along given tokens, greedily, or by drawing.

use bytemuck::{Pod, Zeroable};

use super::{IGNORED, ROUNDS, Share, Slices, kernel, pcg};
use crate::gpu::{Gpu, PlanBuilder, Slice};

kernel!(SELECT, "select", 4, 2, "pcg");
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

/// How a token is chosen. It lies in a small storage buffer, so that one plan serves every choice.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub struct Draw {
    /// 0 takes the likeliest token, 1 draws from the model's own distribution.
    pub temperature: f32,
    /// Draws among the likeliest tokens that together have this probability (Holtzman et al., arXiv
    /// 1904.09751); 1 among all.
    pub top_p: f32,
    pub seed: u32,
    /// Index of row 0 among all sequences of the call: the noise of a row does not depend on its place.
    pub sequence: u32,
}

impl Default for Draw {
    /// The likeliest token.
    fn default() -> Self {
        Self { temperature: 0.0, top_p: 1.0, seed: 0, sequence: 0 }
    }
}

impl Draw {
    /// Words of the storage buffer.
    pub const WORDS: usize = size_of::<Self>() / 4;

    /// The words to upload.
    pub fn words(&self) -> &[u32] {
        bytemuck::cast_slice(std::slice::from_ref(self))
    }
}

impl Select {
    /// For real GPUs: a workgroup a row.
    pub const WIDE: Slices = Slices { threads: 256, slices: 256 };
    /// For software adapters: a thread a row, no barrier.
    pub const NARROW: Slices = Slices { threads: 64, slices: 1 };

    /// How rows are shared out on this adapter. Mesa's llvmpipe ends all loops of a thread after 65,535 rounds
    /// in sum (`LP_MAX_TGSI_LOOP_ITERATIONS`); a draw goes through its columns 29 times.
    pub fn slices(self, gpu: &Gpu) -> Slices {
        let needed = (29 * self.vocab).div_ceil(ROUNDS).next_power_of_two();
        match gpu.choices().share {
            Share::Threads => Self::WIDE,
            Share::Tiles if needed == 1 => Self::NARROW,
            Share::Tiles => Slices { threads: needed.min(256), slices: needed.min(256) },
        }
    }

    /// The token after `position[0]`: `forced` there, or the one that [`Draw`] asks for where that is
    /// [`IGNORED`] or beyond `kv_time`; written to `tokens` (unless beyond) and `current`;
    /// logits (B,V), forced, tokens (B,kv_time) u32, position (1) u32, draw [`Draw`], current (B) u32.
    pub fn record(
        self,
        plan: &mut PlanBuilder,
        logits: &Slice,
        forced: &Slice,
        position: &Slice,
        draw: &Slice,
        tokens: &Slice,
        current: &Slice,
    ) {
        self.record_as(self.slices(plan.gpu), plan, [logits, forced, position, draw], [tokens, current]);
    }

    /// [`Self::record`] with given slices: threads of a workgroup, and how many of them share a row.
    pub fn record_as(
        self,
        slices: Slices,
        plan: &mut PlanBuilder,
        inputs: [&Slice; 4],
        outputs: [&Slice; 2],
    ) {
        let grid = slices.grid(self.batch);
        plan.dispatch(&SELECT, &slices.overrides(), &self, &inputs, &outputs, grid);
    }

    /// CPU twin of `select.wgsl`.
    pub fn record_cpu(
        self,
        logits: &[f32],
        forced: &[u32],
        position: u32,
        draw: Draw,
        tokens: &mut [u32],
        current: &mut [u32],
    ) {
        let next = position as usize + 1;
        for (b, row) in logits.chunks_exact(self.vocab as usize).enumerate() {
            let at = b * self.kv_time as usize + next;
            let inside = next < self.kv_time as usize;
            let mut token = if inside { forced[at] } else { IGNORED };
            if token == IGNORED {
                token = draw.choose(row, b as u32, position + 1);
            }
            if inside {
                tokens[at] = token;
            }
            current[b] = token;
        }
    }
}

/// CPU twins of the shader's functions.
impl Draw {
    /// The token of row `b` for `position`, from its logits (V).
    pub fn choose(self, logits: &[f32], b: u32, position: u32) -> u32 {
        let greedy = argmax((0..).zip(logits.iter().copied()));
        if self.temperature <= 0.0 {
            return greedy;
        }
        let largest = logits[greedy as usize];
        let scaled: Vec<f32> = logits.iter().map(|l| (l - largest) / self.temperature).collect();
        let threshold = self.nucleus(&scaled);
        let sequence = self.sequence.wrapping_add(b);
        let key = pcg(position.wrapping_add(pcg(sequence.wrapping_add(pcg(self.seed)))));
        let kept = (0u32..).zip(scaled).filter(|(_, s)| *s >= threshold);
        argmax(kept.map(|(v, s)| (v, s + gumbel(pcg(key.wrapping_add(v))))))
    }

    /// The largest threshold whose kept tokens (logits over temperature, the largest at 0) have a probability
    /// of at least top-p.
    fn nucleus(self, scaled: &[f32]) -> f32 {
        if self.top_p >= 1.0 {
            return -1e30;
        }
        let mass =
            |threshold: f32| -> f32 { scaled.iter().filter(|s| **s >= threshold).map(|s| s.exp()).sum() };
        let wanted = self.top_p * mass(-1e30);
        let (mut low, mut high) = (-32.0, 0.0);
        for _ in 0..26 {
            let middle = 0.5 * (low + high);
            if mass(middle) >= wanted {
                low = middle;
            } else {
                high = middle;
            }
        }
        low
    }
}

/// The first of the largest.
fn argmax(scores: impl Iterator<Item = (u32, f32)>) -> u32 {
    scores.fold((0, -3e38), |best, next| if next.1 > best.1 { next } else { best }).0
}

/// Gumbel noise `-log(-log(1 - w))`; the series keeps what cancels in `1 - w`.
fn gumbel(hash: u32) -> f32 {
    let w = (hash as f32 * 2.328_306_4e-10).clamp(1.164_153_2e-10, 0.999_999_94);
    let exponential =
        if w < 0.007_812_5 { w * (1.0 + w * (0.5 + w * 0.333_333_34)) } else { -(1.0 - w).ln() };
    -exponential.ln()
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
