//! Rotary position embedding (Su et al., arXiv 2104.09864) in the layout of Hugging Face's Llama:
//! component d turns with component d + D/2.

use bytemuck::{Pod, Zeroable};

use super::{grid, kernel};
use crate::gpu::{PlanBuilder, Slice};

kernel!(ROPE, "rope", 2, 1);

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
    /// table (T_max,D/2,2) from [`rope_table`], position (1) u32, qkv (N,stride).
    pub fn record(self, plan: &mut PlanBuilder, table: &Slice, position: &Slice, qkv: &Slice) {
        let pairs = (self.heads + self.kv_heads) * self.head_dim / 2;
        let threads = self.batch * self.time * pairs;
        plan.dispatch(&ROPE, &[], &self, &[table, position], &[qkv], grid(threads));
    }

    /// CPU twin of `rope.wgsl`.
    pub fn record_cpu(self, table: &[f32], position: u32, qkv: &mut [f32]) {
        let half = (self.head_dim / 2) as usize;
        for (n, row) in qkv.chunks_exact_mut(self.stride as usize).enumerate() {
            let t = n % self.time as usize + position as usize;
            for head in 0..(self.heads + self.kv_heads) as usize {
                for d in 0..half {
                    let cos = table[(t * half + d) * 2];
                    let mut sin = table[(t * half + d) * 2 + 1];
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

/// (t_max,D/2,2): cosine and sine of `t` times each of `frequencies`, (D/2) angles per position from
/// [`LlamaConfig::inverse_frequencies`](crate::model::config::LlamaConfig::inverse_frequencies).
pub fn rope_table(t_max: usize, frequencies: &[f64]) -> Vec<f32> {
    let mut table = Vec::with_capacity(t_max * frequencies.len() * 2);
    for t in 0..t_max {
        for frequency in frequencies {
            let (sin, cos) = (t as f64 * frequency).sin_cos();
            table.extend([cos as f32, sin as f32]);
        }
    }
    table
}
