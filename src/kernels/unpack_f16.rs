//! Frozen weights as f16, two a word: half the memory. Kernels that read weights have an override constant for
//! it, and `unpack2x16float`, which every WebGPU has. The feature `shader-f16` would give the type f16, but
//! software adapters and some browsers lack it, and a weight is read into f32 arithmetic all the same.

use bytemuck::{Pod, Zeroable};
use half::f16;

use super::{grid, kernel};
use crate::gpu::{PlanBuilder, Slice};

kernel!(UNPACK_F16, "unpack_f16", 1, 1, "index");

/// The nearest f16 of each value, two a word, the first in the low half; zeros up to a whole vec4 of words.
pub fn pack_f16(values: &[f32]) -> Vec<u32> {
    let bits = |value: &f32| u32::from(f16::from_f32(*value).to_bits());
    let word = |two: &[f32]| bits(&two[0]) | two.get(1).map_or(0, bits) << 16;
    let mut words: Vec<u32> = values.chunks(2).map(word).collect();
    words.resize(words.len().next_multiple_of(4), 0);
    words
}

/// Uniforms of `unpack_f16.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct UnpackF16 {
    /// Number of words, half that of values.
    pub len: u32,
}

impl UnpackF16 {
    /// `out` = the values of `packed`; packed (len), out (2*len).
    pub fn record(self, plan: &mut PlanBuilder, packed: &Slice, out: &Slice) {
        plan.dispatch(&UNPACK_F16, &[], &self, &[packed], &[out], grid(self.len));
    }

    /// CPU twin of `unpack_f16.wgsl`.
    pub fn record_cpu(self, packed: &[u32]) -> Vec<f32> {
        let half = |bits: u32| f16::from_bits(bits as u16).to_f32();
        packed[..self.len as usize].iter().flat_map(|word| [half(*word), half(word >> 16)]).collect()
    }
}
