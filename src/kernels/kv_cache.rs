//! Keys and values of the tokens so far, for decoding.

use bytemuck::{Pod, Zeroable};

use super::{grid, kernel};
use crate::gpu::{PlanBuilder, Slice};

kernel!(KV_APPEND, "kv_append", 2, 1, "index");

/// Uniforms of `kv_append.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct KvAppend {
    /// B.
    pub batch: u32,
    /// H * D, the width of q, which is skipped.
    pub heads_width: u32,
    /// KV * D, the width of k and of v.
    pub kv_width: u32,
    /// Rows of the cache per sequence; a position beyond writes nothing.
    pub kv_time: u32,
}

impl KvAppend {
    /// Copies k and v of the current token to row `position[0]`; qkv (B,(H+2KV)*D), position (1) u32,
    /// cache (B,kv_time,2*KV*D).
    pub fn record(self, plan: &mut PlanBuilder, qkv: &Slice, position: &Slice, cache: &Slice) {
        let threads = self.batch * 2 * self.kv_width;
        plan.dispatch(&KV_APPEND, &[], &self, &[qkv, position], &[cache], grid(threads));
    }

    /// CPU twin of `kv_append.wgsl`.
    pub fn record_cpu(self, qkv: &[f32], position: u32, cache: &mut [f32]) {
        let [heads_width, width] = [self.heads_width, 2 * self.kv_width].map(|v| v as usize);
        if position >= self.kv_time {
            return;
        }
        for (b, row) in qkv.chunks_exact(heads_width + width).enumerate() {
            let at = (b * self.kv_time as usize + position as usize) * width;
            cache[at..][..width].copy_from_slice(&row[heads_width..]);
        }
    }
}
