//! Fused differentiable operations for candle's CPU backend.
//!
//! Composed of candle's own operations, each of these would write five to ten intermediate tensors;
//! candle's own fused versions pass no gradient. All take contiguous f32 tensors.

mod causal_softmax;
#[cfg(test)]
mod check;
mod cross_entropy;
mod heads;
mod kl;
mod linear;
mod rms_norm;
mod swiglu;

use candle_core::{CpuStorage, Layout, Result, Shape, bail};

pub use causal_softmax::causal_softmax;
pub use cross_entropy::{IGNORED, cross_entropy};
pub use heads::{Heads, Rotary};
pub use kl::kl;
pub use linear::{adapted_linear, linear};
pub use rms_norm::rms_norm;
pub use swiglu::swiglu;

/// The floats of a contiguous f32 tensor.
fn floats<'a>(storage: &'a CpuStorage, layout: &Layout, op: &str) -> Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else { bail!("{op}: not contiguous") };
    Ok(&storage.as_slice::<f32>()?[start..end])
}

fn done(values: Vec<f32>, shape: impl Into<Shape>) -> Result<(CpuStorage, Shape)> {
    Ok((CpuStorage::F32(values), shape.into()))
}
