//! DoRA (Liu et al., arXiv 2402.09353): each row of the adapted weight is brought to a trained length,
//! `y = magnitude / ||W + s B A|| * (x Wᵀ + s (x Aᵀ) Bᵀ)`, the norm a constant in the backward pass, as PEFT does.

use bytemuck::{Pod, Zeroable};

use super::{LoraGroups, grid, kernel};
use crate::gpu::{PlanBuilder, Slice};

kernel!(DORA_NORM, "dora_norm", 3, 1, "index");
kernel!(DORA_SCALE, "dora_scale", 3, 1, "index");
kernel!(DORA_BACKWARD_MAGNITUDE, "dora_backward_magnitude", 3, 1, "index");

/// Uniforms of the DoRA kernels; they speak of a stack of linear layers as [`LoraGroups`] do.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Dora {
    /// M, rows of x and y.
    pub m: u32,
    /// N, rows of the stacked weight.
    pub n: u32,
    /// K, width of the input.
    pub k: u32,
    /// R.
    pub rank: u32,
    pub scale: f32,
    /// Where each group but the last ends among the N rows.
    pub end_0: u32,
    pub end_1: u32,
    /// Bit g is set if group g is adapted; the rows of the others have norm 0 and stay as they are.
    pub adapted: u32,
}

impl Dora {
    /// For `m` rows of input to a stacked weight (n,k).
    pub fn new(lora: LoraGroups, adapted: u32, m: u32, n: u32, k: u32) -> Self {
        let [end_0, end_1] = lora.ends();
        Self { m, n, k, rank: lora.rank, scale: lora.scale, end_0, end_1, adapted }
    }

    /// `norm[n] = ||w[n,:] + scale * (b a)[n,:]||`; w (N,K), a (G*R,K), b (N,R), norm (N). A `packed` w holds f16
    /// as [`super::pack_f16`] leaves them.
    pub fn norm(self, plan: &mut PlanBuilder, w: &Slice, packed: bool, a: &Slice, b: &Slice, norm: &Slice) {
        let overrides = [("PACKED", f64::from(packed))];
        plan.dispatch(&DORA_NORM, &overrides, &self, &[w, a, b], &[norm], grid(self.n));
    }

    /// `y = x * magnitude / norm`, `+=` if `accumulate`; x, y (M,N), magnitude, norm (N).
    pub fn scale(
        self,
        plan: &mut PlanBuilder,
        x: &Slice,
        magnitude: &Slice,
        norm: &Slice,
        y: &Slice,
        accumulate: bool,
    ) {
        let overrides = [("accumulate", f64::from(accumulate))];
        plan.dispatch(&DORA_SCALE, &overrides, &self, &[x, magnitude, norm], &[y], grid(self.m * self.n));
    }

    /// `dmagnitude[n] = Σ_m dy[m,n] * x[m,n] / norm[n]`; dy, x (M,N), norm, dmagnitude (N).
    pub fn backward_magnitude(
        self,
        plan: &mut PlanBuilder,
        dy: &Slice,
        x: &Slice,
        norm: &Slice,
        dmagnitude: &Slice,
    ) {
        plan.dispatch(&DORA_BACKWARD_MAGNITUDE, &[], &self, &[dy, x, norm], &[dmagnitude], grid(self.n));
    }
}

/// CPU twins.
impl Dora {
    pub fn norm_cpu(self, w: &[f32], a: &[f32], b: &[f32]) -> Vec<f32> {
        let (rank, k) = (self.rank as usize, self.k as usize);
        let norm = |n: usize| {
            let group = usize::from(n >= self.end_0 as usize) + usize::from(n >= self.end_1 as usize);
            if (self.adapted >> group) & 1 == 0 {
                return 0.0;
            }
            let value = |i: usize| {
                let low: f32 = (0..rank).map(|r| b[n * rank + r] * a[(group * rank + r) * k + i]).sum();
                w[n * k + i] + self.scale * low
            };
            (0..k).map(|i| value(i).powi(2)).sum::<f32>().sqrt()
        };
        (0..self.n as usize).map(norm).collect()
    }

    pub fn scale_cpu(self, x: &[f32], magnitude: &[f32], norm: &[f32], y: &mut [f32], accumulate: bool) {
        for (i, (y, x)) in y.iter_mut().zip(x).enumerate() {
            let n = i % self.n as usize;
            let value = if norm[n] > 0.0 { x * (magnitude[n] / norm[n]) } else { *x };
            *y = if accumulate { *y + value } else { value };
        }
    }

    pub fn backward_magnitude_cpu(self, dy: &[f32], x: &[f32], norm: &[f32]) -> Vec<f32> {
        let n = self.n as usize;
        let mut dmagnitude = vec![0.0; n];
        for (i, (dy, x)) in dy.iter().zip(x).enumerate() {
            dmagnitude[i % n] += dy * x;
        }
        let divided = |(d, norm): (f32, &f32)| if *norm == 0.0 { 0.0 } else { d / norm };
        dmagnitude.into_iter().zip(norm).map(divided).collect()
    }
}
