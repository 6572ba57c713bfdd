//! The backward pass as dispatches. `dx`, the gradient of the residual stream, is one buffer that every
//! block adds to; weight gradients are recorded for full tuning, A's and B's for LoRA, never both.

use super::activations::{Activations, Adapted, Layer};
use super::form::{Form, Shape};
use super::net::Net;
use crate::error::Result;
use crate::gpu::{Memory, PlanBuilder, Slice};
use crate::kernels::{EmbeddingBackward, Fill, Layout as Product, Matmul, SwiGlu};
use crate::model::layout::Stack;

/// Gradient buffers that the layers take in turn. Some share memory with what is not needed at the same time.
pub struct Gradients<B = Slice> {
    /// Of the residual stream, (N,C). [`Activations::spare`]: nothing reads that.
    dx: B,
    /// Of a normed input, (N,C). [`Activations::normed`], of which the head has taken a copy by then.
    pub dnormed: B,
    /// In the place of `dgate_up`.
    dqkv: B,
    /// In the place of `dhidden`.
    dattention: B,
    /// Row sums of `dout * out`, (N,H).
    delta: B,
    dgate_up: B,
    dhidden: B,
    /// Of `x Aᵀ`; wide enough for any stack.
    dxa: B,
    /// DoRA: of the output before it is scaled; wide enough for any stack.
    dunscaled: B,
}

impl<B: Clone> Gradients<B> {
    /// # Errors
    /// When a buffer is larger than the adapter allows.
    pub fn new<M: Memory<Buffer = B>>(
        memory: &M,
        form: Form,
        shape: Shape,
        acts: &Activations<B>,
    ) -> Result<Self> {
        let c = form.config;
        let buffer = |label: &'static str, width: usize| memory.buffer(label, shape.tokens() * width);
        let dora = form.adapter.is_some_and(|(lora, _)| lora.dora);
        let widest = Stack::ALL.map(|stack| stack.outputs(c)).into_iter().max().unwrap_or(0);
        let dgate_up = buffer("dgate_up", Stack::GateUp.outputs(c).max(Stack::Qkv.outputs(c)))?;
        let dhidden = buffer("dhidden", Stack::Down.inputs(c).max(Stack::Output.inputs(c)))?;
        Ok(Self {
            dx: acts.spare.clone(),
            dnormed: acts.normed.clone(),
            dqkv: dgate_up.clone(),
            dattention: dhidden.clone(),
            delta: buffer("delta", c.num_attention_heads)?,
            dgate_up,
            dhidden,
            dxa: buffer("dxa", 3 * form.rank())?,
            dunscaled: buffer("dunscaled", if dora { widest } else { 0 })?,
        })
    }
}

/// Positions of each distinct token of the batch, for the embedding's gradient.
pub struct TokenIndex<B = Slice> {
    pub order: B,
    pub starts: B,
    pub ids: B,
}

impl<B: Clone> TokenIndex<B> {
    /// For `n` positions.
    ///
    /// # Errors
    /// When a buffer is larger than the adapter allows.
    pub fn new<M: Memory<Buffer = B>>(memory: &M, n: usize) -> Result<Self> {
        let (order, starts) = (memory.buffer("order", n)?, memory.buffer("starts", n + 1)?);
        Ok(Self { order, starts, ids: memory.buffer("ids", n)? })
    }
}

/// What a backward pass reads and writes.
pub struct Backward<'a> {
    pub net: &'a Net<'a>,
    pub shape: Shape,
    pub acts: &'a Activations,
    pub grads: &'a Gradients,
    /// The arena of gradients, laid out as the trained parameters are.
    pub out: &'a Slice,
    pub index: &'a TokenIndex,
    pub position: &'a Slice,
}

impl Backward<'_> {
    /// From the gradient of the head's input, which lies in `grads.dnormed`, to every trained parameter; the
    /// head's own gradient is already there.
    pub fn record(&self, plan: &mut PlanBuilder) {
        let c = self.net.config;
        let layout = self.net.layout;
        let (n, width) = (self.shape.tokens() as u32, c.hidden_size as u32);
        let g = self.grads;
        let full = self.net.adapter.is_none();
        self.norm(plan, &layout.norm, &self.acts.x, &self.acts.rstd, false);
        let last = c.num_hidden_layers - 1;
        for i in (0..=last).rev() {
            // The last layer's are still there.
            if self.net.storage.checkpoint && i < last {
                self.net.recompute(plan, self.shape, self.acts, i, self.position);
            }
            self.layer(plan, i);
        }
        if full {
            let dtable = self.out.sub(layout.embedding.start, layout.embedding.len());
            if layout.embedding != layout.head {
                Fill { len: layout.embedding.len() as u32 }.record(plan, &dtable);
            }
            let embedding = EmbeddingBackward { rows: n, width };
            let index = self.index;
            embedding.backward(plan, &index.order, &index.starts, &index.ids, &g.dx, &dtable);
        }
    }

    fn layer(&self, plan: &mut PlanBuilder, i: usize) {
        let (c, g) = (self.net.config, self.grads);
        let n = self.shape.tokens();
        let l: &Layer = &self.acts.layers[i];
        self.linear(plan, i, Stack::Down, &l.hidden, &l.adapted[3], &g.dx, Some(&g.dhidden));
        let swiglu = SwiGlu { rows: n as u32, width: c.intermediate_size as u32 };
        swiglu.backward(plan, &l.gate_up, &g.dhidden, &g.dgate_up);
        self.linear(plan, i, Stack::GateUp, &l.normed2, &l.adapted[2], &g.dgate_up, Some(&g.dnormed));
        let norms = &self.net.layout.layers[i].norms;
        self.norm(plan, &norms[1], &l.mid, &l.rstd2, true);

        self.linear(plan, i, Stack::Output, &l.attention, &l.adapted[1], &g.dx, Some(&g.dattention));
        let attention = self.net.attention(self.shape);
        attention.backward_q(plan, &l.qkv, &l.attention, &g.dattention, &l.lse, &g.dqkv, &g.delta);
        // This layer's gate and up are no longer needed.
        attention.backward_kv(plan, &l.qkv, &g.dattention, &l.lse, &g.delta, &g.dqkv, &l.gate_up);
        self.net.rope(self.shape, true).record(plan, self.net.rope, self.position, &g.dqkv);
        // Below the first layer there is nothing that LoRA trains.
        let last = i == 0 && self.net.adapter.is_some();
        self.linear(plan, i, Stack::Qkv, &l.normed1, &l.adapted[0], &g.dqkv, (!last).then_some(&g.dnormed));
        if !last {
            self.norm(plan, &norms[0], &l.x, &l.rstd1, true);
        }
    }

    /// dx from dnormed, and the norm's own gradient.
    fn norm(
        &self,
        plan: &mut PlanBuilder,
        block: &std::ops::Range<usize>,
        x: &Slice,
        rstd: &Slice,
        accumulate: bool,
    ) {
        let g = self.grads;
        let norm = self.net.norm(self.shape.tokens());
        norm.backward(plan, &g.dnormed, x, &self.net.weight(block), rstd, &g.dx, accumulate);
        if self.net.adapter.is_none() {
            norm.backward_weight(plan, &g.dnormed, x, rstd, &self.out.sub(block.start, block.len()));
        }
    }

    /// Gradients of one stack from `dy` (N,out): its input's (`dinput`), and its weights' or adapter's.
    fn linear(
        &self,
        plan: &mut PlanBuilder,
        layer: usize,
        stack: Stack,
        input: &Slice,
        left: &Adapted,
        dy: &Slice,
        dinput: Option<&Slice>,
    ) {
        let c = self.net.config;
        let block = &self.net.layout.layers[layer].stacks[stack as usize];
        let w = self.net.weight(block);
        let n = self.shape.tokens() as u32;
        let (width_in, width_out) = (stack.inputs(c) as u32, stack.outputs(c) as u32);
        let to_input = self.net.matmul(Product::Nn, n as usize, stack.inputs(c), stack.outputs(c));
        let Some(lora) = self.net.adapter(layer, stack) else {
            if let Some(dinput) = dinput {
                to_input.record(plan, dy, &w, dinput);
            }
            if self.net.adapter.is_none() {
                let dw = self.out.sub(block.start, block.len());
                Matmul::new(Product::Tn, width_out, width_in, n).record(plan, dy, input, &dw);
            }
            return;
        };
        let dxa = &self.grads.dxa.sub(0, (n * lora.groups.rank * lora.groups.groups) as usize);
        let (a, b) = (&lora.blocks.a, &lora.blocks.b);
        let (da, db) = (self.out.sub(a.start, a.len()), self.out.sub(b.start, b.len()));
        let mut dy = dy;
        if let Some(dora) = &lora.dora {
            let op = self.net.dora(&lora, dora, stack, n as usize);
            let block = &lora.blocks.magnitude;
            let dmagnitude = self.out.sub(block.start, block.len());
            op.backward_magnitude(plan, dy, &left.unscaled, &dora.norm, &dmagnitude);
            op.scale(plan, dy, &dora.magnitude, &dora.norm, &self.grads.dunscaled, false);
            dy = &self.grads.dunscaled;
        }
        lora.groups.backward_output(plan, n, width_out, dy, &lora.b, &left.xa, dxa, &db);
        lora.groups.backward_a(plan, n, width_in, dxa, input, &da);
        if let Some(dinput) = dinput {
            lora.groups.backward_input(plan, to_input, dy, &w, dxa, &lora.a, dinput);
        }
    }
}
