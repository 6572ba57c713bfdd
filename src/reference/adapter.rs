//! A linear layer and what LoRA or DoRA adds to it.

use candle_core::{Tensor, Var};

use super::ops;
use crate::error::Result;

/// A linear layer's low-rank addition: y += scale * (x A^T) B^T; with DoRA, y is then brought to the
/// trained lengths: y *= magnitude / ||W + scale * B A||, rows' norms, which count as constants.
#[derive(Clone)]
pub struct LinearAdapter {
    /// (R, in).
    pub a: Var,
    /// (out, R).
    pub b: Var,
    pub scale: f64,
    /// (out), DoRA's.
    pub magnitude: Option<Var>,
}

impl LinearAdapter {
    /// The weight (out, in) with the adapter merged into it.
    pub fn merge(&self, weight: &Tensor) -> Result<Tensor> {
        let (a, b) = (self.a.as_tensor().detach(), self.b.as_tensor().detach());
        let merged = (weight.detach() + (b.matmul(&a)? * self.scale)?)?;
        match &self.magnitude {
            None => Ok(merged),
            Some(magnitude) => {
                let factor = magnitude.as_tensor().detach().div(&row_norms(&merged)?)?;
                Ok(merged.broadcast_mul(&factor.unsqueeze(1)?)?)
            }
        }
    }
}

/// Euclidean lengths (out) of the rows of a weight (out, in).
pub fn row_norms(weight: &Tensor) -> Result<Tensor> {
    Ok(weight.sqr()?.sum(1)?.sqrt()?)
}

/// y = x W^T, and the adapter's part.
#[derive(Clone)]
pub(super) struct Linear {
    /// (out, in).
    pub(super) weight: Tensor,
    pub(super) adapter: Option<LinearAdapter>,
}

impl Linear {
    /// x (N, in) to (N, out).
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let Some(LinearAdapter { a, b, scale, magnitude }) = &self.adapter else {
            return Ok(ops::linear(x, &self.weight)?);
        };
        let y = ops::adapted_linear(x, &self.weight, a, b, *scale as f32)?;
        let Some(magnitude) = magnitude else {
            return Ok(y);
        };
        let (a, b) = (a.as_tensor().detach(), b.as_tensor().detach());
        let norms = row_norms(&(&self.weight + (b.matmul(&a)? * *scale)?)?)?;
        Ok(y.broadcast_mul(&magnitude.div(&norms)?)?)
    }
}
