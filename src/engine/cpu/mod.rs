//! The engine on the CPU: the candle reference, differentiated by candle, with candle-transformers' Llama
//! and its key/value cache for decoding.

mod decode;
mod merge;
mod training;

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::rc::Rc;

use candle_core::{Device, Tensor, Var};
use candle_transformers::models::llama as inference;

pub(super) use self::decode::Decoding;
pub use self::merge::merge_adapter;
pub(super) use self::merge::{PREFIX, merge_linear};
use self::merge::{adapters_at, array, arrays, merge};
use self::training::Training;
use super::{
    Divergence, Progress, StepMetrics, TOP_K, Take, Tensors, TokenShift, Top, Tuning, a_base, no_such_part,
    not_of_this_arm,
};
use crate::data::batch::Batch;
use crate::error::{Error, Result};
use crate::kernels::{CrossEntropy, Shift, TopK};
use crate::model::config::LlamaConfig;
use crate::model::weights::{Array, Weights};
use crate::reference::adamw::Moments;
use crate::reference::adapter::LinearAdapter;
use crate::reference::llama::{Llama, Named, tensor};
use crate::train::Optimizer;

/// A Llama on the CPU: a base, or an arm that trains.
pub struct CpuModel {
    config: LlamaConfig,
    base: Rc<Named>,
    llama: Llama,
    /// By linear layer, e.g. `model.layers.0.self_attn.q_proj`.
    adapters: BTreeMap<String, LinearAdapter>,
    training: Option<Training>,
    /// The weights as they are now, adapters merged; rebuilt after training.
    decoder: Option<inference::Llama>,
}

impl CpuModel {
    pub fn new(config: &LlamaConfig, take: &mut Take) -> Result<Self> {
        let mut base = Named::new();
        for (name, shape) in config.tensors() {
            let array = take(&name, &shape)?;
            base.insert(name, tensor(array)?);
        }
        Self::over(config, Rc::new(base))
    }

    fn over(config: &LlamaConfig, base: Rc<Named>) -> Result<Self> {
        let (llama, adapters) = (Llama::frozen(config, &base)?, BTreeMap::new());
        Ok(Self { config: config.clone(), base, llama, adapters, training: None, decoder: None })
    }

    pub fn config(&self) -> &LlamaConfig {
        &self.config
    }

    /// See [`super::Model::again`].
    pub fn again(&self) -> Result<Self> {
        Self::over(&self.config, self.base.clone())
    }

    /// An arm that starts at this base, whose weights it shares.
    pub fn tune(&self, tuning: &Tuning, optimizer: Optimizer) -> Result<Self> {
        let base = match self.training {
            None => self.llama.clone(),
            Some(_) => Llama::frozen(&self.config, &self.base)?,
        };
        let mut adapters = BTreeMap::new();
        let llama = match tuning {
            Tuning::Full => Llama::full(&self.config, &self.base)?,
            Tuning::Lora { lora, start } => {
                adapters = adapters_at(&self.config, &self.base, lora, start)?;
                base.with_adapters(&adapters)
            }
        };
        let training = Training::new(optimizer, base);
        Ok(Self {
            config: self.config.clone(),
            base: self.base.clone(),
            llama,
            adapters,
            training: Some(training),
            decoder: None,
        })
    }

    /// See [`super::Model::scaled`].
    pub fn scaled(&self, strength: f32) -> Result<Option<Self>> {
        if self.adapters.is_empty() || self.adapters.values().any(|adapter| adapter.magnitude.is_some()) {
            return Ok(None);
        }
        let mut scaled = Self::over(&self.config, self.base.clone())?;
        scaled.adapters = self.adapters.clone();
        scaled.adapters.values_mut().for_each(|adapter| adapter.scale *= f64::from(strength));
        scaled.llama = scaled.llama.with_adapters(&scaled.adapters);
        Ok(Some(scaled))
    }

    /// One step over micro-batches with `counted` response tokens in all.
    pub fn train_step(&mut self, micro: &[Batch], counted: usize, lr: f32) -> Result<()> {
        let training = self.training.as_mut().ok_or_else(a_base)?;
        let start = self.adapters.is_empty().then_some(&*self.base);
        training.step(&self.llama, start, micro, counted, lr)?;
        self.decoder = None;
        Ok(())
    }

    /// One: each step is done when it returns, so a caller that wants to do other things asks often.
    pub fn pending_limit(&self) -> usize {
        1
    }

    pub async fn take_metrics(&mut self) -> Result<Vec<StepMetrics>> {
        Ok(self.training.as_mut().map(|t| std::mem::take(&mut t.metrics)).unwrap_or_default())
    }

    /// Logits (N,V) of N tokens in `rows` rows.
    fn forward(&self, tokens: &[u32], rows: usize) -> Result<Vec<f32>> {
        let hidden = self.llama.hidden(tokens, rows)?.detach();
        Ok(self.llama.logits(&hidden)?.flatten_all()?.to_vec1()?)
    }

    pub async fn nll(&mut self, batch: &Batch) -> Result<Vec<f32>> {
        let logits = self.forward(&batch.tokens, batch.rows)?;
        let op = CrossEntropy { rows: batch.tokens.len() as u32, vocab: self.config.vocab_size as u32 };
        Ok(op.forward_cpu(&logits, &batch.targets))
    }

    /// See [`super::Model::compare`].
    pub async fn compare(
        &mut self,
        base: &mut Self,
        batch: &Batch,
        divergence: Divergence,
    ) -> Result<Vec<TokenShift>> {
        let [tuned, base] = [&*self, &*base].map(|model| model.forward(&batch.tokens, batch.rows));
        let (of, from) = match divergence {
            Divergence::ToBase => (tuned?, base?),
            Divergence::FromBase => (base?, tuned?),
        };
        let op = Shift { rows: batch.tokens.len() as u32, vocab: self.config.vocab_size as u32 };
        let words = op.record_cpu(&of, &from, &batch.targets);
        Ok(words.chunks_exact(4).map(|words| TokenShift::from_words(words, divergence)).collect())
    }

    pub async fn top_k(&mut self, tokens: &[u32]) -> Result<Vec<Top>> {
        let logits = self.forward(tokens, 1)?;
        let k = TOP_K.min(self.config.vocab_size);
        let op = TopK { rows: tokens.len() as u32, vocab: self.config.vocab_size as u32, k: k as u32 };
        let (ids, logprobs) = op.record_cpu(&logits);
        let rows = ids.chunks(k).zip(logprobs.chunks(k));
        Ok(rows.map(|(i, l)| i.iter().copied().zip(l.iter().copied()).collect()).collect())
    }

    pub async fn logits(&mut self, tokens: &[u32]) -> Result<Vec<f32>> {
        self.forward(tokens, 1)
    }

    /// The weights as they are now, with the adapters merged into them.
    fn merged(&self) -> Result<HashMap<String, Tensor>> {
        let trained = |name: &str| self.llama.trainable().get(name).map(|var| var.as_tensor().detach());
        merge(&self.base, &self.adapters, trained)
    }

    /// All weights as they are now, under Hugging Face's names.
    pub async fn weights(&self) -> Result<Weights> {
        arrays(self.merged()?)
    }

    /// See [`super::Model::linear`].
    pub async fn linear(&self, name: &str) -> Result<Array> {
        let key = format!("{name}.weight");
        let held = self.base.get(&key).ok_or_else(|| no_such_part(name))?;
        let trained = self.llama.trainable().get(&key).map(|var| var.as_tensor().detach());
        let weight = trained.unwrap_or_else(|| held.clone());
        match self.adapters.get(name) {
            Some(adapter) => array(&adapter.merge(&weight)?),
            None => array(&weight),
        }
    }

    pub async fn tensors(&self) -> Result<Tensors> {
        let values = |var: &Var| Ok(var.as_tensor().clone());
        self.named(values)
    }

    /// See [`super::Model::trained`].
    pub fn trained(&self) -> Vec<(String, Vec<usize>)> {
        let prefix = self.prefix();
        let entry = |(name, var): (&String, &Var)| (format!("{prefix}{name}"), var.dims().to_vec());
        self.llama.trainable().iter().map(entry).collect()
    }

    /// See [`super::Model::part`].
    pub async fn part(&self, name: &str, range: Range<usize>) -> Result<Vec<f32>> {
        let var = self.llama.trainable().get(name.strip_prefix(self.prefix()).unwrap_or(name));
        let var = var.filter(|var| range.start <= range.end && range.end <= var.elem_count());
        let values = var.ok_or_else(|| no_such_part(name))?.as_tensor().flatten_all()?;
        Ok(values.narrow(0, range.start, range.len())?.to_vec1()?)
    }

    /// See [`super::Model::progress`].
    pub async fn progress(&self) -> Result<Progress> {
        let training = self.training.as_ref().ok_or_else(a_base)?;
        let trained = self.tensors().await?;
        let of = |pick: fn(&Moments) -> &Vec<f32>| -> Tensors {
            let prefix = self.prefix();
            let moment = |(name, (shape, values)): (&String, &(Vec<usize>, Vec<f32>))| {
                let moments = training.optimizer.moments.get(name.strip_prefix(prefix).unwrap_or(name));
                let none = || vec![0.0; values.len()];
                (name.clone(), (shape.clone(), moments.map_or_else(none, |moments| pick(moments).clone())))
            };
            trained.iter().map(moment).collect()
        };
        let (first, second) = (of(|moments| &moments.first), of(|moments| &moments.second));
        Ok(Progress { step: training.optimizer.step as u32, trained, first, second })
    }

    /// See [`super::Model::restore`].
    pub async fn restore(&mut self, progress: &Progress) -> Result<()> {
        let prefix = self.prefix();
        let training = self.training.as_mut().ok_or_else(a_base)?;
        for (name, var) in self.llama.trainable() {
            let full = format!("{prefix}{name}");
            let of = |tensors: &Tensors| {
                let found = tensors.get(&full).filter(|(shape, _)| shape == var.dims());
                found.map(|(_, data)| data.clone()).ok_or_else(|| not_of_this_arm(&full))
            };
            var.set(&Tensor::from_vec(of(&progress.trained)?, var.shape(), &Device::Cpu)?)?;
            let moments = Moments { first: of(&progress.first)?, second: of(&progress.second)? };
            training.optimizer.moments.insert(name.clone(), moments);
        }
        training.optimizer.step = progress.step as usize;
        self.decoder = None;
        Ok(())
    }

    /// What PEFT puts before the names of an adapter's tensors.
    fn prefix(&self) -> &'static str {
        if self.adapters.is_empty() { "" } else { PREFIX }
    }

    pub async fn gradients(&self) -> Result<Tensors> {
        let Some(gradients) = self.training.as_ref().and_then(|t| t.gradients.as_ref()) else {
            return Ok(Tensors::new());
        };
        self.named(|var| {
            let missing = || Error::Shape { op: "gradients", message: "a parameter has none".into() };
            gradients.get(var.as_tensor()).cloned().ok_or_else(missing)
        })
    }

    fn named(&self, value: impl Fn(&Var) -> Result<Tensor>) -> Result<Tensors> {
        let prefix = self.prefix();
        let entry = |(name, var): (&String, &Var)| {
            let data = value(var)?.flatten_all()?.to_vec1()?;
            Ok((format!("{prefix}{name}"), (var.dims().to_vec(), data)))
        };
        match self.training {
            Some(_) => self.llama.trainable().iter().map(entry).collect(),
            None => Ok(Tensors::new()),
        }
    }

    pub fn trainable_parameters(&self) -> usize {
        match self.training {
            Some(_) => self.llama.trainable().values().map(|v| v.elem_count()).sum(),
            None => 0,
        }
    }
}
