//! The engine on WebGPU: plans of dispatches over arenas of weights, gradients and moments.

mod activations;
mod adapter;
mod backward;
mod decode;
mod form;
mod forward;
mod head;
mod memory;
mod net;
mod to_base;
mod train;
mod weights;

use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use self::decode::Decoder;
pub(super) use self::decode::Decoding;
use self::form::Shape;
pub(super) use self::form::lora_groups;
use self::forward::{Forward, ShiftPlan};
use self::head::{Counted, slots};
pub use self::memory::{MemoryPlan, plan_memory};
use self::to_base::Base;
use self::train::Trainer;
use self::weights::GpuWeights;
use super::decoding::{Wanted, Written};
use super::{
    Divergence, Progress, StepMetrics, TOP_K, Take, Tensors, TokenShift, Top, Tuning, a_base, no_such_part,
};
use crate::data::batch::Batch;
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Plan, PlanBuilder, Slice};
use crate::kernels::{IGNORED, TopK};
use crate::model::config::LlamaConfig;
use crate::model::layout::Place;
use crate::model::lora::AdapterStart;
use crate::model::weights::{Array, Precision, Weights};
use crate::train::Optimizer;

/// A Llama on the GPU: a base, or an arm that trains.
pub struct GpuModel {
    weights: GpuWeights,
    trainer: Option<Trainer>,
    plans: Plans,
    /// The weights with which this model computes the same before its first step; none where an adapter is given.
    origin: Option<Slice>,
}

/// What was recorded so far, each for the shapes it has been asked for.
#[derive(Default)]
struct Plans {
    forwards: HashMap<Shape, Forward>,
    /// By batch shape, number of slots and divergence; no divergence where a model is compared with itself.
    shifts: HashMap<(Shape, usize, Option<Divergence>), ShiftPlan>,
    decoders: HashMap<Shape, Decoder>,
}

impl GpuModel {
    /// A base model from its tensors; for f16, within its range.
    ///
    /// # Errors
    /// When the model does not fit, or has rows of an odd length and should be f16.
    pub fn new(gpu: Rc<Gpu>, config: &LlamaConfig, take: &mut Take, precision: Precision) -> Result<Self> {
        let weights = GpuWeights::new(gpu, config, take, precision)?;
        let origin = Some(weights.values.clone());
        Ok(Self { weights, trainer: None, plans: Plans::default(), origin })
    }

    /// See [`super::Model::again`].
    pub fn again(&self) -> Self {
        let (weights, origin) = (self.weights.shared(), Some(self.weights.values.clone()));
        Self { weights, trainer: None, plans: Plans::default(), origin }
    }

    /// The memory that this arm's steps take or, for a base, that its full tuning would take.
    ///
    /// # Errors
    /// None in practice: nothing is allocated.
    pub fn memory_plan(&self, rows: usize, time: usize, accumulate: usize) -> Result<MemoryPlan> {
        let (net, head_bytes) = (self.weights.net(), self.weights.gpu.choices().head_bytes);
        let form = self.trainer.as_ref().map_or(net.form(), |trainer| trainer.form(&net));
        MemoryPlan::new(form, &self.weights.layout, Shape { rows, time }, accumulate > 1, head_bytes)
    }

    /// An arm that starts at this base.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] before anything is allocated, if even a single token would need too large a buffer.
    pub fn tune(&self, tuning: &Tuning, optimizer: Optimizer) -> Result<Self> {
        let base = &self.weights;
        let gpu = &base.gpu;
        let strength = optimizer.kl_to_base;
        let to_base = strength > 0.0;
        let plan = plan_memory(&base.config, tuning, base.storage, 1, 1, 1, to_base)?;
        plan.check(&gpu.limits, matches!(tuning, Tuning::Full))?;
        let held = to_base.then(|| Base { weights: base.values.clone(), packed: base.packed, strength });
        let (weights, trainer) = match tuning {
            Tuning::Full => {
                let weights = base.copied()?;
                let start = if optimizer.pull > 0.0 { Some(base.unpacked()?) } else { None };
                let (words, decayed) = (base.layout.words, base.layout.decayed);
                (weights, Trainer::new(gpu, optimizer, words, decayed, start, held)?)
            }
            Tuning::Lora { lora, start } => {
                let weights = base.adapted(lora, start)?;
                let words = weights.adapter.as_ref().map_or(0, |adapter| adapter.layout.words);
                (weights, Trainer::new(gpu, optimizer, words, words, None, held)?)
            }
        };
        let is_given = matches!(tuning, Tuning::Lora { start: AdapterStart::Tensors(_), .. });
        let origin = (!is_given).then(|| base.values.clone());
        Ok(Self { weights, trainer: Some(trainer), plans: Plans::default(), origin })
    }

    /// See [`super::Model::scaled`].
    pub fn scaled(&self, strength: f32) -> Option<Self> {
        let adapter = self.weights.adapter.as_ref().filter(|adapter| !adapter.lora.dora)?;
        let mut weights = self.weights.shared();
        weights.adapter = Some(adapter.scaled(strength));
        Some(Self { weights, trainer: None, plans: Plans::default(), origin: None })
    }

    /// See [`super::Model::checkpointed`].
    pub fn checkpointed(mut self) -> Self {
        self.weights.storage.checkpoint = true;
        self
    }

    pub fn config(&self) -> &LlamaConfig {
        &self.weights.config
    }

    /// The plans that run for a training step over such a batch or, in a base, for its loss; none before the first.
    pub fn plans(&self, batch: &Batch) -> Vec<&Plan> {
        let shape = Shape { rows: batch.rows, time: batch.time };
        let slots = slots(batch.response_tokens(), shape.tokens());
        match &self.trainer {
            Some(trainer) => trainer.step_plan(shape, slots).into_iter().collect(),
            None => self.plans.forwards.get(&shape).map(|f| f.plans(slots)).unwrap_or_default(),
        }
    }

    /// One step over micro-batches with `counted` response tokens in all.
    pub fn train_step(&mut self, micro: &[Batch], counted: usize, lr: f32) -> Result<()> {
        self.trainer.as_mut().ok_or_else(a_base)?.step(&self.weights, micro, counted, lr)
    }

    /// See [`super::Model::progress`].
    pub async fn progress(&self) -> Result<Progress> {
        self.trainer.as_ref().ok_or_else(a_base)?.progress(&self.weights).await
    }

    /// See [`super::Model::restore`].
    pub async fn restore(&mut self, progress: &Progress) -> Result<()> {
        self.trainer.as_mut().ok_or_else(a_base)?.restore(&self.weights, progress).await
    }

    /// See [`super::Model::prepare_step`].
    pub async fn prepare_step(&mut self, micro: &[Batch]) -> Result<()> {
        let Some(trainer) = &mut self.trainer else { return Ok(()) };
        trainer.prepare(&self.weights, micro).await
    }

    pub fn pending_limit(&self) -> usize {
        Trainer::RING
    }

    pub async fn take_metrics(&mut self) -> Result<Vec<StepMetrics>> {
        match &mut self.trainer {
            Some(trainer) => trainer.take_metrics(&self.weights.gpu).await,
            None => Ok(Vec::new()),
        }
    }

    /// Queues a forward pass over the batch.
    async fn run_forward(&mut self, batch: &Batch) -> Result<(Shape, Counted)> {
        let shape = Shape { rows: batch.rows, time: batch.time };
        if !self.plans.forwards.contains_key(&shape) {
            let forward = Forward::new(&self.weights.gpu, &self.weights.net(), shape).await?;
            self.plans.forwards.insert(shape, forward);
        }
        let counted = self.plans.forwards[&shape].run(&self.weights.gpu, batch);
        Ok((shape, counted))
    }

    pub async fn nll(&mut self, batch: &Batch) -> Result<Vec<f32>> {
        let (shape, counted) = self.run_forward(batch).await?;
        match self.plans.forwards.get_mut(&shape) {
            Some(forward) => forward.nll(&self.weights.gpu, &self.weights.net(), &counted).await,
            None => Ok(Vec::new()),
        }
    }

    /// See [`super::Model::compare`].
    pub async fn compare(
        &mut self,
        base: &mut Self,
        batch: &Batch,
        divergence: Divergence,
    ) -> Result<Vec<TokenShift>> {
        let is_untrained = self.trainer.as_ref().is_none_or(|trainer| trainer.taken() == 0);
        let is_same =
            self.origin.as_ref().is_some_and(|origin| origin.buffer.is(&base.weights.values.buffer));
        if is_untrained && is_same {
            // Its logits are known to be the base's; computed again, by other kernels, they might round differently.
            return base.compared(None, batch).await;
        }
        base.run_forward(batch).await?;
        self.compared(Some((base, divergence)), batch).await
    }

    /// The shift between this model and a base that has run its forward pass over the batch, or this model itself.
    async fn compared(
        &mut self,
        base: Option<(&Self, Divergence)>,
        batch: &Batch,
    ) -> Result<Vec<TokenShift>> {
        let (shape, counted) = self.run_forward(batch).await?;
        let (base, divergence) = base.unzip();
        let key = (shape, counted.rows.len(), divergence);
        if !self.plans.shifts.contains_key(&key) {
            let (own, other) = (self.weights.net(), base.map(|base| base.weights.net()));
            let base = other.as_ref().zip(base.map(|base| &base.plans.forwards[&shape]));
            let tuned = (&own, &self.plans.forwards[&shape]);
            let (of, from) = match (base, divergence) {
                (Some(base), Some(Divergence::FromBase)) => (base, Some(tuned)),
                _ => (tuned, base),
            };
            let plan = ShiftPlan::new(&self.weights.gpu, of, from, key.1).await?;
            self.plans.shifts.insert(key, plan);
        }
        let words = self.plans.shifts[&key].run(&self.weights.gpu, &counted).await?;
        Ok(words
            .iter()
            .map(|words| TokenShift::from_words(words, divergence.unwrap_or(Divergence::ToBase)))
            .collect())
    }

    /// Queues a forward pass over one sequence and gives its logits, (T,V) and some rows of padding.
    async fn run_logits(&mut self, tokens: &[u32]) -> Result<Slice> {
        let (shape, _) = self.run_forward(&self.single(tokens)).await?;
        match self.plans.forwards.get_mut(&shape) {
            Some(forward) => forward.logits(&self.weights.gpu, &self.weights.net()),
            None => Err(Error::Shape { op: "logits", message: "no forward pass of this shape".into() }),
        }
    }

    /// One sequence as a batch whose length is a multiple of 32, so that few plans are made.
    fn single(&self, tokens: &[u32]) -> Batch {
        let limit = self.weights.config.max_position_embeddings;
        let time = tokens.len().next_multiple_of(32).min(limit.max(tokens.len()));
        let mut padded = tokens.to_vec();
        padded.resize(time, 0);
        Batch { rows: 1, time, tokens: padded, targets: vec![IGNORED; time] }
    }

    pub async fn logits(&mut self, tokens: &[u32]) -> Result<Vec<f32>> {
        let logits = self.run_logits(tokens).await?;
        self.weights.gpu.read(&logits.sub(0, tokens.len() * self.weights.config.vocab_size)).await
    }

    pub async fn top_k(&mut self, tokens: &[u32]) -> Result<Vec<Top>> {
        let logits = &self.run_logits(tokens).await?;
        let (rows, k) = (tokens.len(), TOP_K.min(self.weights.config.vocab_size));
        let ids = self.weights.gpu.buffer("top ids", rows * k)?;
        let logprobs = self.weights.gpu.buffer("top log-probabilities", rows * k)?;
        let mut builder = PlanBuilder::new(&self.weights.gpu);
        let op = TopK { rows: rows as u32, vocab: self.weights.config.vocab_size as u32, k: k as u32 };
        op.record(&mut builder, logits, &ids, &logprobs);
        builder.finish("top-k").submit(&self.weights.gpu);
        let words = self.weights.gpu.read_many::<u32>(&[&ids, &logprobs]).await?;
        let pairs = words[0].chunks(k).zip(words[1].chunks(k));
        Ok(pairs.map(|(i, l)| i.iter().zip(l).map(|(&i, &l)| (i, f32::from_bits(l))).collect()).collect())
    }

    /// Begins to continue at most as many prompts as are decoded side by side.
    pub(super) async fn begin(&mut self, wanted: &Wanted) -> Result<Decoding> {
        let time = (wanted.longest_prompt() + wanted.max_new).next_multiple_of(32);
        // Few prompts get a narrow plan; powers of two keep the number of plans small.
        let shape = Shape { rows: wanted.prompts.len().next_power_of_two(), time };
        if !self.plans.decoders.contains_key(&shape) {
            let decoder = Decoder::new(&self.weights.gpu, &self.weights.net(), shape.rows, time).await?;
            self.plans.decoders.insert(shape, decoder);
        }
        self.plans.decoders[&shape].begin(&self.weights.gpu, wanted);
        Ok(Decoding { shape, step: 0 })
    }

    /// See [`super::Model::go_on`].
    pub(super) async fn go_on(
        &self,
        wanted: &Wanted,
        Decoding { shape, step }: &mut Decoding,
        positions: usize,
    ) -> Result<Written> {
        self.plans.decoders[shape].go_on(&self.weights.gpu, wanted, step, positions).await
    }

    pub async fn tensors(&self) -> Result<Tensors> {
        self.weights.named(self.weights.trained()).await
    }

    /// See [`super::Model::trained`].
    pub fn trained(&self) -> Vec<(String, Vec<usize>)> {
        self.weights.places().iter().map(|(name, place)| (name.clone(), place.shape.clone())).collect()
    }

    /// See [`super::Model::part`].
    pub async fn part(&self, name: &str, range: Range<usize>) -> Result<Vec<f32>> {
        let place = self.weights.places().get(name).map(Place::range);
        let place = place.filter(|place| range.start <= range.end && range.end <= place.len());
        let place = place.ok_or_else(|| no_such_part(name))?;
        let values = self.weights.trained().sub(place.start + range.start, range.len());
        self.weights.gpu.read(&values).await
    }

    /// See [`super::Model::weights`].
    pub async fn weights(&self) -> Result<Weights> {
        self.weights.merged().await
    }

    /// See [`super::Model::linear`].
    pub async fn linear(&self, name: &str) -> Result<Array> {
        self.weights.linear(name).await
    }

    pub async fn gradients(&self) -> Result<Tensors> {
        match &self.trainer {
            Some(trainer) => self.weights.named(trainer.gradients()).await,
            None => Ok(Tensors::new()),
        }
    }

    pub fn trainable_parameters(&self) -> usize {
        let all = || self.weights.layout.parameters();
        let trained = || self.weights.adapter.as_ref().map_or_else(all, |a| a.layout.parameters());
        self.trainer.as_ref().map_or(0, |_| trained())
    }
}
