//! Rotary position embedding (Su et al., arXiv 2104.09864) in the layout of Hugging Face's Llama:
//! component d turns with component d + D/2.

use bytemuck::{Pod, Zeroable};

use super::{by_lanes, grid, kernel};
use crate::gpu::{PlanBuilder, Slice};

kernel!(ROPE, "rope", 2, 1, "words", "index");
kernel!(ROPE_QUADS, "rope", 2, 1, "quads", "index");

/// Uniforms of `rope.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Rope {
    /// B.
    pub batch: u32,
    /// T, rows per sequence.
    pub time: u32,
    /// H, query heads.
    pub heads: u32,
    /// Key and value heads.
    pub kv_heads: u32,
    /// D, even.
    pub head_dim: u32,
    /// Width of a row of qkv, (H + 2KV) * D.
    pub stride: u32,
    /// 1 turns back, which is also the gradient's way through the rotation.
    pub backward: u32,
}

impl Rope {
    /// Turns the q and k columns of qkv in place by the angles of positions `position[0] + t`;
    /// table (T_max,2,D/2) from [`rope_table`], position (1) u32, qkv (N,stride).
    pub fn record(self, plan: &mut PlanBuilder, table: &Slice, position: &Slice, qkv: &Slice) {
        let half = self.head_dim / 2;
        let (kernel, lanes) = by_lanes(&[half, self.stride], &ROPE, &ROPE_QUADS);
        let threads = self.batch * self.time * (self.heads + self.kv_heads) * half / lanes;
        plan.dispatch(kernel, &[], &self, &[table, position], &[qkv], grid(threads));
    }

    /// CPU twin of `rope.wgsl`.
    pub fn record_cpu(self, table: &[f32], position: u32, qkv: &mut [f32]) {
        let half = (self.head_dim / 2) as usize;
        for (n, row) in qkv.chunks_exact_mut(self.stride as usize).enumerate() {
            let t = n % self.time as usize + position as usize;
            for head in 0..(self.heads + self.kv_heads) as usize {
                for d in 0..half {
                    let cos = table[t * 2 * half + d];
                    let mut sin = table[(t * 2 + 1) * half + d];
                    if self.backward != 0 {
                        sin = -sin;
                    }
                    let at = head * 2 * half + d;
                    let (a, b) = (row[at], row[at + half]);
                    row[at] = a * cos - b * sin;
                    row[at + half] = b * cos + a * sin;
                }
            }
        }
    }
}

/// (t_max,2,D/2): cosines, then sines of `t` times each of `frequencies`, (D/2) angles per position from
/// [`LlamaConfig::inverse_frequencies`](crate::model::config::LlamaConfig::inverse_frequencies).
pub fn rope_table(t_max: usize, frequencies: &[f64]) -> Vec<f32> {
    let mut table = Vec::with_capacity(t_max * frequencies.len() * 2);
    for t in 0..t_max {
        let angles = || frequencies.iter().map(|frequency| t as f64 * frequency);
        table.extend(angles().map(|angle| angle.cos() as f32));
        table.extend(angles().map(|angle| angle.sin() as f32));
    }
    table
}
