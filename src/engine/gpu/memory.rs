//! What training an arm takes of the GPU's memory, known before anything is allocated: the constructors of all
//! buffers run over a [`Count`].

use super::GpuWeights;
use super::activations::Activations;
use super::adapter::GpuAdapter;
use super::backward::Gradients;
use super::form::{Form, Shape};
use super::train::{Pass, State, heads};
use crate::engine::{Storage, Tuning};
use crate::error::{Error, Result};
use crate::gpu::{Count, HEAD_BYTES};
use crate::model::config::LlamaConfig;
use crate::model::layout::{AdapterLayout, Layout, Stack};
use crate::model::weights::Precision;

/// What [`MemoryPlan::largest_binding`] calls the largest block of weights.
const MATRIX: &str = "a matrix of the weights";

/// Bytes of storage buffers by what they are for, from loading the base to the arm's first step. Measuring and
/// generating need more while they are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryPlan {
    /// The base's weights, which stay, and what the arm trains: its adapter, or its copy of the weights.
    pub weights: u64,
    /// Of what is trained; with several micro-batches also their sum.
    pub gradients: u64,
    /// AdamW's two.
    pub moments: u64,
    /// Of the forward pass and their gradients.
    pub activations: u64,
    /// Logits of the tokens that count, a part of the vocabulary at a time, and what belongs to them.
    pub head: u64,
    /// Tables, batches and metrics.
    pub other: u64,
    /// Name and bytes.
    pub largest_buffer: (&'static str, u64),
    /// Name and bytes of the largest piece of a buffer that a kernel sees at once. Frozen weights are bound
    /// matrix by matrix.
    pub largest_binding: (&'static str, u64),
    pub total: u64,
}

impl MemoryPlan {
    /// For steps over `accumulate` micro-batches of (rows, time) tokens.
    ///
    /// # Errors
    /// None: counting allocates nothing.
    pub(super) fn new(
        form: Form,
        layout: &Layout,
        shape: Shape,
        several: bool,
        head_bytes: u64,
    ) -> Result<Self> {
        let counted = |part: &dyn Fn(&Count) -> Result<()>| -> Result<Count> {
            let count = Count::new(head_bytes);
            part(&count).map(|()| count)
        };
        let c = form.config;
        let base = counted(&|m| GpuWeights::buffers(m, c, layout, form.storage.weights).map(drop))?;
        let trained = counted(&|m| match form.adapter {
            Some((lora, adapter)) => GpuAdapter::buffers(m, c, lora, adapter).map(drop),
            None => GpuWeights::trained_buffer(m, layout),
        })?;
        let words = form.adapter.map_or(layout.words, |(_, adapter)| adapter.words);
        let state = counted(&|m| State::new(m, words).map(drop))?;
        let sum = counted(&|m| if several { State::total(m, words) } else { Ok(()) })?;
        let pass = counted(&|m| Pass::new(m, form, shape, several).map(drop))?;
        let activations = counted(&|m| {
            let acts = Activations::new(m, form, shape, true)?;
            Gradients::new(m, form, shape, &acts).map(drop)
        })?;
        let head = counted(&|m| heads(m, form, shape).map(drop))?;
        let parts = [&base, &trained, &state, &sum, &pass];
        let largest = |parts: &[&Count]| {
            parts.iter().rev().map(|part| part.largest()).max_by_key(|(_, bytes)| *bytes).unwrap_or_default()
        };
        let packed = form.storage.weights == Precision::F16;
        let matrix = (MATRIX, if packed { 2 } else { 4 } * largest_matrix(c) as u64);
        let bound = largest(&parts[1..]);
        let rope = base.bytes() - base.bytes_of("weights");
        let total = parts.iter().map(|part| part.bytes()).sum();
        let gradients = state.bytes_of("gradients") + sum.bytes();
        let moments = state.bytes_of("first moments") + state.bytes_of("second moments");
        Ok(Self {
            weights: base.bytes_of("weights") + trained.bytes(),
            gradients,
            moments,
            activations: activations.bytes(),
            head: head.bytes(),
            other: rope
                + (state.bytes() + sum.bytes() - gradients - moments)
                + (pass.bytes() - activations.bytes() - head.bytes()),
            largest_buffer: largest(&parts),
            largest_binding: if matrix.1 > bound.1 { matrix } else { bound },
            total,
        })
    }

    /// # Errors
    /// [`Error::OutOfMemory`] when the adapter's limits do not allow the largest buffer or binding.
    pub fn check(&self, limits: &wgpu::Limits, is_full: bool) -> Result<()> {
        let largest = [
            (self.largest_buffer, limits.max_buffer_size),
            (self.largest_binding, limits.max_storage_buffer_binding_size),
        ];
        let Some(((name, needed), limit)) = largest.into_iter().find(|((_, bytes), limit)| bytes > limit)
        else {
            return Ok(());
        };
        let arenas = ["weights", "gradients", "gradients in all", "first moments", "second moments", MATRIX];
        let arena = arenas.contains(&name);
        let remedy = match (arena, is_full) {
            (true, true) => "Use LoRA instead of full tuning, or a smaller model",
            (true, false) => "Use a smaller model",
            (false, _) => "Use a smaller batch (and accumulate more of them) or shorter sequences",
        };
        Err(Error::OutOfMemory { buffer: name.into(), needed, limit, remedy: remedy.into() })
    }
}

/// Words of the largest block of weights that a product or the embedding binds.
fn largest_matrix(config: &LlamaConfig) -> usize {
    let stacks = Stack::ALL.map(|stack| stack.inputs(config) * stack.outputs(config));
    stacks.into_iter().max().unwrap_or(0).max(config.vocab_size * config.hidden_size)
}

/// What an arm takes on the GPU when its steps are over `accumulate` micro-batches of `rows` sequences of `time`
/// tokens, with the base's logits where `to_base`; nothing is allocated.
///
/// # Errors
/// None in practice: counting can't run out of memory.
pub fn plan_memory(
    config: &LlamaConfig,
    tuning: &Tuning,
    storage: Storage,
    rows: usize,
    time: usize,
    accumulate: usize,
    to_base: bool,
) -> Result<MemoryPlan> {
    let layout = Layout::new(config);
    let adapter = match tuning {
        Tuning::Lora { lora, .. } => Some((lora, AdapterLayout::new(config, lora))),
        Tuning::Full => None,
    };
    let adapter = adapter.as_ref().map(|(lora, layout)| (*lora, layout));
    let form = Form { config, adapter, storage, to_base };
    MemoryPlan::new(form, &layout, Shape { rows, time }, accumulate > 1, HEAD_BYTES)
}
