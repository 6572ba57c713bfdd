//! Models that need no files: known shapes with random weights.

use std::str::FromStr;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::error::{Error, Result};
use crate::model::config::LlamaConfig;
use crate::model::weights::{Array, Weights};
use crate::record::{BenchShape, RandomModel};

impl RandomModel {
    /// Its name, its shape and its weights.
    ///
    /// # Errors
    /// When it has fewer layers than are wanted.
    pub fn build(self) -> Result<(String, LlamaConfig, Weights)> {
        let mut config = self.shape.config();
        if let Some(layers) = self.layers {
            keep_layers(&mut config, layers)?;
        }
        let weights = random_weights(&config)?;
        let shape = match self.shape {
            BenchShape::Atlas => "Atlas",
            BenchShape::Smollm2 => "SmolLM2-135M",
        };
        Ok((format!("{shape}'s shape, random weights"), config, weights))
    }
}

impl BenchShape {
    pub fn config(self) -> LlamaConfig {
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
            eos_token_ids: vec![],
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

impl FromStr for BenchShape {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "atlas" => Ok(Self::Atlas),
            "smollm2" => Ok(Self::Smollm2),
            _ => Err("the shapes are atlas and smollm2".into()),
        }
    }
}

/// Only the first `layers` layers of a model.
///
/// # Errors
/// When it has fewer, or there would be none.
pub fn keep_layers(config: &mut LlamaConfig, layers: usize) -> Result<()> {
    let all = config.num_hidden_layers;
    if !(1..=all).contains(&layers) {
        let (message, remedy) = (format!("{layers} of {all} layers"), format!("Use 1 to {all}"));
        return Err(Error::Setting { field: "layers", message, remedy });
    }
    config.num_hidden_layers = layers;
    Ok(())
}

/// Norms of 1, otherwise a deviation of 0.02 as at the start of a pre-training.
///
/// # Errors
/// None in practice: the shapes are the config's own.
fn random_weights(config: &LlamaConfig) -> Result<Weights> {
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
