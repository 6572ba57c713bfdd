//! Causal attention with grouped heads, without a T×T buffer: the forward pass keeps each row's
//! log-sum-exp and the backward pass recomputes the probabilities (Dao et al., arXiv 2205.14135).

use bytemuck::{Pod, Zeroable};

use super::{Share, by_lanes, grid, kernel};
use crate::gpu::{Kernel, PlanBuilder, Slice};

/// In blocks through workgroup memory, with words and with quads of a head.
macro_rules! blocks {
    ($words:ident, $quads:ident, $stem:literal, $inputs:literal, $outputs:literal) => {
        kernel!($words, $stem, $inputs, $outputs, "attention", "words", "attention_blocks");
        kernel!($quads, $stem, $inputs, $outputs, "attention", "quads", "attention_blocks");
    };
}

blocks!(ATTENTION_FORWARD, ATTENTION_FORWARD_QUADS, "attention_forward", 3, 2);
blocks!(ATTENTION_BACKWARD_Q, ATTENTION_BACKWARD_Q_QUADS, "attention_backward_q", 4, 2);
blocks!(ATTENTION_BACKWARD_KV, ATTENTION_BACKWARD_KV_QUADS, "attention_backward_kv", 4, 1);
kernel!(ATTENTION_ADD_HEADS, "attention_add_heads", 1, 1, "attention", "index");
kernel!(ATTENTION_DECODE, "attention_decode", 3, 2, "attention", "rows", "words");
kernel!(ATTENTION_DECODE_QUADS, "attention_decode", 3, 2, "attention", "rows", "quads");
kernel!(ATTENTION_ROW, "attention_row", 3, 2, "attention", "index");
kernel!(ATTENTION_TILES_FORWARD, "attention_tiles_forward", 3, 2, "attention", "index");
kernel!(ATTENTION_TILES_BACKWARD_Q, "attention_tiles_backward_q", 4, 2, "attention", "index");
kernel!(ATTENTION_TILES_BACKWARD_KV, "attention_tiles_backward_kv", 4, 1, "attention", "index");

/// Queries or keys that a workgroup of `attention_blocks.wgsl` owns.
const OWN: u32 = 32;
/// Threads of a workgroup of `attention_decode.wgsl`.
const KEYS: f64 = 128.0;

/// Uniforms of the attention kernels. Query head h reads key and value head `h / (H/KV)`.
///
/// In training q and kv are the same fused rows: `q_stride = kv_stride = (H+2KV)*D`, `k_offset = H*D`,
/// `v_offset = (H+KV)*D`, `kv_time = time`. In decoding `time = 1` and kv is a cache
/// (B,kv_time,2*KV*D) with `k_offset = 0`, `v_offset = KV*D`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Attention {
    /// B.
    pub batch: u32,
    /// T, queries per sequence.
    pub time: u32,
    /// H, query heads.
    pub heads: u32,
    /// KV, key and value heads; divides H.
    pub kv_heads: u32,
    /// D, at most 128.
    pub head_dim: u32,
    /// Width of a row that holds queries.
    pub q_stride: u32,
    /// Width of a row that holds keys and values.
    pub kv_stride: u32,
    /// Column of the first key.
    pub k_offset: u32,
    /// Column of the first value.
    pub v_offset: u32,
    /// Rows of keys and values per sequence.
    pub kv_time: u32,
    /// 1 / sqrt(D).
    pub scale: f32,
}

impl Attention {
    /// The kernel in blocks for these heads, its overrides and workgroups.
    fn blocks(&self, words: &'static Kernel, quads: &'static Kernel) -> Launch {
        let is_wide = f64::from(u32::from(self.head_dim > 64));
        let groups = self.batch * self.heads * self.time.div_ceil(OWN);
        let kernel = by_lanes(&[self.head_dim], words, quads).0;
        (kernel, vec![("WIDE", is_wide)], folded(groups))
    }

    /// The kernel in tiles of 8 by 8: 8 threads of one each make a workgroup.
    fn tiles(&self, kernel: &'static Kernel, heads: u32) -> Launch {
        let tiles = self.batch * heads * self.time.div_ceil(8);
        (kernel, Vec::new(), folded(tiles.div_ceil(8)))
    }

    /// Tiles read four components of a head at once; one query a sequence is less than a tile.
    fn has_tiles(&self, share: Share) -> bool {
        share == Share::Tiles && self.time > 1 && self.head_dim.is_multiple_of(4)
    }

    fn forward_launch(&self, share: Share) -> Launch {
        let head_dim = ("head_dim", f64::from(self.head_dim));
        match share {
            _ if self.has_tiles(share) => self.tiles(&ATTENTION_TILES_FORWARD, self.heads),
            // Software pays for barriers: a thread a query.
            Share::Tiles => (&ATTENTION_ROW, vec![head_dim], grid(self.batch * self.heads * self.time)),
            Share::Threads if self.time == 1 => {
                let kernel = by_lanes(&[self.head_dim], &ATTENTION_DECODE, &ATTENTION_DECODE_QUADS).0;
                let overrides = vec![head_dim, ("THREADS", KEYS), ("SLICES", KEYS)];
                (kernel, overrides, folded(self.batch * self.heads))
            }
            Share::Threads => self.blocks(&ATTENTION_FORWARD, &ATTENTION_FORWARD_QUADS),
        }
    }

    /// Operations of `products` products with D terms for each pair of a query and a key at or before it.
    fn flop(&self, products: u32) -> f64 {
        let pairs = f64::from(self.time) * f64::from(self.time + 1) / 2.0;
        2.0 * f64::from(products * self.head_dim * self.batch * self.heads) * pairs
    }

    /// out = softmax(scale q·k) v over keys `j <= position[0] + i`; q (N,q_stride),
    /// kv (B*kv_time,kv_stride), position (1) u32, out (N,H*D), lse (N,H). q and kv may be one buffer.
    pub fn forward(
        self,
        plan: &mut PlanBuilder,
        q: &Slice,
        kv: &Slice,
        position: &Slice,
        out: &Slice,
        lse: &Slice,
    ) {
        let (kernel, overrides, workgroups) = self.forward_launch(share(plan));
        plan.dispatch(kernel, &overrides, &self, &[q, kv, position], &[out, lse], workgroups);
        plan.count_flop(self.flop(2)); // q·k and p·v
    }

    /// The q columns of dqkv, and delta for [`Self::backward_kv`]; qkv, dqkv (N,q_stride), out,
    /// dout (N,H*D), lse, delta (N,H). Positions start at 0.
    pub fn backward_q(
        self,
        plan: &mut PlanBuilder,
        qkv: &Slice,
        out: &Slice,
        dout: &Slice,
        lse: &Slice,
        dqkv: &Slice,
        delta: &Slice,
    ) {
        let (kernel, overrides, workgroups) = match self.has_tiles(share(plan)) {
            true => self.tiles(&ATTENTION_TILES_BACKWARD_Q, self.heads),
            false => self.blocks(&ATTENTION_BACKWARD_Q, &ATTENTION_BACKWARD_Q_QUADS),
        };
        plan.dispatch(kernel, &overrides, &self, &[qkv, out, dout, lse], &[dqkv, delta], workgroups);
        plan.count_flop(self.flop(3)); // q·k again, dout·v and ds·k
    }

    /// The k and v columns of dqkv; qkv, dqkv (N,q_stride), dout (N,H*D), lse, delta (N,H). What lies in `spare`, of
    /// at least N*2*H*D words, is lost where query heads share keys.
    pub fn backward_kv(
        self,
        plan: &mut PlanBuilder,
        qkv: &Slice,
        dout: &Slice,
        lse: &Slice,
        delta: &Slice,
        dqkv: &Slice,
        spare: &Slice,
    ) {
        let has_tiles = self.has_tiles(share(plan));
        let (kernel, overrides, workgroups) = match has_tiles {
            true => self.tiles(&ATTENTION_TILES_BACKWARD_KV, self.kv_heads),
            false => self.blocks(&ATTENTION_BACKWARD_KV, &ATTENTION_BACKWARD_KV_QUADS),
        };
        let by_head = !has_tiles && self.heads > self.kv_heads;
        let out = if by_head { spare } else { dqkv };
        plan.dispatch(kernel, &overrides, &self, &[qkv, dout, lse, delta], &[out], workgroups);
        plan.count_flop(self.flop(4)); // q·k and dout·v again, p·dout and ds·q
        if by_head {
            let words = self.batch * self.time * 2 * self.kv_heads * self.head_dim;
            plan.dispatch(&ATTENTION_ADD_HEADS, &[], &self, &[spare], &[dqkv], grid(words));
        }
    }

    /// CPU twin of the kernels of the forward pass: (out, lse).
    pub fn forward_cpu(self, q: &[f32], kv: &[f32], position: u32) -> (Vec<f32>, Vec<f32>) {
        let [heads, dim] = [self.heads, self.head_dim].map(|v| v as usize);
        let rows = (self.batch * self.time) as usize;
        let (mut out, mut lse) = (vec![0.0; rows * heads * dim], vec![0.0; rows * heads]);
        for (b, i, h) in self.queries() {
            let n = b * self.time as usize + i;
            let query = self.q(q, b, i, h);
            let acc = &mut out[(n * heads + h) * dim..][..dim];
            let (mut max, mut sum) = (-1e30f32, 0.0f32);
            for j in 0..=position as usize + i {
                let s = self.scale * dot(query, self.k(kv, b, j, h));
                let new_max = max.max(s);
                let (keep, p) = ((max - new_max).exp(), (s - new_max).exp());
                max = new_max;
                sum = sum * keep + p;
                for (a, v) in acc.iter_mut().zip(self.v(kv, b, j, h)) {
                    *a = *a * keep + p * v;
                }
            }
            acc.iter_mut().for_each(|a| *a /= sum);
            lse[n * heads + h] = max + sum.ln();
        }
        (out, lse)
    }

    /// CPU twin of [`Self::backward_q`]: delta; writes the q columns of dqkv.
    pub fn backward_q_cpu(
        self,
        qkv: &[f32],
        out: &[f32],
        dout: &[f32],
        lse: &[f32],
        dqkv: &mut [f32],
    ) -> Vec<f32> {
        let [heads, dim] = [self.heads, self.head_dim].map(|v| v as usize);
        let mut delta = vec![0.0; lse.len()];
        for (b, i, h) in self.queries() {
            let at = (b * self.time as usize + i) * heads + h;
            let (q, d) = (self.q(qkv, b, i, h), &dout[at * dim..][..dim]);
            delta[at] = dot(d, &out[at * dim..][..dim]);
            let mut dq = vec![0.0; dim];
            for j in 0..=i {
                let k = self.k(qkv, b, j, h);
                let p = (self.scale * dot(q, k) - lse[at]).exp();
                let ds = p * (dot(d, self.v(qkv, b, j, h)) - delta[at]) * self.scale;
                dq.iter_mut().zip(k).for_each(|(dq, k)| *dq += ds * k);
            }
            let row = (b * self.time as usize + i) * self.q_stride as usize;
            dqkv[row + h * dim..][..dim].copy_from_slice(&dq);
        }
        delta
    }

    /// CPU twin of [`Self::backward_kv`]: writes the k and v columns of dqkv.
    pub fn backward_kv_cpu(self, qkv: &[f32], dout: &[f32], lse: &[f32], delta: &[f32], dqkv: &mut [f32]) {
        let [time, heads, kv_heads, dim] =
            [self.time, self.heads, self.kv_heads, self.head_dim].map(|v| v as usize);
        let group = heads / kv_heads;
        for index in 0..self.batch as usize * kv_heads * time {
            let (b, kvh, j) = (index / (kv_heads * time), index / time % kv_heads, index % time);
            let (mut dk, mut dv) = (vec![0.0; dim], vec![0.0; dim]);
            for h in kvh * group..(kvh + 1) * group {
                let (k, v) = (self.k(qkv, b, j, h), self.v(qkv, b, j, h));
                for i in j..time {
                    let at = (b * time + i) * heads + h;
                    let (q, d) = (self.q(qkv, b, i, h), &dout[at * dim..][..dim]);
                    let p = (self.scale * dot(q, k) - lse[at]).exp();
                    let ds = p * (dot(d, v) - delta[at]) * self.scale;
                    for c in 0..dim {
                        dv[c] += p * d[c];
                        dk[c] += ds * q[c];
                    }
                }
            }
            let row = (b * time + j) * self.kv_stride as usize + kvh * dim;
            dqkv[row + self.k_offset as usize..][..dim].copy_from_slice(&dk);
            dqkv[row + self.v_offset as usize..][..dim].copy_from_slice(&dv);
        }
    }

    /// All (b, i, h).
    fn queries(self) -> impl Iterator<Item = (usize, usize, usize)> {
        let [batch, time, heads] = [self.batch, self.time, self.heads].map(|v| v as usize);
        (0..batch * time * heads).map(move |n| (n / heads / time, n / heads % time, n % heads))
    }

    fn q(self, q: &[f32], b: usize, i: usize, h: usize) -> &[f32] {
        let dim = self.head_dim as usize;
        &q[(b * self.time as usize + i) * self.q_stride as usize + h * dim..][..dim]
    }

    fn k(self, kv: &[f32], b: usize, j: usize, h: usize) -> &[f32] {
        self.row(kv, b, j, h, self.k_offset)
    }

    fn v(self, kv: &[f32], b: usize, j: usize, h: usize) -> &[f32] {
        self.row(kv, b, j, h, self.v_offset)
    }

    fn row(self, kv: &[f32], b: usize, j: usize, h: usize, offset: u32) -> &[f32] {
        let dim = self.head_dim as usize;
        let kvh = h / (self.heads / self.kv_heads) as usize;
        let row = (b * self.kv_time as usize + j) * self.kv_stride as usize;
        &kv[row + offset as usize + kvh * dim..][..dim]
    }
}

/// A kernel, its overrides and workgroups.
type Launch = (&'static Kernel, Vec<(&'static str, f64)>, [u32; 3]);

fn share(plan: &PlanBuilder) -> Share {
    plan.gpu.choices().share
}

/// A grid of this many workgroups, in rows where one would be too long.
fn folded(groups: u32) -> [u32; 3] {
    let x = groups.clamp(1, 32_768);
    [x, groups.div_ceil(x), 1]
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
