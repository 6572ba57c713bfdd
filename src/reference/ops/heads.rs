//! Heads of a projection, with rotary positions.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::{done, floats};

/// Cosines and sines of the rotary positions, (T, D / 2) each.
pub struct Rotary {
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Rotary {
    /// Angles t * f of positions t below `time` and the D/2 `frequencies` f, from
    /// [`LlamaConfig::inverse_frequencies`](crate::model::config::LlamaConfig::inverse_frequencies).
    pub fn new(time: usize, frequencies: &[f64]) -> Self {
        let angles = (0..time).flat_map(|t| frequencies.iter().map(move |f| t as f64 * f));
        let (cos, sin) = angles.map(|angle| (angle.cos() as f32, angle.sin() as f32)).unzip();
        Rotary { cos, sin }
    }
}

/// The layout of the heads of a projection.
#[derive(Clone)]
pub struct Heads {
    pub batch: usize,
    pub time: usize,
    pub heads: usize,
    pub head_dim: usize,
    /// Rotates pairs (i, i + D / 2), as Hugging Face's Llama does; `None` leaves them.
    pub rotary: Option<Arc<Rotary>>,
}

impl Heads {
    /// (B * T, H * D) to (B, H, T, D), rotated forwards.
    pub fn split(&self, x: &Tensor) -> Result<Tensor> {
        x.contiguous()?.apply_op1(SplitHeads(self.clone()))
    }

    /// (B, H, T, D) to (B * T, H * D), rotated backwards.
    pub fn merge(&self, x: &Tensor) -> Result<Tensor> {
        x.contiguous()?.apply_op1(MergeHeads(self.clone()))
    }

    /// Copies each head's row from its place in one layout to that in the other.
    fn copy(&self, x: &[f32], to_heads: bool) -> Vec<f32> {
        let (d, half) = (self.head_dim, self.head_dim / 2);
        let mut y = vec![0.0; x.len()];
        for b in 0..self.batch {
            for t in 0..self.time {
                for h in 0..self.heads {
                    let flat = ((b * self.time + t) * self.heads + h) * d;
                    let split = ((b * self.heads + h) * self.time + t) * d;
                    let (from, to) = if to_heads { (flat, split) } else { (split, flat) };
                    let (x, y) = (&x[from..from + d], &mut y[to..to + d]);
                    let Some(rotary) = &self.rotary else {
                        y.copy_from_slice(x);
                        continue;
                    };
                    let cos = &rotary.cos[t * half..(t + 1) * half];
                    let sin = &rotary.sin[t * half..(t + 1) * half];
                    let sign = if to_heads { 1.0 } else { -1.0 };
                    for i in 0..half {
                        let (c, s) = (cos[i], sign * sin[i]);
                        y[i] = x[i] * c - x[i + half] * s;
                        y[i + half] = x[i + half] * c + x[i] * s;
                    }
                }
            }
        }
        y
    }
}

struct SplitHeads(Heads);
struct MergeHeads(Heads);

impl CustomOp1 for SplitHeads {
    fn name(&self) -> &'static str {
        "split_heads"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let Heads { batch, time, heads, head_dim, .. } = self.0;
        done(self.0.copy(floats(x, layout, self.name())?, true), (batch, heads, time, head_dim))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(g.contiguous()?.apply_op1_no_bwd(&MergeHeads(self.0.clone()))?))
    }
}

impl CustomOp1 for MergeHeads {
    fn name(&self) -> &'static str {
        "merge_heads"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let Heads { batch, time, heads, head_dim, .. } = self.0;
        done(self.0.copy(floats(x, layout, self.name())?, false), (batch * time, heads * head_dim))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(g.contiguous()?.apply_op1_no_bwd(&SplitHeads(self.0.clone()))?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::ops::check::{close, compare, random};
    use candle_core::Device;

    #[test]
    fn equals_transposing_and_candles_rotary_embedding() {
        let (batch, time, heads, head_dim) = (2, 5, 3, 8);
        let rotary = Arc::new(Rotary::new(time, &[1.0, 0.3, 0.1, 0.03]));
        let table = |values: &[f32]| Tensor::from_slice(values, (time, head_dim / 2), &Device::Cpu).unwrap();
        let (cos, sin) = (table(&rotary.cos), table(&rotary.sin));
        let layout = Heads { batch, time, heads, head_dim, rotary: Some(rotary) };
        compare(
            &[random((batch * time, heads * head_dim), 3)],
            |v| layout.split(&v[0]),
            |v| {
                let x = v[0].reshape((batch, time, heads, head_dim))?.transpose(1, 2)?.contiguous()?;
                candle_nn::rotary_emb::rope_slow(&x, &cos, &sin)
            },
        );
    }

    #[test]
    fn merging_undoes_splitting() {
        let rotary = Some(Arc::new(Rotary::new(4, &[1.0, 0.1, 0.01])));
        let layout = Heads { batch: 3, time: 4, heads: 2, head_dim: 6, rotary };
        let x = random((12, 12), 4);
        let y = layout.merge(&layout.split(x.as_tensor()).unwrap()).unwrap();
        close(x.as_tensor(), &y);
        let plain = Heads { rotary: None, ..layout };
        compare(
            &[random((3, 2, 4, 6), 5)],
            |v| plain.merge(&v[0]),
            |v| v[0].transpose(1, 2)?.reshape((12, 12)),
        );
    }
}
