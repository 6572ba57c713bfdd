//! One file per kernel: its uniforms, how it is dispatched, and its CPU twin, beside the WGSL in
//! `shaders/` of the same name. Twins run the same loops in f32 and are what the tests compare with.

mod accumulate;
mod adamw;
mod attention;
mod cross_entropy;
mod cross_entropy_chunk;
mod dora;
mod embedding;
mod fill;
mod grad_norm;
mod kl;
mod kv_cache;
mod lora;
mod matmul;
mod neftune;
mod pull;
mod rmsnorm;
mod rope;
mod select;
mod shift;
mod step;
mod swiglu;
mod top_k;
mod unpack_f16;

pub use accumulate::*;
pub use adamw::*;
pub use attention::*;
pub use cross_entropy::*;
pub use cross_entropy_chunk::*;
pub use dora::*;
pub use embedding::*;
pub use fill::*;
pub use grad_norm::*;
pub use kl::*;
pub use kv_cache::*;
pub use lora::*;
pub use matmul::*;
pub use neftune::*;
pub use pull::*;
pub use rmsnorm::*;
pub use rope::*;
pub use select::*;
pub use shift::*;
pub use step::*;
pub use swiglu::*;
pub use top_k::*;
pub use unpack_f16::*;

use crate::gpu::Gpu;
pub use crate::gpu::{Kernel, Share};

/// `kernel!(NAME, "stem", inputs, outputs)`: a [`Kernel`] constant from `shaders/stem.wgsl`. Names after that are
/// those of `shaders/parts/name.wgsl`, whose structs and functions it uses.
macro_rules! kernel {
    ($const:ident, $stem:literal, $inputs:literal, $outputs:literal $(, $part:literal)*) => {
        pub static $const: crate::gpu::Kernel = crate::gpu::Kernel {
            name: $stem,
            parts: &[$($part),*],
            source: concat!(
                $(include_str!(concat!("../../shaders/parts/", $part, ".wgsl")),)*
                include_str!(concat!("../../shaders/", $stem, ".wgsl")),
            ),
            inputs: $inputs,
            outputs: $outputs,
        };
    };
}
pub(crate) use kernel;

/// A shader's kernel with `parts/quads.wgsl` if all of these lengths are whole quads, otherwise the one with
/// `parts/words.wgsl`; and how many values each of its threads takes at once. Taking four needs fewer loads,
/// and fewer threads that each work out their own position.
pub(crate) fn by_lanes(
    lengths: &[u32],
    words: &'static Kernel,
    quads: &'static Kernel,
) -> (&'static Kernel, u32) {
    match lengths.iter().all(|n| n.is_multiple_of(4)) {
        true => (quads, 4),
        false => (words, 1),
    }
}

/// Marks a target whose loss does not count (prompt and padding).
pub const IGNORED: u32 = u32::MAX;

/// Threads of a workgroup of the kernels that give each element or row to one thread.
pub const THREADS: u32 = 64;

/// Threads of a workgroup, and how many of them share a sum: a power of two (see the shaders).
#[derive(Clone, Copy, Debug)]
pub struct Slices {
    pub threads: u32,
    pub slices: u32,
}

/// Most rounds of all of a thread's loops together: Mesa's llvmpipe ends them after 65,535
/// (`LP_MAX_TGSI_LOOP_ITERATIONS`).
pub const ROUNDS: u32 = 60_000;

impl Slices {
    /// Short sums, added up through workgroup memory, or whole ones without a barrier. `rounds` is what a whole sum
    /// would take one thread; where that exceeds [`ROUNDS`], as many threads share it as are needed.
    pub fn of(gpu: &Gpu, rounds: u32) -> Self {
        match (gpu.choices().share, rounds.div_ceil(ROUNDS).next_power_of_two()) {
            (Share::Threads, _) => Self { threads: 128, slices: 32 },
            (Share::Tiles, 0 | 1) => Self { threads: 8, slices: 1 },
            (Share::Tiles, needed) => Self { threads: 128, slices: needed.min(128) },
        }
    }

    /// Workgroups for `sums` sums; a kernel's first sum is `(wid.x + wid.y * groups.x) * THREADS / SLICES`.
    pub(crate) fn grid(self, sums: u32) -> [u32; 3] {
        let groups = sums.div_ceil(self.threads / self.slices);
        let x = groups.clamp(1, 32_768);
        [x, groups.div_ceil(x), 1]
    }

    pub(crate) fn overrides(self) -> [(&'static str, f64); 2] {
        [("THREADS", f64::from(self.threads)), ("SLICES", f64::from(self.slices))]
    }
}

/// Workgroups for `threads` threads in all. WebGPU allows 65,535 along a dimension, so large grids
/// become two-dimensional: a kernel's index is `gid.x + gid.y * groups.x * THREADS`.
pub fn grid(threads: u32) -> [u32; 3] {
    let groups = threads.div_ceil(THREADS);
    let x = groups.min(32_768);
    [x, groups.div_ceil(x.max(1)), 1]
}

/// The hash that draws random numbers on both sides: PCG's output function (O'Neill 2014).
pub(crate) fn pcg(v: u32) -> u32 {
    let state = v.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
    let word = ((state >> ((state >> 28) + 4)) ^ state).wrapping_mul(277_803_737);
    (word >> 22) ^ word
}
