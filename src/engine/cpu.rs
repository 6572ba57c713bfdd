//! The engine on the CPU: the candle reference, differentiated by candle, with candle-transformers' Llama
//! and its key/value cache for decoding.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Tensor, Var};
use candle_nn::VarBuilder;
use candle_transformers::models::llama as inference;

use super::{Sampling, StepMetrics, TOP_K, Tensors, TokenShift, Top, Tuning};
use crate::data::batch::Batch;
use crate::error::{Error, Result};
use crate::kernels::{CrossEntropy, Draw, IGNORED, Neftune, Pull, Shift, Step, TopK};
use crate::model::config::LlamaConfig;
use crate::model::layout::{AdapterLayout, LORA_A, LORA_B, MAGNITUDE};
use crate::model::lora::{AdapterStart, Lora};
use crate::model::weights::{Array, Weights};
use crate::reference::adamw::AdamW;
use crate::reference::adapter::{Adapter, row_norms};
use crate::reference::llama::Llama;
use crate::reference::ops::{cross_entropy, kl};
use crate::train::Optimizer;

/// What PEFT puts before Hugging Face's names.
const PREFIX: &str = "base_model.model.";

/// Sequences that are decoded side by side.
const DECODE_ROWS: usize = 64;

/// What an arm adds to a model.
struct Training {
    settings: Optimizer,
    /// What the loss keeps the arm close to.
    base: Option<Llama>,
    optimizer: AdamW,
    metrics: Vec<StepMetrics>,
    gradients: Option<GradStore>,
}

/// A Llama on the CPU: a base, or an arm that trains.
pub struct CpuModel {
    config: LlamaConfig,
    base: Rc<Weights>,
    llama: Llama,
    /// By linear layer, e.g. `model.layers.0.self_attn.q_proj`.
    adapters: BTreeMap<String, Adapter>,
    training: Option<Training>,
    /// The weights as they are now, adapters merged; rebuilt after training.
    decoder: Option<inference::Llama>,
}

impl CpuModel {
    pub fn new(config: &LlamaConfig, weights: Rc<Weights>) -> Result<Self> {
        let (llama, adapters) = (Llama::frozen(config, &weights)?, BTreeMap::new());
        Ok(Self { config: config.clone(), base: weights, llama, adapters, training: None, decoder: None })
    }

    pub fn config(&self) -> &LlamaConfig {
        &self.config
    }

    /// See [`super::Model::again`].
    pub fn again(&self) -> Result<Self> {
        Self::new(&self.config, self.base.clone())
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
        let training = Training {
            settings: optimizer,
            base: (optimizer.kl_to_base > 0.0).then_some(base),
            optimizer: AdamW::new(optimizer.reference()),
            metrics: Vec::new(),
            gradients: None,
        };
        Ok(Self {
            config: self.config.clone(),
            base: self.base.clone(),
            llama,
            adapters,
            training: Some(training),
            decoder: None,
        })
    }

    /// One step over micro-batches with `counted` response tokens in all.
    pub fn train_step(&mut self, micro: &[Batch], counted: usize, lr: f32) -> Result<()> {
        let Some(training) = &mut self.training else {
            return Err(Error::Shape { op: "train_step", message: "a base does not train".into() });
        };
        let (mut sum, mut loss) = (None, 0.0);
        let index = training.optimizer.step as u32;
        for (batch, micro) in micro.iter().zip(0..).filter(|(batch, _)| batch.response_tokens() > 0) {
            let share = batch.response_tokens() as f64 / counted as f64;
            let step = training.settings.step(index, micro, lr, counted);
            let part = (training.mean_loss(&self.llama, batch, &step)? * share)?;
            loss += part.to_vec0::<f32>()?;
            let gradients = part.backward()?;
            sum = Some(match sum {
                None => gradients,
                Some(sum) => add(self.llama.trainable(), sum, &gradients)?,
            });
        }
        if let Some(gradients) = sum {
            let norm = training.optimizer.update(self.llama.trainable(), &gradients, f64::from(lr))?;
            if training.settings.pull > 0.0 && self.adapters.is_empty() {
                pull(self.llama.trainable(), &self.base, lr, training.settings.pull)?;
            }
            training.metrics.push(StepMetrics { loss, grad_norm: norm as f32 });
            training.gradients = Some(gradients);
        }
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

    pub async fn shift(&mut self, base: &mut Self, batch: &Batch) -> Result<Vec<TokenShift>> {
        let (tuned, base) =
            (self.forward(&batch.tokens, batch.rows)?, base.forward(&batch.tokens, batch.rows)?);
        let op = Shift { rows: batch.tokens.len() as u32, vocab: self.config.vocab_size as u32 };
        Ok(op.record_cpu(&tuned, &base, &batch.targets).chunks_exact(4).map(TokenShift::from_words).collect())
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

    pub async fn generate(
        &mut self,
        prompts: &[Vec<u32>],
        max_new: usize,
        end: u32,
        sampling: Sampling,
    ) -> Result<Vec<Vec<u32>>> {
        let mut out = Vec::with_capacity(prompts.len());
        for chunk in prompts.chunks(DECODE_ROWS) {
            out.extend(self.generate_rows(chunk, max_new, end, sampling.draw(out.len()))?);
        }
        Ok(out)
    }

    /// Decodes rows side by side, all at the same position; prompts are fed token by token where their
    /// lengths differ.
    fn generate_rows(
        &mut self,
        prompts: &[Vec<u32>],
        max_new: usize,
        end: u32,
        draw: Draw,
    ) -> Result<Vec<Vec<u32>>> {
        let longest = prompts.iter().map(Vec::len).max().unwrap_or(0) + max_new;
        let mut cached = if self.has_plain_heads() { Some(self.cached_decoder(longest)?) } else { None };
        let mut rows: Vec<Vec<u32>> = prompts.to_vec();
        let done = |row: &[u32], prompt: &[u32]| {
            let new = &row[prompt.len()..];
            new.len() == max_new || new.last() == Some(&end)
        };
        // The shortest prompt's tokens are known for every row: they go in at once.
        let mut position = 0;
        let mut width = prompts.iter().map(Vec::len).min().unwrap_or(0).max(1);
        while position + width < longest {
            // Without a cache everything goes in again.
            let from = if cached.is_some() { position } else { 0 };
            let known = |row: &Vec<u32>, i: usize| row.get(i).copied().unwrap_or(end);
            let fed: Vec<u32> =
                rows.iter().flat_map(|row| (from..position + width).map(|i| known(row, i))).collect();
            let logits: Vec<Vec<f32>> = match &mut cached {
                Some((decoder, cache)) => {
                    let input = Tensor::from_vec(fed, (rows.len(), width), &Device::Cpu)?;
                    decoder.forward(&input, position, cache)?.to_vec2()?
                }
                None => self.last_logits(&fed, rows.len())?,
            };
            position += width;
            width = 1;
            for (b, (row, prompt)) in (0u32..).zip(rows.iter_mut().zip(prompts)) {
                if row.len() == position && !done(row, prompt) {
                    row.push(draw.choose(&logits[b as usize], b, position as u32));
                }
            }
            if rows.iter().zip(prompts).all(|(row, prompt)| done(row, prompt)) {
                break;
            }
        }
        self.decoder = cached.map(|(decoder, _)| decoder);
        let answer = |(row, prompt): (Vec<u32>, &Vec<u32>)| {
            let mut new = row[prompt.len()..].to_vec();
            new.truncate(new.iter().position(|&t| t == end).unwrap_or(new.len()));
            new
        };
        Ok(rows.into_iter().zip(prompts).map(answer).collect())
    }

    /// candle-transformers' Llama takes a head to be hidden_size / heads wide.
    fn has_plain_heads(&self) -> bool {
        self.config.num_attention_heads * self.config.head_dim == self.config.hidden_size
    }

    /// candle-transformers' Llama with the weights as they are now, and an empty cache.
    fn cached_decoder(&mut self, longest: usize) -> Result<(inference::Llama, inference::Cache)> {
        let config = inference_config(&self.config, longest);
        let cache = inference::Cache::new(true, DType::F32, &config, &Device::Cpu)?;
        let decoder = match self.decoder.take() {
            Some(decoder) => decoder,
            None => inference::Llama::load(
                VarBuilder::from_tensors(self.merged()?, DType::F32, &Device::Cpu),
                &config,
            )?,
        };
        Ok((decoder, cache))
    }

    /// Logits (B,V) behind the last of each row's tokens.
    fn last_logits(&self, tokens: &[u32], rows: usize) -> Result<Vec<Vec<f32>>> {
        let time = (tokens.len() / rows) as u32;
        let last: Vec<u32> = (1..=rows as u32).map(|row| row * time - 1).collect();
        let last = Tensor::from_slice(&last, rows, &Device::Cpu)?;
        let hidden = self.llama.hidden(tokens, rows)?.detach().index_select(&last, 0)?;
        Ok(self.llama.logits(&hidden)?.to_vec2()?)
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

    pub async fn tensors(&self) -> Result<Tensors> {
        let values = |var: &Var| Ok(var.as_tensor().clone());
        self.named(values)
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
        let prefix = if self.adapters.is_empty() { "" } else { PREFIX };
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

/// Back towards the base, as [`Pull`] says.
fn pull(trainable: &BTreeMap<String, Var>, base: &Weights, lr: f32, strength: f32) -> Result<()> {
    for (name, var) in trainable {
        let mut values = var.flatten_all()?.to_vec1::<f32>()?;
        let step = Step { lr, ..Step::default() };
        Pull { len: values.len() as u32, strength }.record_cpu(&base[name].data, &step, &mut values);
        var.set(&Tensor::from_vec(values, var.shape(), &Device::Cpu)?)?;
    }
    Ok(())
}

impl Training {
    /// Mean loss over the batch's response tokens, with the settings' noise on the embeddings and their penalty on
    /// leaving the base.
    fn mean_loss(&self, llama: &Llama, batch: &Batch, step: &Step) -> Result<Tensor> {
        let batch = batch.trimmed();
        // The head is applied to the rows whose loss counts, and to no others.
        let counted = (0u32..).zip(&batch.targets).filter(|(_, t)| **t != IGNORED);
        let (rows, targets): (Vec<u32>, Vec<u32>) = counted.map(|(row, &target)| (row, target)).unzip();
        let alpha = self.settings.neftune;
        let hidden = match alpha > 0.0 {
            false => llama.hidden(&batch.tokens, batch.rows)?,
            true => {
                let embedded = llama.embed(&batch.tokens)?;
                let (rows, width) = (batch.rows as u32, embedded.dim(1)? as u32);
                let op = Neftune { batch: rows, time: batch.time as u32, width, alpha };
                let noise = op.noise_cpu(&batch.lengths(), step);
                let noise = Tensor::from_vec(noise, embedded.shape(), &Device::Cpu)?;
                llama.run_layers((embedded + noise)?, batch.rows, batch.time)?
            }
        };
        let rows = Tensor::from_slice(&rows, rows.len(), &Device::Cpu)?;
        let logits = llama.logits(&hidden.index_select(&rows, 0)?)?;
        let loss = cross_entropy(&logits, &targets)?;
        let Some(base) = &self.base else { return Ok(loss) };
        let hidden = base.hidden(&batch.tokens, batch.rows)?.index_select(&rows, 0)?;
        let divergence = kl(&logits, &base.logits(&hidden)?)?;
        Ok((loss + (divergence * f64::from(self.settings.kl_to_base))?)?)
    }
}

/// `sum` with `more` added to the gradients of the trained parameters.
fn add(trainable: &BTreeMap<String, Var>, mut sum: GradStore, more: &GradStore) -> Result<GradStore> {
    for var in trainable.values() {
        if let (Some(a), Some(b)) = (sum.get(var.as_tensor()), more.get(var.as_tensor())) {
            let both = (a + b)?;
            sum.insert(var.as_tensor(), both);
        }
    }
    Ok(sum)
}

/// Every weight: the trained one where there is one, with an adapter's part.
fn merge(
    base: &Weights,
    adapters: &BTreeMap<String, Adapter>,
    trained: impl Fn(&str) -> Option<Tensor>,
) -> Result<HashMap<String, Tensor>> {
    let mut tensors = HashMap::new();
    for (name, array) in base {
        let mut tensor = match trained(name) {
            Some(tensor) => tensor,
            None => Tensor::from_slice(&array.data, array.shape.as_slice(), &Device::Cpu)?,
        };
        if let Some(adapter) = name.strip_suffix(".weight").and_then(|linear| adapters.get(linear)) {
            tensor = adapter.merge(&tensor)?;
        }
        tensors.insert(name.clone(), tensor);
    }
    Ok(tensors)
}

fn arrays(tensors: HashMap<String, Tensor>) -> Result<Weights> {
    let array = |(name, tensor): (String, Tensor)| {
        Ok((name, Array::new(tensor.dims().to_vec(), tensor.flatten_all()?.to_vec1()?)?))
    };
    tensors.into_iter().map(array).collect()
}

/// A base's weights with an adapter's tensors, under PEFT's names, merged into them.
pub(super) fn merge_adapter(
    config: &LlamaConfig,
    base: &Weights,
    lora: &Lora,
    tensors: Weights,
) -> Result<Weights> {
    let adapters = adapters_at(config, base, lora, &AdapterStart::Tensors(Rc::new(tensors)))?;
    arrays(merge(base, &adapters, |_| None)?)
}

/// Adapters by linear layer. A fresh one starts as on the GPU: with one draw of the seed.
fn adapters_at(
    config: &LlamaConfig,
    base: &Weights,
    lora: &Lora,
    start: &AdapterStart,
) -> Result<BTreeMap<String, Adapter>> {
    let (tensors, fresh) = match start {
        AdapterStart::Seed(seed) => (Rc::new(lora.initial(config, *seed)), true),
        AdapterStart::Tensors(tensors) => (tensors.clone(), false),
    };
    // Checks names and shapes.
    AdapterLayout::new(config, lora).pack(&tensors)?;
    let tensor = |array: &Array| Tensor::from_slice(&array.data, array.shape.as_slice(), &Device::Cpu);
    let mut adapters = BTreeMap::new();
    for (name, a) in &tensors.iter().filter(|(name, _)| name.ends_with(LORA_A)).collect::<Vec<_>>() {
        let peft = name.trim_end_matches(LORA_A);
        let linear = peft.trim_start_matches(PREFIX).trim_end_matches('.');
        let magnitude = match lora.dora {
            false => None,
            true if fresh => {
                Some(Var::from_tensor(&row_norms(&tensor(&base[&format!("{linear}.weight")])?)?)?)
            }
            true => Some(Var::from_tensor(&tensor(&tensors[&format!("{peft}{MAGNITUDE}")])?)?),
        };
        let adapter = Adapter {
            a: Var::from_tensor(&tensor(a)?)?,
            b: Var::from_tensor(&tensor(&tensors[&format!("{peft}{LORA_B}")])?)?,
            scale: f64::from(lora.scale()),
            magnitude,
        };
        adapters.insert(linear.to_string(), adapter);
    }
    Ok(adapters)
}

/// The shape as candle-transformers wants it, with rotary tables for `positions` positions.
fn inference_config(c: &LlamaConfig, positions: usize) -> inference::Config {
    let rope_scaling = c.rope_scaling.map(|scaling| inference::Llama3RopeConfig {
        factor: scaling.factor as f32,
        low_freq_factor: scaling.low_freq_factor as f32,
        high_freq_factor: scaling.high_freq_factor as f32,
        original_max_position_embeddings: scaling.original_max_position_embeddings,
        rope_type: inference::Llama3RopeType::Llama3,
    });
    inference::Config {
        hidden_size: c.hidden_size,
        intermediate_size: c.intermediate_size,
        vocab_size: c.vocab_size,
        num_hidden_layers: c.num_hidden_layers,
        num_attention_heads: c.num_attention_heads,
        num_key_value_heads: c.num_key_value_heads,
        use_flash_attn: false,
        rms_norm_eps: c.rms_norm_eps,
        rope_theta: c.rope_theta as f32,
        bos_token_id: None,
        eos_token_id: None,
        rope_scaling,
        // Not fewer than the heads, with which its cache compares this number.
        max_position_embeddings: positions.max(c.num_key_value_heads),
        tie_word_embeddings: c.tie_word_embeddings,
    }
}
