//! Buffers between the kernels of one plan.

use super::net::{Net, Shape};
use crate::error::Result;
use crate::gpu::{Gpu, Slice};
use crate::model::layout::Stack;

/// What an adapter computes beside its stack's output; without one, nothing.
#[derive(Clone)]
pub struct Adapted {
    /// `x Aᵀ`, (N, members*r).
    pub xa: Slice,
    /// DoRA's output before its rows are scaled, (N,out).
    pub unscaled: Slice,
}

/// What one layer computes. Training keeps a set for each layer, because the backward pass reads them;
/// inference has one that all layers share.
#[derive(Clone)]
pub struct Layer {
    /// Residual stream into the layer, (N,C).
    pub x: Slice,
    pub rstd1: Slice,
    pub normed1: Slice,
    /// What the adapter of each stack leaves behind.
    pub adapted: [Adapted; 4],
    pub qkv: Slice,
    pub attention: Slice,
    /// Log-sum-exp of the attention scores, (N,H).
    pub lse: Slice,
    /// Residual stream between attention and MLP, (N,C).
    pub mid: Slice,
    pub rstd2: Slice,
    pub normed2: Slice,
    /// (N,2F).
    pub gate_up: Slice,
    /// (N,F).
    pub hidden: Slice,
}

pub struct Activations {
    pub layers: Vec<Layer>,
    /// Residual stream behind the last layer.
    pub x: Slice,
    pub rstd: Slice,
    pub normed: Slice,
    /// Where the last norm, which no block follows, leaves its copy of x.
    pub unused: Slice,
    /// (N,V); the training plan overwrites them with their gradient.
    pub logits: Slice,
}

impl Activations {
    pub fn new(gpu: &Gpu, net: &Net, shape: Shape, training: bool) -> Result<Self> {
        let c = net.config;
        let n = shape.tokens();
        let buffer = |label: &str, width: usize| gpu.buffer(label, n * width);
        let layer = |i: usize| -> Result<Layer> {
            let adapted = |stack: Stack| -> Result<Adapted> {
                let adapter = net.adapter(i, stack);
                let width = adapter.as_ref().map_or(0, |l| l.groups.rank * l.groups.groups);
                let dora = adapter.is_some_and(|l| l.dora.is_some());
                let unscaled = if dora { stack.outputs(c) } else { 0 };
                Ok(Adapted { xa: buffer("xa", width as usize)?, unscaled: buffer("unscaled", unscaled)? })
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
                gate_up: buffer("gate_up", 2 * c.intermediate_size)?,
                hidden: buffer("hidden", c.intermediate_size)?,
            })
        };
        let layers: Vec<Layer> = match training {
            true => (0..c.num_hidden_layers).map(layer).collect::<Result<_>>()?,
            false => vec![layer(0)?; c.num_hidden_layers],
        };
        // In inference the stream behind the last layer may overwrite the one into it.
        let x = if training { buffer("x", c.hidden_size)? } else { layers[0].x.clone() };
        Ok(Self {
            layers,
            x,
            rstd: buffer("rstd", 1)?,
            normed: buffer("normed", c.hidden_size)?,
            unused: buffer("unused", c.hidden_size)?,
            logits: buffer("logits", c.vocab_size)?,
        })
    }
}
