//! The engine on WebGPU: plans of dispatches over arenas of weights, gradients and moments.

mod activations;
mod backward;
mod decode;
mod net;
mod train;

use std::collections::HashMap;
use std::rc::Rc;

use self::activations::Activations;
use self::decode::Decoder;
use self::net::{Adapter, Net, Shape};
use self::train::Trainer;
use super::{Sampling, StepMetrics, TOP_K, Tensors, TokenShift, Top, Tuning};
use crate::data::batch::Batch;
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Plan, PlanBuilder, Slice};
use crate::kernels::{CrossEntropy, IGNORED, Shift, TopK, rope_table};
use crate::model::config::LlamaConfig;
use crate::model::layout::{AdapterLayout, Layout, Place};
use crate::model::weights::Weights;
use crate::train::{AdapterStart, Optimizer};

/// Most sequences that are decoded side by side.
const DECODE_ROWS: usize = 64;

/// A forward pass over whole sequences, and what is measured on its logits.
struct Forward {
    tokens: Slice,
    targets: Slice,
    logits: Slice,
    nll: Slice,
    plan: Plan,
    /// Logits to `nll`.
    nll_plan: Plan,
}

/// Compares this model's logits with the base's.
struct ShiftPlan {
    out: Slice,
    plan: Plan,
}

/// A Llama on the GPU: a base, or an arm that trains.
pub struct GpuModel {
    gpu: Rc<Gpu>,
    config: LlamaConfig,
    layout: Rc<Layout>,
    weights: Slice,
    rope: Slice,
    adapter: Option<Adapter>,
    trainer: Option<Trainer>,
    forwards: HashMap<Shape, Forward>,
    shifts: HashMap<Shape, ShiftPlan>,
    decoders: HashMap<Shape, Decoder>,
}

impl GpuModel {
    /// A base model from its tensors.
    pub fn new(gpu: Rc<Gpu>, config: &LlamaConfig, weights: &Weights) -> Result<Self> {
        let layout = Layout::new(config);
        let table = rope_table(config.max_position_embeddings, &config.inverse_frequencies());
        Ok(Self {
            weights: gpu.upload("weights", &layout.pack(weights)?)?,
            rope: gpu.upload("rope", &table)?,
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

    /// An arm that starts at this base.
    pub fn tune(&self, tuning: &Tuning, optimizer: Optimizer) -> Result<Self> {
        let gpu = &self.gpu;
        let (weights, adapter, trainer) = match tuning {
            Tuning::Full => {
                let weights = gpu.copy("weights", &self.weights)?;
                let trainer = Trainer::new(gpu, optimizer, self.layout.words, self.layout.decayed)?;
                (weights, None, trainer)
            }
            Tuning::Lora { lora, start } => {
                let layout = AdapterLayout::new(&self.config, lora);
                let values = match start {
                    AdapterStart::Seed(seed) => layout.pack(&lora.initial(&self.config, *seed))?,
                    AdapterStart::Tensors(tensors) => layout.pack(tensors)?,
                };
                let trainer = Trainer::new(gpu, optimizer, layout.words, layout.words)?;
                let adapter = Adapter::new(gpu, &self.config, lora, layout, &values)?;
                (self.weights.clone(), Some(adapter), trainer)
            }
        };
        let model = Self {
            gpu: gpu.clone(),
            config: self.config.clone(),
            layout: self.layout.clone(),
            weights,
            rope: self.rope.clone(),
            adapter,
            trainer: Some(trainer),
            forwards: HashMap::new(),
            shifts: HashMap::new(),
            decoders: HashMap::new(),
        };
        if matches!(tuning, Tuning::Lora { start: AdapterStart::Seed(_), .. }) {
            model.net().set_magnitudes(gpu);
        }
        Ok(model)
    }

    fn net(&self) -> Net<'_> {
        Net {
            config: &self.config,
            layout: &self.layout,
            weights: &self.weights,
            adapter: self.adapter.as_ref(),
            rope: &self.rope,
        }
    }

    /// The arena that training changes.
    fn trained(&self) -> &Slice {
        self.adapter.as_ref().map_or(&self.weights, |a| &a.values)
    }

    pub fn config(&self) -> &LlamaConfig {
        &self.config
    }

    /// The plan of a training step over a batch of this shape, or of a base's forward pass; nothing before the
    /// first.
    pub fn plan(&self, rows: usize, time: usize) -> Option<&Plan> {
        let shape = Shape { rows, time };
        match &self.trainer {
            Some(trainer) => trainer.step_plan(shape),
            None => self.forwards.get(&shape).map(|f| &f.plan),
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
    fn run_forward(&mut self, batch: &Batch) -> Result<Shape> {
        let shape = Shape { rows: batch.rows, time: batch.time };
        if !self.forwards.contains_key(&shape) {
            let forward = self.plan_forward(shape)?;
            self.forwards.insert(shape, forward);
        }
        let f = &self.forwards[&shape];
        self.gpu.write(&f.tokens, &batch.tokens);
        self.gpu.write(&f.targets, &batch.targets);
        f.plan.submit(&self.gpu);
        Ok(shape)
    }

    fn plan_forward(&self, shape: Shape) -> Result<Forward> {
        let (gpu, net, n) = (&*self.gpu, self.net(), shape.tokens());
        let acts = Activations::new(gpu, &net, shape, false)?;
        let (tokens, targets) = (gpu.buffer("tokens", n)?, gpu.buffer("targets", n)?);
        let (nll, position) = (gpu.buffer("nll", n)?, gpu.upload("position", &[0u32])?);
        let mut plan = PlanBuilder::new(gpu);
        net.measure_rows(&mut plan);
        net.forward(&mut plan, shape, &acts, &tokens, &position, None);
        let plan = plan.finish("forward");
        let mut builder = PlanBuilder::new(gpu);
        let op = CrossEntropy { rows: n as u32, vocab: self.config.vocab_size as u32 };
        op.forward(&mut builder, &acts.logits, &targets, &nll);
        Ok(Forward { tokens, targets, logits: acts.logits, nll, plan, nll_plan: builder.finish("nll") })
    }

    pub async fn nll(&mut self, batch: &Batch) -> Result<Vec<f32>> {
        let shape = self.run_forward(batch)?;
        let f = &self.forwards[&shape];
        f.nll_plan.submit(&self.gpu);
        self.gpu.read(&f.nll).await
    }

    pub async fn shift(&mut self, base: &mut Self, batch: &Batch) -> Result<Vec<TokenShift>> {
        let shape = self.run_forward(batch)?;
        base.run_forward(batch)?;
        if !self.shifts.contains_key(&shape) {
            let (tuned, base) = (&self.forwards[&shape], &base.forwards[&shape]);
            let out = self.gpu.buffer("shift", shape.tokens() * 4)?;
            let mut builder = PlanBuilder::new(&self.gpu);
            let op = Shift { rows: shape.tokens() as u32, vocab: self.config.vocab_size as u32 };
            op.record(&mut builder, &tuned.logits, &base.logits, &tuned.targets, &out);
            self.shifts.insert(shape, ShiftPlan { out, plan: builder.finish("shift") });
        }
        let shift = &self.shifts[&shape];
        shift.plan.submit(&self.gpu);
        let words = self.gpu.read::<f32>(&shift.out).await?;
        Ok(words.chunks_exact(4).map(TokenShift::from_words).collect())
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
        let batch = self.single(tokens);
        let shape = self.run_forward(&batch)?;
        let logits = &self.forwards[&shape].logits;
        self.gpu.read(&logits.sub(0, tokens.len() * self.config.vocab_size)).await
    }

    pub async fn top_k(&mut self, tokens: &[u32]) -> Result<Vec<Top>> {
        let batch = self.single(tokens);
        let shape = self.run_forward(&batch)?;
        let logits = &self.forwards[&shape].logits;
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
                let decoder = Decoder::new(&self.gpu, &self.net(), shape.rows, time)?;
                self.decoders.insert(shape, decoder);
            }
            out.extend(self.decoders[&shape].generate(&self.gpu, chunk, max_new, end, draw).await?);
        }
        Ok(out)
    }

    pub async fn tensors(&self) -> Result<Tensors> {
        self.named(self.trained()).await
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
