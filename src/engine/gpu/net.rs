//! The forward pass as dispatches: one decoder-only Llama, with or without a LoRA adapter, over whole
//! sequences or one position at a time with a key/value cache.

use std::ops::Range;

use super::activations::{Activations, Adapted, Layer};
use super::adapter::{GpuAdapter, StackAdapter, StackDora};
use super::form::{Form, Shape};
use crate::engine::Storage;
use crate::gpu::{Gpu, PlanBuilder, Slice};
use crate::kernels::{
    Attention, Dora, Embedding, KvAppend, Layout as Product, Matmul, RmsNorm, Rope, SwiGlu, SwiGluLora,
};
use crate::model::config::LlamaConfig;
use crate::model::layout::{Layout, Stack};

/// Key/value caches by layer, each (B, kv_time, 2*KV*D), and the position to read and write.
pub struct Cache {
    pub layers: Vec<Slice>,
    pub time: usize,
}

/// The weights to run with; borrowed while a plan is recorded.
pub struct Net<'a> {
    pub config: &'a LlamaConfig,
    pub layout: &'a Layout,
    pub weights: &'a Slice,
    pub adapter: Option<&'a GpuAdapter>,
    /// (T_max, D/2, 2): cosines and sines.
    pub rope: &'a Slice,
    /// Whether the matrices among the weights are f16.
    pub packed: bool,
    pub storage: Storage,
}

impl Net<'_> {
    pub fn form(&self) -> Form<'_> {
        let adapter = self.adapter.map(|a| (&a.lora, &a.layout));
        Form { config: self.config, adapter, storage: self.storage, to_base: false }
    }

    pub fn weight(&self, block: &Range<usize>) -> Slice {
        let words = if self.packed { self.layout.packed(block) } else { block.clone() };
        self.weights.sub(words.start, words.len())
    }

    /// A product whose b is one of the weights.
    pub fn matmul(&self, layout: Product, m: usize, n: usize, k: usize) -> Matmul {
        Matmul::new(layout, m as u32, n as u32, k as u32).packed(self.packed)
    }

    pub fn norm(&self, rows: usize) -> RmsNorm {
        RmsNorm {
            rows: rows as u32,
            width: self.config.hidden_size as u32,
            eps: self.config.rms_norm_eps as f32,
        }
    }

    pub fn adapter(&self, layer: usize, stack: Stack) -> Option<StackAdapter> {
        self.adapter?.stack(self.config, layer, stack)
    }

    /// The DoRA kernels of a stack for `rows` rows.
    pub fn dora(&self, lora: &StackAdapter, dora: &StackDora, stack: Stack, rows: usize) -> Dora {
        let (n, k) = (stack.outputs(self.config), stack.inputs(self.config));
        Dora::new(lora.groups, dora.adapted, rows as u32, n as u32, k as u32)
    }

    /// Every stack that DoRA adapts.
    fn dora_stacks(&self) -> impl Iterator<Item = (usize, Stack, StackAdapter)> {
        let all = (0..self.config.num_hidden_layers).flat_map(|i| Stack::ALL.map(|stack| (i, stack)));
        let adapters = all.filter_map(|(i, stack)| Some((i, stack, self.adapter(i, stack)?)));
        adapters.filter(|(_, _, lora)| lora.dora.is_some())
    }

    /// Brings DoRA's row norms up to date with the adapter; a plan that runs the model begins with it.
    pub fn measure_rows(&self, plan: &mut PlanBuilder) {
        for (layer, stack, lora) in self.dora_stacks() {
            let Some(dora) = &lora.dora else { continue };
            let w = self.weight(&self.layout.layers[layer].stacks[stack as usize]);
            self.dora(&lora, dora, stack, 0).norm(plan, &w, self.packed, &lora.a, &lora.b, &dora.norm);
        }
    }

    /// Makes the magnitudes the row norms, as they are where B is zero.
    pub fn set_magnitudes(&self, gpu: &Gpu) {
        let mut plan = PlanBuilder::new(gpu);
        self.measure_rows(&mut plan);
        plan.finish("row norms").submit(gpu);
        for dora in self.dora_stacks().filter_map(|(_, _, lora)| lora.dora) {
            gpu.copy_into(&dora.norm, &dora.magnitude);
        }
    }

    pub fn rope(&self, shape: Shape, backward: bool) -> Rope {
        let c = self.config;
        Rope {
            batch: shape.rows as u32,
            time: shape.time as u32,
            heads: c.num_attention_heads as u32,
            kv_heads: c.num_key_value_heads as u32,
            head_dim: c.head_dim as u32,
            stride: Stack::Qkv.outputs(c) as u32,
            backward: u32::from(backward),
        }
    }

    /// Attention of whole sequences: q, k and v from one (N, (H+2KV)D) buffer.
    pub fn attention(&self, shape: Shape) -> Attention {
        let c = self.config;
        let (heads, kv_heads, d) = (c.num_attention_heads, c.num_key_value_heads, c.head_dim);
        let stride = (heads + 2 * kv_heads) * d;
        Attention {
            batch: shape.rows as u32,
            time: shape.time as u32,
            heads: heads as u32,
            kv_heads: kv_heads as u32,
            head_dim: d as u32,
            q_stride: stride as u32,
            kv_stride: stride as u32,
            k_offset: (heads * d) as u32,
            v_offset: ((heads + kv_heads) * d) as u32,
            kv_time: shape.time as u32,
            scale: 1.0 / (d as f32).sqrt(),
        }
    }

    /// `out = x Wᵀ`, plus the adapter's part; on top of what `out` holds if `accumulate`.
    fn linear(&self, plan: &mut PlanBuilder, at: Linear, x: &Slice, left: &Adapted, out: &Slice) {
        let lora = self.adapter(at.layer, at.stack);
        self.adapt(plan, at, lora.as_ref(), x, left);
        let (w, mut product) = self.product(at);
        product.accumulate = at.accumulate;
        match &lora {
            None => product.record(plan, x, &w, out),
            Some(lora) => match &lora.dora {
                None => lora.groups.forward(plan, product, x, &w, &left.xa, &lora.b, out),
                Some(dora) => self.dora(lora, dora, at.stack, at.rows).scale(
                    plan,
                    &left.unscaled,
                    &dora.magnitude,
                    &dora.norm,
                    out,
                    at.accumulate,
                ),
            },
        }
    }

    /// What the adapter of a linear leaves: all that the backward pass needs of the linear but its input.
    fn adapt(
        &self,
        plan: &mut PlanBuilder,
        at: Linear,
        lora: Option<&StackAdapter>,
        x: &Slice,
        left: &Adapted,
    ) {
        let Some(lora) = lora else { return };
        let (w, product) = self.product(at);
        if !at.has_xa {
            lora.groups.down(plan, product.m, product.k, x, &lora.a, &left.xa);
        }
        if lora.dora.is_some() {
            lora.groups.forward(plan, product, x, &w, &left.xa, &lora.b, &left.unscaled);
        }
    }

    /// A linear's weight and its product with the input.
    fn product(&self, at: Linear) -> (Slice, Matmul) {
        let (width_in, width_out) = (at.stack.inputs(self.config), at.stack.outputs(self.config));
        let w = self.weight(&self.layout.layers[at.layer].stacks[at.stack as usize]);
        (w, self.matmul(Product::Nt, at.rows, width_out, width_in))
    }

    /// Tokens (N) to what the head reads, `acts.normed` (N,C). `position` holds the first row's position, 0 for whole sequences.
    pub fn forward(
        &self,
        plan: &mut PlanBuilder,
        shape: Shape,
        acts: &Activations,
        tokens: &Slice,
        position: &Slice,
        cache: Option<&Cache>,
    ) {
        self.embed(plan, shape, tokens, &acts.layers[0].x);
        self.layers(plan, shape, acts, position, cache);
    }

    /// Tokens (N) to their embeddings x (N,C).
    pub fn embed(&self, plan: &mut PlanBuilder, shape: Shape, tokens: &Slice, x: &Slice) {
        let (rows, width) = (shape.tokens() as u32, self.config.hidden_size as u32);
        let embedding = Embedding { rows, width, vocab: self.config.vocab_size as u32 };
        let table = self.weight(&self.layout.embedding);
        embedding.forward_from(plan, tokens, &table, self.packed, x);
    }

    /// [`Self::forward`] after the embeddings.
    pub fn layers(
        &self,
        plan: &mut PlanBuilder,
        shape: Shape,
        acts: &Activations,
        position: &Slice,
        cache: Option<&Cache>,
    ) {
        let n = shape.tokens();
        for (i, layer) in acts.layers.iter().enumerate() {
            self.attention_block(plan, i, shape, layer, position, cache);
            let next = acts.layers.get(i + 1).map_or(&acts.x, |l| &l.x);
            self.mlp_block(plan, i, n, layer, next);
        }
        self.norm(n).forward(
            plan,
            &acts.x,
            &self.weight(&self.layout.norm),
            &acts.normed,
            &acts.rstd,
            &acts.spare,
        );
    }

    /// Computes again what the backward pass reads of a layer, from its input alone: everything but its output,
    /// whose place, free by now, takes the residual.
    pub fn recompute(
        &self,
        plan: &mut PlanBuilder,
        shape: Shape,
        acts: &Activations,
        i: usize,
        position: &Slice,
    ) {
        let layer = &acts.layers[i];
        self.attention_block(plan, i, shape, layer, position, None);
        let at = self.mlp_inside(plan, i, shape.tokens(), layer, &acts.layers[i + 1].x);
        self.adapt(plan, at, self.adapter(i, at.stack).as_ref(), &layer.hidden, &layer.adapted[3]);
    }

    /// All logits (N,V) of `normed` (N,C).
    pub fn logits(&self, plan: &mut PlanBuilder, normed: &Slice, logits: &Slice) {
        let (width, vocab) = (self.config.hidden_size, self.config.vocab_size);
        let product = self.matmul(Product::Nt, logits.words() / vocab, vocab, width);
        product.record(plan, normed, &self.weight(&self.layout.head), logits);
    }

    fn attention_block(
        &self,
        plan: &mut PlanBuilder,
        i: usize,
        shape: Shape,
        l: &Layer,
        position: &Slice,
        cache: Option<&Cache>,
    ) {
        let c = self.config;
        let rows = shape.tokens();
        let norm = self.weight(&self.layout.layers[i].norms[0]);
        self.norm(rows).forward(plan, &l.x, &norm, &l.normed1, &l.rstd1, &l.mid);
        let at = Linear { layer: i, stack: Stack::Qkv, rows, accumulate: false, has_xa: false };
        self.linear(plan, at, &l.normed1, &l.adapted[0], &l.qkv);
        self.rope(shape, false).record(plan, self.rope, position, &l.qkv);
        let attention = self.attention(shape);
        match cache {
            None => attention.forward(plan, &l.qkv, &l.qkv, position, &l.attention, &l.lse),
            Some(cache) => {
                let kv_width = (c.num_key_value_heads * c.head_dim) as u32;
                let append = KvAppend {
                    batch: shape.rows as u32,
                    heads_width: attention.k_offset,
                    kv_width,
                    kv_time: cache.time as u32,
                };
                append.record(plan, &l.qkv, position, &cache.layers[i]);
                let cached = Attention {
                    kv_stride: 2 * kv_width,
                    k_offset: 0,
                    v_offset: kv_width,
                    kv_time: cache.time as u32,
                    ..attention
                };
                cached.forward(plan, &l.qkv, &cache.layers[i], position, &l.attention, &l.lse);
            }
        }
        // `mid` already holds the residual.
        let at = Linear { layer: i, stack: Stack::Output, rows, accumulate: true, has_xa: false };
        self.linear(plan, at, &l.attention, &l.adapted[1], &l.mid);
    }

    fn mlp_block(&self, plan: &mut PlanBuilder, i: usize, rows: usize, l: &Layer, next: &Slice) {
        let at = self.mlp_inside(plan, i, rows, l, next);
        self.linear(plan, at, &l.hidden, &l.adapted[3], next);
    }

    /// The MLP up to its last product, which is returned; the residual into `next`.
    fn mlp_inside(&self, plan: &mut PlanBuilder, i: usize, rows: usize, l: &Layer, next: &Slice) -> Linear {
        let norm = self.weight(&self.layout.layers[i].norms[1]);
        self.norm(rows).forward(plan, &l.mid, &norm, &l.normed2, &l.rstd2, next);
        let at = Linear { layer: i, stack: Stack::GateUp, rows, accumulate: false, has_xa: false };
        self.linear(plan, at, &l.normed2, &l.adapted[2], &l.gate_up);
        let swiglu = SwiGlu { rows: rows as u32, width: self.config.intermediate_size as u32 };
        let small = |lora: &StackAdapter| lora.groups.rank <= SwiGluLora::MOST;
        let adapter = self.adapter(i, Stack::Down).filter(small);
        match &adapter {
            None => swiglu.forward(plan, &l.gate_up, &l.hidden),
            Some(lora) => {
                let (rank, xa) = (lora.groups.rank, &l.adapted[3].xa);
                swiglu.forward_lora(plan, rank, &l.gate_up, &lora.a, &l.hidden, xa);
            }
        }
        Linear { layer: i, stack: Stack::Down, rows, accumulate: true, has_xa: adapter.is_some() }
    }
}

/// Which product of the network.
#[derive(Clone, Copy)]
struct Linear {
    layer: usize,
    stack: Stack,
    rows: usize,
    accumulate: bool,
    /// Whether the adapter's `x Aᵀ` is computed already.
    has_xa: bool,
}
