//! Buffers between the kernels of one plan.

use super::form::{Form, Shape};
use crate::error::Result;
use crate::gpu::{Memory, Slice};
use crate::model::layout::Stack;

/// What an adapter computes beside its stack's output; without one, nothing.
#[derive(Clone)]
pub struct Adapted<B = Slice> {
    /// `x Aᵀ`, (N, members*r).
    pub xa: B,
    /// DoRA's output before its rows are scaled, (N,out).
    pub unscaled: B,
}

/// What one layer computes. Training keeps a set for each layer, because the backward pass reads them;
/// inference has one that all layers share. With checkpoints (Chen et al., arXiv 1604.06174) training shares one
/// too, except that each layer has its own `x`, from which the backward pass computes the rest again.
#[derive(Clone)]
pub struct Layer<B = Slice> {
    /// Residual stream into the layer, (N,C).
    pub x: B,
    pub rstd1: B,
    pub normed1: B,
    /// What the adapter of each stack leaves for the backward pass.
    pub adapted: [Adapted<B>; 4],
    pub qkv: B,
    pub attention: B,
    /// Log-sum-exp of the attention scores, (N,H).
    pub lse: B,
    /// Residual stream between attention and MLP, (N,C).
    pub mid: B,
    pub rstd2: B,
    pub normed2: B,
    /// (N,2F), and large enough to be attention's spare when the backward pass is done with it.
    pub gate_up: B,
    /// (N,F).
    pub hidden: B,
}

pub struct Activations<B = Slice> {
    pub layers: Vec<Layer<B>>,
    /// Residual stream after the last layer.
    pub x: B,
    pub rstd: B,
    pub normed: B,
    /// Where the last norm, which no block follows, leaves its copy of x: memory that is free just then.
    pub spare: B,
}

impl<B: Clone> Activations<B> {
    /// # Errors
    /// When a buffer is larger than the adapter allows.
    pub fn new<M: Memory<Buffer = B>>(memory: &M, form: Form, shape: Shape, training: bool) -> Result<Self> {
        let c = form.config;
        let n = shape.tokens();
        let buffer = |label: &'static str, width: usize| memory.buffer(label, n * width);
        let layer = |i: usize| -> Result<Layer<B>> {
            let adapted = |stack: Stack| -> Result<Adapted<B>> {
                let unscaled = if form.is_dora(i, stack) { stack.outputs(c) } else { 0 };
                let xa = buffer("xa", form.adapter_width(i, stack))?;
                Ok(Adapted { xa, unscaled: buffer("unscaled", unscaled)? })
            };
            Ok(Layer {
                x: buffer("x", c.hidden_size)?,
                rstd1: buffer("rstd1", 1)?,
                normed1: buffer("normed1", c.hidden_size)?,
                adapted: [
                    adapted(Stack::Qkv)?,
                    adapted(Stack::Output)?,
                    adapted(Stack::GateUp)?,
                    adapted(Stack::Down)?,
                ],
                qkv: buffer("qkv", Stack::Qkv.outputs(c))?,
                attention: buffer("attention", Stack::Output.inputs(c))?,
                lse: buffer("lse", c.num_attention_heads)?,
                mid: buffer("mid", c.hidden_size)?,
                rstd2: buffer("rstd2", 1)?,
                normed2: buffer("normed2", c.hidden_size)?,
                gate_up: buffer("gate_up", 2 * c.intermediate_size.max(Stack::Output.inputs(c)))?,
                hidden: buffer("hidden", c.intermediate_size)?,
            })
        };
        let mut layers = match training && !form.storage.checkpoint {
            true => (0..c.num_hidden_layers).map(layer).collect::<Result<_>>()?,
            false => vec![layer(0)?; c.num_hidden_layers],
        };
        if training && form.storage.checkpoint {
            for layer in layers.iter_mut().skip(1) {
                layer.x = buffer("x", c.hidden_size)?;
            }
        }
        let (rstd, normed) = (buffer("rstd", 1)?, buffer("normed", c.hidden_size)?);
        // In inference the stream after the last layer may overwrite the one into it.
        let (x, spare) = match training {
            true => (buffer("x", c.hidden_size)?, buffer("dx", c.hidden_size)?),
            false => (layers[0].x.clone(), layers[0].mid.clone()),
        };
        Ok(Self { layers, x, rstd, normed, spare })
    }
}
