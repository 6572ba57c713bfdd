//! One interface to a model that runs, trains and is measured, over two back ends: WebGPU with our own
//! kernels, and the CPU with candle.
//!
//! An arm is made from the base by [`Model::tune`]: the LoRA arm shares the base's weights, the full arm
//! copies them. The base itself is never written to, so that it stays the measure of drift.

mod autotune;
pub mod cpu;
mod decoding;
pub mod gpu;
mod sampling;
mod tuning;

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use crate::data::batch::Batch;
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::model::checkpoint::Provide;
use crate::model::config::LlamaConfig;
use crate::model::weights::{Array, Precision, Weights, round_matrix};
use crate::train::Optimizer;

pub use autotune::{Choice, Found, choose, rate, step_products};
pub use cpu::merge_adapter;
pub use decoding::Decoding;
pub use gpu::{MemoryPlan, plan_memory};
pub use tuning::Tuning;

/// What a model keeps in memory, and how; less of it costs time or digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Storage {
    /// Training keeps each layer's input only, and computes the rest of the layer's activations again just before
    /// its backward pass (Chen et al., arXiv 1604.06174).
    pub checkpoint: bool,
    /// Of the base's matrices. What trains, norms and activations are f32.
    pub weights: Precision,
}

/// What a training step reports.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepMetrics {
    /// Mean over the batch's response tokens before the update, nats.
    pub loss: f32,
    /// Global, before clipping.
    pub grad_norm: f32,
}

/// From whom to whom a divergence is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Divergence {
    /// KL(tuned || base): by what the tuned model says.
    ToBase,
    /// KL(base || tuned): by what the base would have said.
    FromBase,
}

/// How a token looks to a tuned model and to the base.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenShift {
    /// The [`Divergence`] that was asked for, over the whole vocabulary, nats.
    pub kl: f32,
    /// Rank in the distribution that it is taken to, from 1: the base's of [`Divergence::ToBase`].
    pub rank: u32,
    pub logprob: f32,
    pub base_logprob: f32,
}

impl TokenShift {
    /// From the four words that the shift kernel writes for a token.
    pub fn from_words(words: &[f32], divergence: Divergence) -> Self {
        let (logprob, base_logprob) = match divergence {
            Divergence::ToBase => (words[2], words[3]),
            Divergence::FromBase => (words[3], words[2]),
        };
        Self { kl: words[0], rank: words[1] as u32, logprob, base_logprob }
    }
}

/// Token ids and log-probabilities, likeliest first.
pub type Top = Vec<(u32, f32)>;

/// How many tokens a [`Top`] holds.
pub const TOP_K: usize = 10;

/// Most sequences that are decoded side by side.
const DECODE_ROWS: usize = 64;

/// Named tensors: shape and values, row-major.
pub type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// The state of a training run, from which an arm continues as if it had never stopped.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// Steps taken.
    pub step: u32,
    /// What is trained, under the names of [`Model::tensors`].
    pub trained: Tensors,
    /// AdamW's first and second moments of it.
    pub first: Tensors,
    pub second: Tensors,
}

/// Where models run.
#[derive(Clone)]
pub enum Backend {
    Gpu(Rc<Gpu>),
    Cpu,
}

impl Backend {
    /// A base model from its tensors, in f32.
    pub fn load(&self, config: &LlamaConfig, weights: impl Provide) -> Result<Model> {
        self.load_as(config, weights, Precision::F32)
    }

    /// A base model whose matrices are held in a precision. In f16 they are rounded and take half the memory of the
    /// GPU; an adapter shares them, a full arm trains an f32 copy. The CPU rounds them too, but holds f32.
    ///
    /// Takes the tensors one at a time, so that no more than the largest is held twice.
    ///
    /// # Errors
    /// When a value is beyond f16's range, or a tensor is missing or of another shape.
    pub fn load_as(
        &self,
        config: &LlamaConfig,
        mut weights: impl Provide,
        precision: Precision,
    ) -> Result<Model> {
        let mut take = |name: &str, shape: &[usize]| -> Result<Array> {
            let mut array = weights.take(name)?;
            if array.shape != shape {
                let message = format!("{name} is of shape {:?}, it must be of shape {shape:?}", array.shape);
                return Err(Error::Shape { op: "load", message });
            }
            if precision == Precision::F16 {
                round_matrix(name, &mut array)?;
            }
            Ok(array)
        };
        match self {
            Self::Gpu(gpu) => {
                let model = gpu::GpuModel::new(gpu.clone(), config, &mut take, precision)?;
                Ok(Model::Gpu(Box::new(model)))
            }
            Self::Cpu => Ok(Model::Cpu(Box::new(cpu::CpuModel::new(config, &mut take)?))),
        }
    }
}

/// Gives the tensor of a name and a shape, once.
type Take<'a> = dyn FnMut(&str, &[usize]) -> Result<Array> + 'a;

fn a_base() -> Error {
    Error::Shape { op: "train_step", message: "a base does not train".into() }
}

fn no_such_part(name: &str) -> Error {
    Error::Shape { op: "part", message: format!("this arm has no such values of {name}") }
}

fn not_of_this_arm(name: &str) -> Error {
    let message = format!("the progress has no {name} of this arm's shape");
    Error::Shape { op: "restore", message }
}

/// A model on one of the back ends: a base, or an arm that trains.
pub enum Model {
    Gpu(Box<gpu::GpuModel>),
    Cpu(Box<cpu::CpuModel>),
}

macro_rules! on {
    ($self:expr, $model:ident => $call:expr) => {
        match $self {
            Model::Gpu($model) => $call,
            Model::Cpu($model) => $call,
        }
    };
}

impl Model {
    /// The model's shape.
    pub fn config(&self) -> &LlamaConfig {
        on!(self, m => m.config())
    }

    /// This base once more, over the same weights: to be compared with itself.
    ///
    /// # Errors
    /// When the CPU's memory does not hold its copy.
    pub fn again(&self) -> Result<Self> {
        match self {
            Self::Gpu(base) => Ok(Self::Gpu(Box::new(base.again()))),
            Self::Cpu(base) => Ok(Self::Cpu(Box::new(base.again()?))),
        }
    }

    /// An arm that starts at this base. Batches of the arm are (rows, time).
    pub fn tune(&self, tuning: &Tuning, optimizer: Optimizer) -> Result<Self> {
        match self {
            Self::Gpu(base) => Ok(Self::Gpu(Box::new(base.tune(tuning, optimizer)?))),
            Self::Cpu(base) => Ok(Self::Cpu(Box::new(base.tune(tuning, optimizer)?))),
        }
    }

    /// An arm that keeps no activations but each layer's input ([`Storage::checkpoint`]); for before its first step.
    /// Its losses and gradients are the same to the last bit. On the CPU, where candle decides what is kept,
    /// nothing changes.
    #[must_use]
    pub fn checkpointed(self) -> Self {
        match self {
            Self::Gpu(arm) => Self::Gpu(Box::new(arm.checkpointed())),
            Self::Cpu(arm) => Self::Cpu(arm),
        }
    }

    /// This LoRA arm with `strength` times its adapter's part, to be run, not trained; it shares all memory with the arm
    /// and follows it. None where an arm is not the base plus an added part: in full tuning and DoRA.
    ///
    /// # Errors
    /// When the CPU's memory does not hold it.
    pub fn scaled(&self, strength: f32) -> Result<Option<Self>> {
        Ok(match self {
            Self::Gpu(arm) => arm.scaled(strength).map(|model| Self::Gpu(Box::new(model))),
            Self::Cpu(arm) => arm.scaled(strength)?.map(|model| Self::Cpu(Box::new(model))),
        })
    }

    /// Queues one optimiser step; [`Self::take_metrics`] reports its loss.
    pub fn train_step(&mut self, batch: &Batch, lr: f32) -> Result<()> {
        self.accumulated_step(std::slice::from_ref(batch), lr)
    }

    /// One optimiser step over several micro-batches of one shape, as over one batch of all their rows: the
    /// loss is the mean over all their response tokens. Takes the memory of one.
    ///
    /// # Errors
    /// When no token counts, and whatever the back end refuses.
    pub fn accumulated_step(&mut self, micro: &[Batch], lr: f32) -> Result<()> {
        let targets: usize = micro.iter().map(Batch::response_tokens).sum();
        if targets == 0 {
            return Err(Error::Setting {
                field: "max_len",
                message: "a batch has no response token left".into(),
                remedy: "Use longer sequences, or examples with shorter prompts".into(),
            });
        }
        micro.iter().try_for_each(|batch| self.check(&batch.tokens, batch.time))?;
        on!(self, m => m.train_step(micro, targets, lr))
    }

    /// Prepares what a step over such micro-batches runs: a GPU's kernels are compiled, with pauses that keep a
    /// browser's pages responsive. A step works without it, but then takes longer the first time.
    ///
    /// # Errors
    /// What [`Self::accumulated_step`] would refuse for want of memory.
    pub async fn prepare_step(&mut self, micro: &[Batch]) -> Result<()> {
        match self {
            Self::Gpu(arm) => arm.prepare_step(micro).await,
            Self::Cpu(_) => Ok(()),
        }
    }

    /// Steps that may be queued before [`Self::take_metrics`] must be called.
    pub fn pending_limit(&self) -> usize {
        on!(self, m => m.pending_limit())
    }

    /// Waits for the queued steps and returns what they reported since the last call, in order.
    pub async fn take_metrics(&mut self) -> Result<Vec<StepMetrics>> {
        on!(self, m => m.take_metrics().await)
    }

    /// Negative log-likelihood of each target, nats; 0 where there is none. (B,T).
    pub async fn nll(&mut self, batch: &Batch) -> Result<Vec<f32>> {
        self.check(&batch.tokens, batch.time)?;
        on!(self, m => m.nll(batch).await)
    }

    /// Compares this model's distribution with the base's at each target of the batch. (B,T).
    pub async fn shift(&mut self, base: &mut Self, batch: &Batch) -> Result<Vec<TokenShift>> {
        self.compare(base, batch, Divergence::ToBase).await
    }

    /// [`Self::shift`] by either divergence.
    pub async fn compare(
        &mut self,
        base: &mut Self,
        batch: &Batch,
        divergence: Divergence,
    ) -> Result<Vec<TokenShift>> {
        self.check(&batch.tokens, batch.time)?;
        match (self, base) {
            (Self::Gpu(tuned), Self::Gpu(base)) => tuned.compare(base, batch, divergence).await,
            (Self::Cpu(tuned), Self::Cpu(base)) => tuned.compare(base, batch, divergence).await,
            _ => Err(Error::Shape { op: "shift", message: "arm and base are on different back ends".into() }),
        }
    }

    /// The [`TOP_K`] likeliest next tokens at each position of one sequence.
    pub async fn top_k(&mut self, tokens: &[u32]) -> Result<Vec<Top>> {
        self.check(tokens, tokens.len())?;
        on!(self, m => m.top_k(tokens).await)
    }

    /// Logits at each position of one sequence, (T,V).
    pub async fn logits(&mut self, tokens: &[u32]) -> Result<Vec<f32>> {
        self.check(tokens, tokens.len())?;
        on!(self, m => m.logits(tokens).await)
    }

    /// The trained tensors: the adapter's under PEFT's names, or all weights under Hugging Face's.
    pub async fn tensors(&self) -> Result<Tensors> {
        on!(self, m => m.tensors().await)
    }

    /// Name and shape of each of [`Self::tensors`], in their order.
    pub fn trained(&self) -> Vec<(String, Vec<usize>)> {
        on!(self, m => m.trained())
    }

    /// Some of a trained tensor's values, so that a large one need not be held as a whole.
    ///
    /// # Errors
    /// When there are no such values.
    pub async fn part(&self, name: &str, range: Range<usize>) -> Result<Vec<f32>> {
        on!(self, m => m.part(name, range).await)
    }

    /// All weights as they are now, under Hugging Face's names; an adapter is merged into them.
    pub async fn weights(&self) -> Result<Weights> {
        on!(self, m => m.weights().await)
    }

    /// The weight of one linear layer as it is now, e.g. of `model.layers.0.self_attn.q_proj`; an adapter is merged into it.
    ///
    /// # Errors
    /// When there is no such layer.
    pub async fn linear(&self, name: &str) -> Result<Array> {
        on!(self, m => m.linear(name).await)
    }

    /// This arm's training state; the caller must have waited for its queued steps.
    ///
    /// # Errors
    /// When it is a base.
    pub async fn progress(&self) -> Result<Progress> {
        on!(self, m => m.progress().await)
    }

    /// Continues from `progress`: the next steps are those that would have followed, to the last bit.
    ///
    /// # Errors
    /// When this is a base, or an arm made with other settings than the one that `progress` is from.
    pub async fn restore(&mut self, progress: &Progress) -> Result<()> {
        on!(self, m => m.restore(progress).await)
    }

    /// The gradients of the last step, under the names of [`Self::tensors`].
    pub async fn gradients(&self) -> Result<Tensors> {
        on!(self, m => m.gradients().await)
    }

    /// Refuses tokens that the model does not have, and rows of more than its positions.
    fn check(&self, tokens: &[u32], time: usize) -> Result<()> {
        let config = self.config();
        let (vocab, limit) = (config.vocab_size, config.max_position_embeddings);
        if let Some(token) = tokens.iter().find(|token| **token as usize >= vocab) {
            let message = format!("{token} is not one of the model's {vocab} tokens");
            return Err(Error::Setting { field: "tokens", message, remedy: "Use its own tokenizer".into() });
        }
        if time > limit {
            let message = format!("a sequence has {time}, and the model's positions end at {limit}");
            return Err(Error::Setting { field: "tokens", message, remedy: "Use fewer".into() });
        }
        Ok(())
    }

    /// What an arm on the GPU takes when its steps are over `accumulate` micro-batches of (rows, time) tokens;
    /// `None` on the CPU, whose memory is candle's.
    ///
    /// # Errors
    /// None in practice: nothing is allocated.
    pub fn memory_plan(&self, rows: usize, time: usize, accumulate: usize) -> Result<Option<MemoryPlan>> {
        match self {
            Self::Gpu(model) => model.memory_plan(rows, time, accumulate).map(Some),
            Self::Cpu(_) => Ok(None),
        }
    }

    /// Trained parameters, 0 for a base.
    pub fn trainable_parameters(&self) -> usize {
        on!(self, m => m.trainable_parameters())
    }
}
