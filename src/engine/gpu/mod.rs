//! The engine on WebGPU: plans of dispatches over arenas of weights, gradients and moments.

mod activations;
mod backward;
mod decode;
mod form;
mod forward;
mod head;
mod memory;
mod net;
mod to_base;
mod train;

use std::collections::HashMap;
use std::rc::Rc;

use self::decode::Decoder;
use self::form::Shape;
pub(super) use self::form::lora_groups;
use self::forward::{Forward, ShiftPlan};
use self::head::{Counted, slots};
pub use self::memory::{MemoryPlan, plan_memory};
use self::net::{Adapter, Net};
use self::to_base::Base;
use self::train::Trainer;
use super::cpu::merge_adapter;
use super::{Sampling, StepMetrics, Storage, TOP_K, Tensors, TokenShift, Top, Tuning};
use crate::data::batch::Batch;
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Memory, Plan, PlanBuilder, Slice};
use crate::kernels::{IGNORED, TopK, UnpackF16, pack_f16, rope_table};
use crate::model::config::LlamaConfig;
use crate::model::layout::{AdapterLayout, Layout, Place};
use crate::model::lora::AdapterStart;
use crate::model::weights::{Array, Precision, Weights};
use crate::train::Optimizer;

/// Most sequences that are decoded side by side.
const DECODE_ROWS: usize = 64;

/// A Llama on the GPU: a base, or an arm that trains.
pub struct GpuModel {
    gpu: Rc<Gpu>,
    config: LlamaConfig,
    layout: Rc<Layout>,
    weights: Slice,
    /// Whether the matrices among these weights are f16: a base's and its adapters', not a full arm's.
    packed: bool,
    rope: Slice,
    /// Of the base's weights, and of this arm's activations.
    storage: Storage,
    adapter: Option<Adapter>,
    trainer: Option<Trainer>,
    forwards: HashMap<Shape, Forward>,
    /// By batch shape and number of slots.
    shifts: HashMap<(Shape, usize), ShiftPlan>,
    decoders: HashMap<Shape, Decoder>,
}

impl GpuModel {
    /// A base model from its tensors; for f16, within its range.
    ///
    /// # Errors
    /// When the model does not fit, or has rows of an odd length and should be f16.
    pub fn new(gpu: Rc<Gpu>, config: &LlamaConfig, weights: &Weights, precision: Precision) -> Result<Self> {
        let layout = Layout::new(config);
        if precision == Precision::F16 && config.hidden_size % 2 == 1 {
            // A part of the vocabulary could begin where no binding may.
            let feature =
                format!("weights as f16 with a hidden_size of {}, which is odd", config.hidden_size);
            return Err(Error::Unsupported { feature, remedy: "Hold the weights as f32".into() });
        }
        let values = layout.pack(weights)?;
        let (weights, rope) = Self::buffers(&*gpu, config, &layout, precision)?;
        match precision {
            Precision::F32 => gpu.write(&weights, &values),
            Precision::F16 => {
                let (matrices, norms) = values.split_at(layout.decayed);
                gpu.write(&weights, &pack_f16(matrices));
                gpu.write(&weights.sub(layout.decayed / 2, norms.len()), norms);
            }
        }
        gpu.write(&rope, &rope_table(config.max_position_embeddings, &config.inverse_frequencies()));
        Ok(Self {
            weights,
            packed: precision == Precision::F16,
            rope,
            storage: Storage { weights: precision, checkpoint: false },
            gpu,
            config: config.clone(),
            layout: Rc::new(layout),
            adapter: None,
            trainer: None,
            forwards: HashMap::new(),
            shifts: HashMap::new(),
            decoders: HashMap::new(),
        })
    }

    /// Weights and rotations of a base.
    fn buffers<M: Memory>(
        memory: &M,
        config: &LlamaConfig,
        layout: &Layout,
        precision: Precision,
    ) -> Result<(M::Buffer, M::Buffer)> {
        let rope = config.max_position_embeddings * config.inverse_frequencies().len() * 2;
        let words = match precision {
            Precision::F32 => layout.words,
            Precision::F16 => layout.packed_words(),
        };
        Ok((memory.buffer("weights", words)?, memory.buffer("rope", rope)?))
    }

    /// The weights of an arm that trains them all.
    fn trained_buffer<M: Memory>(memory: &M, layout: &Layout) -> Result<M::Buffer> {
        memory.buffer("weights", layout.words)
    }

    /// What this arm's steps take, or a base's that would be tuned in full.
    ///
    /// # Errors
    /// None in practice: nothing is allocated.
    pub fn memory_plan(&self, rows: usize, time: usize, accumulate: usize) -> Result<MemoryPlan> {
        let (net, head_bytes) = (self.net(), self.gpu.tuning().head_bytes);
        let form = self.trainer.as_ref().map_or(net.form(), |trainer| trainer.form(&net));
        MemoryPlan::new(form, &self.layout, Shape { rows, time }, accumulate > 1, head_bytes)
    }

    /// See [`super::Model::again`].
    pub fn again(&self) -> Self {
        Self {
            gpu: self.gpu.clone(),
            config: self.config.clone(),
            layout: self.layout.clone(),
            weights: self.weights.clone(),
            packed: self.packed,
            rope: self.rope.clone(),
            storage: self.storage,
            adapter: None,
            trainer: None,
            forwards: HashMap::new(),
            shifts: HashMap::new(),
            decoders: HashMap::new(),
        }
    }

    /// An arm that starts at this base.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] before anything is allocated, if even a single token would need too large a buffer.
    pub fn tune(&self, tuning: &Tuning, optimizer: Optimizer) -> Result<Self> {
        let gpu = &self.gpu;
        let is_full = matches!(tuning, Tuning::Full);
        let strength = optimizer.kl_to_base;
        let to_base = strength > 0.0;
        plan_memory(&self.config, tuning, self.storage, 1, 1, 1, to_base)?.check(&gpu.limits, is_full)?;
        let base = to_base.then(|| Base { weights: self.weights.clone(), packed: self.packed, strength });
        let (weights, adapter, trainer) = match tuning {
            Tuning::Full => {
                let weights = Self::trained_buffer(&**gpu, &self.layout)?;
                self.copy_weights(&weights);
                let start = if optimizer.pull > 0.0 { Some(self.unpacked()?) } else { None };
                let (words, decayed) = (self.layout.words, self.layout.decayed);
                let trainer = Trainer::new(gpu, optimizer, words, decayed, start, base)?;
                (weights, None, trainer)
            }
            Tuning::Lora { lora, start } => {
                let layout = AdapterLayout::new(&self.config, lora);
                let values = match start {
                    AdapterStart::Seed(seed) => layout.pack(&lora.initial(&self.config, *seed))?,
                    AdapterStart::Tensors(tensors) => layout.pack(tensors)?,
                };
                let trainer = Trainer::new(gpu, optimizer, layout.words, layout.words, None, base)?;
                let adapter = Adapter::new(gpu, &self.config, lora, layout, &values)?;
                (self.weights.clone(), Some(adapter), trainer)
            }
        };
        let packed = self.packed && !is_full;
        let model = Self { weights, packed, adapter, trainer: Some(trainer), ..self.again() };
        if matches!(tuning, Tuning::Lora { start: AdapterStart::Seed(_), .. }) {
            model.net().set_magnitudes(gpu);
        }
        Ok(model)
    }

    /// The weights in f32: their own arena, or a copy of a packed one.
    fn unpacked(&self) -> Result<Slice> {
        if !self.packed {
            return Ok(self.weights.clone());
        }
        let copy = Self::trained_buffer(&*self.gpu, &self.layout)?;
        self.copy_weights(&copy);
        Ok(copy)
    }

    /// Queues a copy of the weights into an arena of f32.
    fn copy_weights(&self, to: &Slice) {
        if !self.packed {
            return self.gpu.copy_into(&self.weights, to);
        }
        let (words, norms) = (self.layout.decayed / 2, self.layout.words - self.layout.decayed);
        let mut plan = PlanBuilder::new(&self.gpu);
        let (packed, matrices) = (self.weights.sub(0, words), to.sub(0, 2 * words));
        UnpackF16 { len: words as u32 }.record(&mut plan, &packed, &matrices);
        plan.finish("unpack").submit(&self.gpu);
        self.gpu.copy_into(&self.weights.sub(words, norms), &to.sub(2 * words, norms));
    }

    /// See [`super::Model::checkpointed`].
    pub fn checkpointed(mut self) -> Self {
        self.storage.checkpoint = true;
        self
    }

    fn net(&self) -> Net<'_> {
        Net {
            packed: self.packed,
            config: &self.config,
            layout: &self.layout,
            weights: &self.weights,
            adapter: self.adapter.as_ref(),
            rope: &self.rope,
            storage: self.storage,
        }
    }

    /// The arena that training changes.
    fn trained(&self) -> &Slice {
        self.adapter.as_ref().map_or(&self.weights, |a| &a.values)
    }

    pub fn config(&self) -> &LlamaConfig {
        &self.config
    }

    /// What runs for a training step over such a batch, or for a base's loss of it; nothing before the first.
    pub fn plans(&self, batch: &Batch) -> Vec<&Plan> {
        let shape = Shape { rows: batch.rows, time: batch.time };
        let slots = slots(batch.response_tokens(), shape.tokens());
        match &self.trainer {
            Some(trainer) => trainer.step_plan(shape, slots).into_iter().collect(),
            None => self.forwards.get(&shape).map(|f| f.plans(slots)).unwrap_or_default(),
        }
    }

    /// One step over micro-batches with `counted` response tokens in all.
    pub fn train_step(&mut self, micro: &[Batch], counted: usize, lr: f32) -> Result<()> {
        let Some(mut trainer) = self.trainer.take() else {
            return Err(Error::Shape { op: "train_step", message: "a base does not train".into() });
        };
        let done = trainer.step(&self.gpu, &self.net(), self.trained(), micro, counted, lr);
        self.trainer = Some(trainer);
        done
    }

    /// See [`super::Model::prepare_step`].
    pub async fn prepare_step(&mut self, micro: &[Batch]) -> Result<()> {
        let Some(mut trainer) = self.trainer.take() else { return Ok(()) };
        let done = trainer.prepare(&self.gpu, &self.net(), self.trained(), micro).await;
        self.trainer = Some(trainer);
        done
    }

    pub fn pending_limit(&self) -> usize {
        Trainer::RING
    }

    pub async fn take_metrics(&mut self) -> Result<Vec<StepMetrics>> {
        match &mut self.trainer {
            Some(trainer) => trainer.take_metrics(&self.gpu).await,
            None => Ok(Vec::new()),
        }
    }

    /// Queues a forward pass over the batch.
    async fn run_forward(&mut self, batch: &Batch) -> Result<(Shape, Counted)> {
        let shape = Shape { rows: batch.rows, time: batch.time };
        if !self.forwards.contains_key(&shape) {
            let forward = Forward::new(&self.gpu, &self.net(), shape).await?;
            self.forwards.insert(shape, forward);
        }
        let counted = self.forwards[&shape].run(&self.gpu, batch);
        Ok((shape, counted))
    }

    /// What is borrowed by a forward pass whose plans grow on demand.
    fn forward_parts(&mut self, shape: Shape) -> (Option<&mut Forward>, &Gpu, Net<'_>) {
        let net = Net {
            packed: self.packed,
            config: &self.config,
            layout: &self.layout,
            weights: &self.weights,
            adapter: self.adapter.as_ref(),
            rope: &self.rope,
            storage: self.storage,
        };
        (self.forwards.get_mut(&shape), &self.gpu, net)
    }

    pub async fn nll(&mut self, batch: &Batch) -> Result<Vec<f32>> {
        let (shape, counted) = self.run_forward(batch).await?;
        match self.forward_parts(shape) {
            (Some(forward), gpu, net) => forward.nll(gpu, &net, &counted).await,
            _ => Ok(Vec::new()),
        }
    }

    pub async fn shift(&mut self, base: &mut Self, batch: &Batch) -> Result<Vec<TokenShift>> {
        let (shape, counted) = self.run_forward(batch).await?;
        base.run_forward(batch).await?;
        let key = (shape, counted.rows.len());
        if !self.shifts.contains_key(&key) {
            let (tuned, base) =
                ((&self.net(), &self.forwards[&shape]), (&base.net(), &base.forwards[&shape]));
            let plan = ShiftPlan::new(&self.gpu, tuned, base, key.1).await?;
            self.shifts.insert(key, plan);
        }
        let words = self.shifts[&key].run(&self.gpu, &counted).await?;
        Ok(words.iter().map(|words| TokenShift::from_words(words)).collect())
    }

    /// Queues a forward pass over one sequence and gives its logits, (T,V) and some rows of padding.
    async fn run_logits(&mut self, tokens: &[u32]) -> Result<Slice> {
        let (shape, _) = self.run_forward(&self.single(tokens)).await?;
        match self.forward_parts(shape) {
            (Some(forward), gpu, net) => forward.logits(gpu, &net),
            _ => Err(Error::Shape { op: "logits", message: "no forward pass of this shape".into() }),
        }
    }

    /// One sequence as a batch whose length is a multiple of 32, so that few plans are made.
    fn single(&self, tokens: &[u32]) -> Batch {
        let limit = self.config.max_position_embeddings;
        let time = tokens.len().next_multiple_of(32).min(limit.max(tokens.len()));
        let mut padded = tokens.to_vec();
        padded.resize(time, 0);
        Batch { rows: 1, time, tokens: padded, targets: vec![IGNORED; time] }
    }

    pub async fn logits(&mut self, tokens: &[u32]) -> Result<Vec<f32>> {
        let logits = self.run_logits(tokens).await?;
        self.gpu.read(&logits.sub(0, tokens.len() * self.config.vocab_size)).await
    }

    pub async fn top_k(&mut self, tokens: &[u32]) -> Result<Vec<Top>> {
        let logits = &self.run_logits(tokens).await?;
        let (rows, k) = (tokens.len(), TOP_K.min(self.config.vocab_size));
        let ids = self.gpu.buffer("top ids", rows * k)?;
        let logprobs = self.gpu.buffer("top log-probabilities", rows * k)?;
        let mut builder = PlanBuilder::new(&self.gpu);
        let op = TopK { rows: rows as u32, vocab: self.config.vocab_size as u32, k: k as u32 };
        op.record(&mut builder, logits, &ids, &logprobs);
        builder.finish("top-k").submit(&self.gpu);
        let words = self.gpu.read_many::<u32>(&[&ids, &logprobs]).await?;
        let pairs = words[0].chunks(k).zip(words[1].chunks(k));
        Ok(pairs.map(|(i, l)| i.iter().zip(l).map(|(&i, &l)| (i, f32::from_bits(l))).collect()).collect())
    }

    pub async fn generate(
        &mut self,
        prompts: &[Vec<u32>],
        max_new: usize,
        end: u32,
        sampling: Sampling,
    ) -> Result<Vec<Vec<u32>>> {
        let mut out = Vec::with_capacity(prompts.len());
        for chunk in prompts.chunks(DECODE_ROWS) {
            let draw = sampling.draw(out.len());
            let longest = chunk.iter().map(Vec::len).max().unwrap_or(0) + max_new;
            let time = longest.next_multiple_of(32);
            // Few prompts get a narrow plan; powers of two keep the number of plans small.
            let shape = Shape { rows: chunk.len().next_power_of_two(), time };
            if !self.decoders.contains_key(&shape) {
                let decoder = Decoder::new(&self.gpu, &self.net(), shape.rows, time).await?;
                self.decoders.insert(shape, decoder);
            }
            out.extend(self.decoders[&shape].generate(&self.gpu, chunk, max_new, end, draw).await?);
        }
        Ok(out)
    }

    pub async fn tensors(&self) -> Result<Tensors> {
        self.named(self.trained()).await
    }

    /// All weights as they are now, adapters merged, under Hugging Face's names.
    pub async fn weights(&self) -> Result<Weights> {
        let values = self.gpu.read::<f32>(&self.unpacked()?).await?;
        let tensor = |(name, place): (&String, &Place)| {
            Ok((name.clone(), Array::new(place.shape.clone(), values[place.range()].to_vec())?))
        };
        let dense: Weights = self.layout.tensors.iter().map(tensor).collect::<Result<_>>()?;
        let Some(adapter) = &self.adapter else { return Ok(dense) };
        let tensors = self.tensors().await?.into_iter();
        let arrays = tensors.map(|(name, (shape, data))| Ok((name, Array::new(shape, data)?)));
        merge_adapter(&self.config, &dense, &adapter.lora, arrays.collect::<Result<_>>()?)
    }

    pub async fn gradients(&self) -> Result<Tensors> {
        match &self.trainer {
            Some(trainer) => self.named(trainer.gradients()).await,
            None => Ok(Tensors::new()),
        }
    }

    /// Reads an arena that is laid out as the trained parameters are.
    async fn named(&self, arena: &Slice) -> Result<Tensors> {
        let values = self.gpu.read::<f32>(arena).await?;
        let places = self.adapter.as_ref().map_or(&self.layout.tensors, |a| &a.layout.tensors);
        let tensor = |(name, place): (&String, &Place)| {
            (name.clone(), (place.shape.clone(), values[place.range()].to_vec()))
        };
        Ok(places.iter().map(tensor).collect())
    }

    pub fn trainable_parameters(&self) -> usize {
        match (&self.trainer, &self.adapter) {
            (None, _) => 0,
            (Some(_), None) => self.layout.parameters(),
            (Some(_), Some(adapter)) => adapter.layout.parameters(),
        }
    }
}
