//! A Llama that candle can differentiate.
//!
//! B batch, T time, C width, H query heads, G key and value heads, D head size, F feed-forward,
//! V vocabulary, R adapter rank. The residual stream is kept as (B * T, C).

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::{Device, Tensor, Var};

use super::adapter::{Linear, LinearAdapter};
use super::ops::{self, Heads, Rotary};
use crate::error::{Error, Result};
use crate::model::config::LlamaConfig;
use crate::model::layout::{LORA_A, LORA_B, MAGNITUDE};
use crate::model::weights::{Array, Weights};

/// Tensors by Hugging Face's name.
pub type Named = BTreeMap<String, Tensor>;

/// A tensor with an array's values, which are moved.
///
/// # Errors
/// None in practice.
pub fn tensor(array: Array) -> Result<Tensor> {
    Ok(Tensor::from_vec(array.data, array.shape, &Device::Cpu)?)
}

/// [`tensor`] of each.
///
/// # Errors
/// None in practice.
pub fn named(weights: Weights) -> Result<Named> {
    weights.into_iter().map(|(name, array)| Ok((name, tensor(array)?))).collect()
}

#[derive(Clone)]
struct Layer {
    input_norm: Tensor,
    q: Linear,
    k: Linear,
    v: Linear,
    o: Linear,
    post_norm: Tensor,
    gate: Linear,
    up: Linear,
    down: Linear,
}

impl Layer {
    /// By name.
    fn linears(&mut self) -> [(&'static str, &mut Linear); 7] {
        [
            ("self_attn.q_proj", &mut self.q),
            ("self_attn.k_proj", &mut self.k),
            ("self_attn.v_proj", &mut self.v),
            ("self_attn.o_proj", &mut self.o),
            ("mlp.gate_proj", &mut self.gate),
            ("mlp.up_proj", &mut self.up),
            ("mlp.down_proj", &mut self.down),
        ]
    }
}

/// The model and its trainable parameters; a clone shares them.
#[derive(Clone)]
pub struct Llama {
    config: LlamaConfig,
    embedding: Tensor,
    layers: Vec<Layer>,
    norm: Tensor,
    /// (V, C); the embedding itself when tied.
    head: Tensor,
    /// What training changes, by Hugging Face name (adapters: `<linear>.lora_A.weight`).
    trainable: BTreeMap<String, Var>,
}

impl Llama {
    /// A model whose every weight is trainable, and a copy of the one given.
    pub fn full(config: &LlamaConfig, weights: &Named) -> Result<Self> {
        let mut vars = BTreeMap::new();
        for name in weights.keys() {
            vars.insert(name.clone(), Var::from_tensor(&weights[name].copy()?)?);
        }
        let tensors = vars.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())).collect();
        Self::assemble(config, &tensors, vars)
    }

    /// A model whose weights are fixed; it shares them.
    pub fn frozen(config: &LlamaConfig, weights: &Named) -> Result<Self> {
        Self::assemble(config, weights, BTreeMap::new())
    }

    /// The same weights, which are shared, with adapters that train, by linear layer name such as
    /// `model.layers.0.self_attn.q_proj`.
    pub fn with_adapters(&self, adapters: &BTreeMap<String, LinearAdapter>) -> Self {
        let mut adapted = self.clone();
        for (index, layer) in adapted.layers.iter_mut().enumerate() {
            for (name, linear) in layer.linears() {
                linear.adapter = adapters.get(&format!("model.layers.{index}.{name}")).cloned();
            }
        }
        for (name, adapter) in adapters {
            let mut train =
                |part: &str, var: &Var| adapted.trainable.insert(format!("{name}.{part}"), var.clone());
            train(LORA_A, &adapter.a);
            train(LORA_B, &adapter.b);
            if let Some(magnitude) = &adapter.magnitude {
                train(MAGNITUDE, magnitude);
            }
        }
        adapted
    }

    fn assemble(config: &LlamaConfig, tensors: &Named, trainable: BTreeMap<String, Var>) -> Result<Self> {
        let tensor = |name: &str| tensors.get(name).cloned().ok_or_else(|| missing(name));
        let mut layers = Vec::with_capacity(config.num_hidden_layers);
        for index in 0..config.num_hidden_layers {
            let prefix = format!("model.layers.{index}");
            let linear = |name: &str| -> Result<Linear> {
                Ok(Linear { weight: tensor(&format!("{prefix}.{name}.weight"))?, adapter: None })
            };
            layers.push(Layer {
                input_norm: tensor(&format!("{prefix}.input_layernorm.weight"))?,
                q: linear("self_attn.q_proj")?,
                k: linear("self_attn.k_proj")?,
                v: linear("self_attn.v_proj")?,
                o: linear("self_attn.o_proj")?,
                post_norm: tensor(&format!("{prefix}.post_attention_layernorm.weight"))?,
                gate: linear("mlp.gate_proj")?,
                up: linear("mlp.up_proj")?,
                down: linear("mlp.down_proj")?,
            });
        }
        let embedding = tensor("model.embed_tokens.weight")?;
        let head = if config.tie_word_embeddings { embedding.clone() } else { tensor("lm_head.weight")? };
        let norm = tensor("model.norm.weight")?;
        Ok(Llama { config: config.clone(), embedding, layers, norm, head, trainable })
    }

    /// The model's shape.
    pub fn config(&self) -> &LlamaConfig {
        &self.config
    }

    /// What training changes, by name.
    pub fn trainable(&self) -> &BTreeMap<String, Var> {
        &self.trainable
    }

    /// Logits (B, T, V) of `ids`, which is B rows of T tokens.
    pub fn forward(&self, ids: &[u32], batch: usize) -> Result<Tensor> {
        let hidden = self.hidden(ids, batch)?;
        let logits = self.logits(&hidden)?;
        Ok(logits.reshape((batch, ids.len() / batch.max(1), self.config.vocab_size))?)
    }

    /// Logits (N, V) of rows of [`Llama::hidden`].
    pub fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        Ok(ops::linear(hidden, &self.head)?)
    }

    /// The normalised residual stream (B * T, C) after the last layer.
    pub fn hidden(&self, ids: &[u32], batch: usize) -> Result<Tensor> {
        let time = self.check(ids, batch)?;
        self.run_layers(self.embed(ids)?, batch, time)
    }

    /// As [`Llama::hidden`] for embedded inputs x (B * T, C), so that a caller can add noise to them.
    pub fn run_layers(&self, embedded: Tensor, batch: usize, time: usize) -> Result<Tensor> {
        let config = &self.config;
        let eps = config.rms_norm_eps as f32;
        let rotary = Some(Arc::new(Rotary::new(time, &config.inverse_frequencies())));
        let head_dim = config.head_dim;
        let queries = Heads { batch, time, heads: config.num_attention_heads, head_dim, rotary };
        let mut x = embedded;
        for layer in &self.layers {
            let normed = ops::rms_norm(&x, &layer.input_norm, eps)?;
            x = (x + layer.attention(&normed, &queries, config.num_key_value_heads)?)?;
            let normed = ops::rms_norm(&x, &layer.post_norm, eps)?;
            x = (x + layer.feed_forward(&normed)?)?;
        }
        Ok(ops::rms_norm(&x, &self.norm, eps)?)
    }

    /// The embeddings (B * T, C) of `ids`; the padding token's get no gradient.
    pub fn embed(&self, ids: &[u32]) -> Result<Tensor> {
        let tokens = Tensor::from_slice(ids, ids.len(), &Device::Cpu)?;
        let embedded = self.embedding.index_select(&tokens, 0)?;
        let Some(pad) = self.config.pad_token_id.filter(|pad| ids.contains(pad)) else {
            return Ok(embedded);
        };
        let learns: Vec<f32> = ids.iter().map(|id| f32::from(u8::from(*id != pad))).collect();
        let learns = Tensor::from_vec(learns, (ids.len(), 1), &Device::Cpu)?;
        let fixed = embedded.detach().broadcast_mul(&(1.0 - &learns)?)?;
        Ok((embedded.broadcast_mul(&learns)? + fixed)?)
    }

    fn check(&self, ids: &[u32], batch: usize) -> Result<usize> {
        let shape = |message: String| Err(Error::Shape { op: "llama", message });
        if batch == 0 || ids.is_empty() || !ids.len().is_multiple_of(batch) {
            return shape(format!("{} tokens are not {batch} equal rows", ids.len()));
        }
        let time = ids.len() / batch;
        if time > self.config.max_position_embeddings {
            let longest = self.config.max_position_embeddings;
            return shape(format!("{time} positions, the model has {longest}"));
        }
        if let Some(id) = ids.iter().find(|id| **id as usize >= self.config.vocab_size) {
            return shape(format!("token {id} of a vocabulary of {}", self.config.vocab_size));
        }
        Ok(time)
    }
}

impl Layer {
    /// x (B * T, C) to (B * T, C).
    fn attention(&self, x: &Tensor, queries: &Heads, groups: usize) -> Result<Tensor> {
        let Heads { batch, time, heads, head_dim, .. } = *queries;
        let keys = Heads { heads: groups, ..queries.clone() };
        let values = Heads { rotary: None, ..keys.clone() };
        // Query heads that share a key head are stacked in its rows: nothing is repeated.
        let stacked = (batch * groups, heads / groups * time, head_dim);
        let q = queries.split(&self.q.forward(x)?)?.reshape(stacked)?;
        let k = keys.split(&self.k.forward(x)?)?.reshape((batch * groups, time, head_dim))?;
        let v = values.split(&self.v.forward(x)?)?.reshape((batch * groups, time, head_dim))?;
        let scores = q.matmul(&k.t()?)?; // (B G, H/G T, T)
        let p = ops::causal_softmax(&scores, 1.0 / (head_dim as f32).sqrt())?;
        let y = p.matmul(&v)?.reshape((batch, heads, time, head_dim))?;
        let plain = Heads { rotary: None, ..queries.clone() };
        self.o.forward(&plain.merge(&y)?)
    }

    /// x (B * T, C) to (B * T, C).
    fn feed_forward(&self, x: &Tensor) -> Result<Tensor> {
        let gated = ops::swiglu(&self.gate.forward(x)?, &self.up.forward(x)?)?;
        self.down.forward(&gated)
    }
}

fn missing(name: &str) -> Error {
    Error::Format {
        file: "model.safetensors".to_string(),
        field: name.to_string(),
        message: "missing".to_string(),
        remedy: "use weights that belong to this config.json".to_string(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use rand::RngExt;

    use crate::data::corpus::Corpus;
    use crate::reference::ops::cross_entropy;

    /// A model of odd sizes with fixed random weights.
    pub(crate) fn small() -> Llama {
        let (config, weights) = parts();
        Llama::full(&config, &named(weights).unwrap()).unwrap()
    }

    fn parts() -> (LlamaConfig, Weights) {
        let config = LlamaConfig {
            hidden_size: 12,
            intermediate_size: 20,
            num_hidden_layers: 2,
            num_attention_heads: 4,
            num_key_value_heads: 2,
            head_dim: 6,
            vocab_size: 32,
            rope_theta: 10_000.0,
            rope_scaling: None,
            rms_norm_eps: 1e-5,
            tie_word_embeddings: true,
            max_position_embeddings: 24,
            bos_token_id: None,
            eos_token_ids: vec![0],
            pad_token_id: None,
        };
        let mut rng = Corpus::generator(5, 0);
        let mut weights = Weights::new();
        for (name, shape) in config.tensors() {
            let data = (0..shape.iter().product()).map(|_| rng.random_range(-0.5..0.5)).collect();
            weights.insert(name, Array::new(shape, data).unwrap());
        }
        (config, weights)
    }

    fn adapters(config: &LlamaConfig) -> BTreeMap<String, LinearAdapter> {
        let mut all = BTreeMap::new();
        for layer in 0..config.num_hidden_layers {
            for (linear, [output, input]) in config.linears() {
                let var = |shape| Var::ones(shape, candle_core::DType::F32, &Device::Cpu).unwrap();
                let adapter =
                    LinearAdapter { a: var((3, input)), b: var((output, 3)), scale: 0.1, magnitude: None };
                all.insert(format!("model.layers.{layer}.{linear}"), adapter);
            }
        }
        all
    }

    fn every_parameter_learns(model: &Llama, count: usize) {
        let ids = [1, 2, 3, 4, 5, 6, 7, 8];
        let logits = model.logits(&model.hidden(&ids, 2).unwrap()).unwrap();
        let loss = cross_entropy(&logits, &[2, 3, 4, 5, 6, 7, 8, 9]).unwrap();
        let gradients = loss.backward().unwrap();
        assert_eq!(model.trainable().len(), count);
        for (name, var) in model.trainable() {
            let gradient = gradients.get(var).unwrap_or_else(|| panic!("{name} has no gradient"));
            let size = gradient.abs().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
            assert!(size > 0.0, "{name}: gradient is zero");
        }
    }

    #[test]
    fn every_weight_gets_a_gradient() {
        every_parameter_learns(&small(), 2 + 2 * 9);
    }

    #[test]
    fn every_adapter_gets_a_gradient_and_no_weight_does() {
        let (config, weights) = parts();
        let model = Llama::frozen(&config, &named(weights.clone()).unwrap())
            .unwrap()
            .with_adapters(&adapters(&config));
        every_parameter_learns(&model, 2 * 7 * 2);
    }

    #[test]
    fn an_adapter_equals_its_merged_weight() {
        let (config, mut weights) = parts();
        let all = adapters(&config);
        let adapted = Llama::frozen(&config, &named(weights.clone()).unwrap()).unwrap().with_adapters(&all);
        for (name, adapter) in &all {
            let delta = (adapter.b.matmul(&adapter.a).unwrap() * adapter.scale).unwrap();
            let delta = delta.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let array = weights.get_mut(&format!("{name}.weight")).unwrap();
            array.data.iter_mut().zip(delta).for_each(|(weight, delta)| *weight += delta);
        }
        let merged = Llama::frozen(&config, &named(weights.clone()).unwrap()).unwrap();
        let logits = |model: &Llama| {
            model.forward(&[1, 2, 3, 4], 1).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        for (a, b) in logits(&adapted).iter().zip(logits(&merged)) {
            assert!((a - b).abs() < 1e-4, "{a} {b}");
        }
    }

    #[test]
    fn gradients_agree_with_finite_differences() {
        let model = small();
        let ids = [1, 2, 3, 4, 5, 6];
        let loss = || {
            let logits = model.logits(&model.hidden(&ids, 2).unwrap()).unwrap();
            cross_entropy(&logits, &[2, 3, 4, 5, 6, 7]).unwrap()
        };
        let gradients = loss().backward().unwrap();
        for (name, var) in model.trainable() {
            let slope = gradients.get(var).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let values = var.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let index = (0..slope.len()).max_by(|a, b| slope[*a].abs().total_cmp(&slope[*b].abs())).unwrap();
            let at = |step: f32| {
                let mut moved = values.clone();
                moved[index] += step;
                var.set(&Tensor::from_vec(moved, var.shape(), &Device::Cpu).unwrap()).unwrap();
                loss().to_scalar::<f32>().unwrap()
            };
            let measured = (at(5e-3) - at(-5e-3)) / 1e-2;
            at(0.0);
            let tolerance = 2e-2 * slope[index].abs() + 2e-4;
            assert!((measured - slope[index]).abs() < tolerance, "{name}: {measured} {}", slope[index]);
        }
    }

    #[test]
    fn wrong_inputs_are_errors() {
        let model = small();
        assert!(model.forward(&[1, 2, 3], 2).is_err(), "rows of unequal length");
        assert!(model.forward(&[], 1).is_err());
        assert!(model.forward(&[32], 1).is_err(), "a token beyond the vocabulary");
        assert!(model.forward(&[1; 25], 1).is_err(), "a position beyond the last");
    }
}
