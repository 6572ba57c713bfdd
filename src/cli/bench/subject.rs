//! The model that is measured: a file's, or a known shape with random weights.

use std::path::Path;

use anyhow::{Result, ensure};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::cli::model;
use crate::model::config::LlamaConfig;
use crate::model::weights::{Array, Weights};

/// Shapes that need no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Shape {
    /// The built-in base model's.
    Atlas,
    /// SmolLM2-135M's.
    Smollm2,
}

impl Shape {
    fn config(self) -> LlamaConfig {
        let atlas = LlamaConfig {
            hidden_size: 192,
            intermediate_size: 512,
            num_hidden_layers: 4,
            num_attention_heads: 4,
            num_key_value_heads: 2,
            head_dim: 48,
            vocab_size: 2048,
            rope_theta: 10_000.0,
            rope_scaling: None,
            rms_norm_eps: 1e-5,
            tie_word_embeddings: true,
            max_position_embeddings: 512,
            bos_token_id: None,
            eos_token_id: None,
            pad_token_id: None,
        };
        match self {
            Self::Atlas => atlas,
            Self::Smollm2 => LlamaConfig {
                hidden_size: 576,
                intermediate_size: 1536,
                num_hidden_layers: 30,
                num_attention_heads: 9,
                num_key_value_heads: 3,
                head_dim: 64,
                vocab_size: 49_152,
                rope_theta: 100_000.0,
                max_position_embeddings: 8192,
                ..atlas
            },
        }
    }
}

pub struct Subject {
    pub name: String,
    pub config: LlamaConfig,
    pub weights: Weights,
}

/// `shape` with random weights, or else the model at `path`; of its layers the first `layers`.
pub fn open(path: &Path, shape: Option<Shape>, layers: Option<usize>) -> Result<Subject> {
    let (name, mut config, weights) = match shape {
        Some(shape) => (format!("{shape:?} with random weights"), shape.config(), None),
        None => {
            let bundle = model::read(path)?;
            (path.display().to_string(), bundle.config, Some(bundle.weights))
        }
    };
    if let Some(layers) = layers {
        let all = config.num_hidden_layers;
        ensure!((1..=all).contains(&layers), "--layers: the model has 1 to {all}");
        config.num_hidden_layers = layers;
    }
    let weights = match weights {
        None => random(&config)?,
        Some(mut weights) => {
            let kept = config.tensors();
            weights.retain(|name, _| kept.iter().any(|(kept, _)| kept == name));
            weights
        }
    };
    Ok(Subject { name, config, weights })
}

/// Norms of 1, else a deviation of 0.02 as at the start of a pre-training.
fn random(config: &LlamaConfig) -> Result<Weights> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let bound = 0.02 * 3f32.sqrt();
    let tensor = |(name, shape): (String, Vec<usize>)| {
        let len = shape.iter().product();
        let data = match shape.len() {
            1 => vec![1.0; len],
            _ => (0..len).map(|_| rng.random_range(-bound..bound)).collect(),
        };
        Ok((name, Array::new(shape, data)?))
    };
    config.tensors().into_iter().map(tensor).collect()
}
