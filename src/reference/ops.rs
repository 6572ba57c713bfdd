//! Fused differentiable operations for candle's CPU backend.
//!
//! Composed of candle's own operations, each of these would write five to ten intermediate tensors;
//! candle's own fused versions pass no gradient. All take contiguous f32 tensors.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};

use super::rows;

/// The floats of a contiguous f32 tensor.
fn floats<'a>(storage: &'a CpuStorage, layout: &Layout, op: &str) -> Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else { bail!("{op}: not contiguous") };
    Ok(&storage.as_slice::<f32>()?[start..end])
}

fn done(values: Vec<f32>, shape: impl Into<Shape>) -> Result<(CpuStorage, Shape)> {
    Ok((CpuStorage::F32(values), shape.into()))
}

// --- RMS norm ------------------------------------------------------------------------------------

/// RMS norm of x (N, C) with weight w (C).
pub fn rms_norm(x: &Tensor, w: &Tensor, eps: f32) -> Result<Tensor> {
    x.contiguous()?.apply_op2(w, RmsNorm { eps })
}

struct RmsNorm {
    eps: f32,
}

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms_norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, w) = (floats(x, x_layout, self.name())?, floats(w, w_layout, self.name())?);
        let mut y = vec![0.0; x.len()];
        rows::rms_norm(x, w, self.eps, &mut y);
        done(y, x_layout.shape())
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _: &Tensor,
        g: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let g = g.contiguous()?;
        let dx = x.apply_op3_no_bwd(w, &g, &RmsNormGradX { eps: self.eps })?;
        let dw = match w.track_op() {
            true => Some(x.apply_op2_no_bwd(&g, &RmsNormGradW { eps: self.eps })?),
            false => None,
        };
        Ok((Some(dx), dw))
    }
}

struct RmsNormGradX {
    eps: f32,
}

impl CustomOp3 for RmsNormGradX {
    fn name(&self) -> &'static str {
        "rms_norm_grad_x"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
        g: &CpuStorage,
        g_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, w) = (floats(x, x_layout, self.name())?, floats(w, w_layout, self.name())?);
        let g = floats(g, g_layout, self.name())?;
        let mut dx = vec![0.0; x.len()];
        rows::rms_norm_grad_x(x, w, g, self.eps, &mut dx);
        done(dx, x_layout.shape())
    }
}

struct RmsNormGradW {
    eps: f32,
}

impl CustomOp2 for RmsNormGradW {
    fn name(&self) -> &'static str {
        "rms_norm_grad_w"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        g: &CpuStorage,
        g_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, g) = (floats(x, x_layout, self.name())?, floats(g, g_layout, self.name())?);
        let width = x_layout.shape().dims().last().copied().unwrap_or(1);
        let mut dw = vec![0.0; width];
        rows::rms_norm_grad_w(x, g, self.eps, &mut dw);
        done(dw, width)
    }
}

// --- Heads and rotary positions ------------------------------------------------------------------

/// Cosines and sines of the rotary positions, (T, D / 2) each.
pub struct Rotary {
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Rotary {
    /// Angles t * theta^(-2 i / D) of positions t below `time`.
    pub fn new(time: usize, head_dim: usize, theta: f64) -> Self {
        let angles = (0..time).flat_map(|t| {
            (0..head_dim / 2).map(move |i| t as f64 * theta.powf(-2.0 * i as f64 / head_dim as f64))
        });
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

// --- Softmax over the past -----------------------------------------------------------------------

/// softmax(scale * s) over the columns up to the row's own time; s is (.., T, T) with any number of
/// query groups stacked in the rows: row r belongs to time r mod T.
pub fn causal_softmax(s: &Tensor, scale: f32) -> Result<Tensor> {
    let time = s.dim(candle_core::D::Minus1)?;
    s.contiguous()?.apply_op1(CausalSoftmax { time, scale })
}

struct CausalSoftmax {
    time: usize,
    scale: f32,
}

impl CustomOp1 for CausalSoftmax {
    fn name(&self) -> &'static str {
        "causal_softmax"
    }

    fn cpu_fwd(&self, s: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let s = floats(s, layout, self.name())?;
        let mut p = vec![0.0; s.len()];
        rows::causal_softmax(s, self.time, self.scale, &mut p);
        done(p, layout.shape())
    }

    fn bwd(&self, _: &Tensor, p: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        let backward = CausalSoftmaxGrad { time: self.time, scale: self.scale };
        Ok(Some(p.apply_op2_no_bwd(&g.contiguous()?, &backward)?))
    }
}

struct CausalSoftmaxGrad {
    time: usize,
    scale: f32,
}

impl CustomOp2 for CausalSoftmaxGrad {
    fn name(&self) -> &'static str {
        "causal_softmax_grad"
    }

    fn cpu_fwd(
        &self,
        p: &CpuStorage,
        p_layout: &Layout,
        g: &CpuStorage,
        g_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (p, g) = (floats(p, p_layout, self.name())?, floats(g, g_layout, self.name())?);
        let mut ds = vec![0.0; p.len()];
        rows::causal_softmax_grad(p, g, self.time, self.scale, &mut ds);
        done(ds, p_layout.shape())
    }
}

// --- Gated feed-forward --------------------------------------------------------------------------

/// silu(a) * b, element by element.
pub fn swiglu(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    a.contiguous()?.apply_op2(&b.contiguous()?, SwiGlu)
}

struct SwiGlu;

impl CustomOp2 for SwiGlu {
    fn name(&self) -> &'static str {
        "swiglu"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (a, b) = (floats(a, a_layout, self.name())?, floats(b, b_layout, self.name())?);
        let mut y = vec![0.0; a.len()];
        rows::swiglu(a, b, &mut y);
        done(y, a_layout.shape())
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        _: &Tensor,
        g: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let g = g.contiguous()?;
        let da = a.apply_op3_no_bwd(b, &g, &SwiGluGradA)?;
        // d(silu(a) b)/db is silu(a): the forward loop with the gradient in place of b.
        let db = a.apply_op2_no_bwd(&g, &SwiGlu)?;
        Ok((Some(da), Some(db)))
    }
}

struct SwiGluGradA;

impl CustomOp3 for SwiGluGradA {
    fn name(&self) -> &'static str {
        "swiglu_grad_a"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
        g: &CpuStorage,
        g_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (a, b) = (floats(a, a_layout, self.name())?, floats(b, b_layout, self.name())?);
        let mut da = vec![0.0; a.len()];
        rows::swiglu_grad_a(a, b, floats(g, g_layout, self.name())?, &mut da);
        done(da, a_layout.shape())
    }
}

// --- Cross-entropy -------------------------------------------------------------------------------

/// A target that takes no part in the loss.
pub const IGNORED: u32 = u32::MAX;

/// Mean over the targets that are not [`IGNORED`] of -log softmax(x)[target]; x is (N, V), in nats.
pub fn cross_entropy(x: &Tensor, targets: &[u32]) -> Result<Tensor> {
    x.contiguous()?.apply_op1(CrossEntropy { targets: targets.into() })
}

struct CrossEntropy {
    targets: Arc<[u32]>,
}

impl CrossEntropy {
    fn count(&self) -> usize {
        self.targets.iter().filter(|target| **target != IGNORED).count()
    }

    /// The rows that count, with their targets.
    fn check(&self, layout: &Layout) -> Result<usize> {
        let (n, v) = layout.shape().dims2()?;
        let fits = |target: &u32| *target == IGNORED || (*target as usize) < v;
        if n != self.targets.len() || !self.targets.iter().all(fits) {
            bail!("cross_entropy: {} targets for logits ({n}, {v}), or one beyond V", self.targets.len());
        }
        Ok(v)
    }
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let v = self.check(layout)?;
        let rows = floats(x, layout, self.name())?.chunks_exact(v).zip(self.targets.iter());
        let sum: f64 = rows
            .filter(|(_, target)| **target != IGNORED)
            .map(|(row, target)| f64::from(rows::log_sum_exp(row) - row[*target as usize]))
            .sum();
        done(vec![(sum / self.count().max(1) as f64) as f32], ())
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        let scale = g.to_scalar::<f32>()? / self.count().max(1) as f32;
        let backward = CrossEntropyGrad { targets: self.targets.clone(), scale };
        Ok(Some(x.apply_op1_no_bwd(&backward)?))
    }
}

struct CrossEntropyGrad {
    targets: Arc<[u32]>,
    scale: f32,
}

impl CustomOp1 for CrossEntropyGrad {
    fn name(&self) -> &'static str {
        "cross_entropy_grad"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, v) = layout.shape().dims2()?;
        let x = floats(x, layout, self.name())?;
        let mut dx = vec![0.0; x.len()];
        let pairs = x.chunks_exact(v).zip(dx.chunks_exact_mut(v)).zip(self.targets.iter());
        for ((x, dx), target) in pairs.filter(|(_, target)| **target != IGNORED) {
            rows::cross_entropy_grad(x, *target as usize, self.scale, dx);
        }
        done(dx, layout.shape())
    }
}
