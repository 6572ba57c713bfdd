//! Decoding on the CPU: candle-transformers' Llama with its key/value cache, rows side by side.

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::llama as inference;

use super::CpuModel;
use crate::engine::decoding::{Wanted, Written};
use crate::error::Result;
use crate::model::config::LlamaConfig;

/// A continuation under way.
pub struct Decoding {
    /// Prompts and what has been chosen, by row.
    rows: Vec<Vec<u32>>,
    /// Positions that are done, and how many come next at once.
    position: usize,
    width: usize,
    /// None where each step feeds the whole sequence again.
    cached: Option<(inference::Llama, inference::Cache)>,
}

impl CpuModel {
    /// Begins to decode rows side by side, all at the same position; prompts are fed token by token where their
    /// lengths differ.
    pub(in crate::engine) fn begin(&mut self, wanted: &Wanted) -> Result<Decoding> {
        let longest = wanted.longest_prompt() + wanted.max_new;
        let cached = if self.has_plain_heads() { Some(self.cached_decoder(longest)?) } else { None };
        // The shortest prompt's tokens are known for every row: they go in at once.
        let width = wanted.prompts.iter().map(Vec::len).min().unwrap_or(0).max(1);
        Ok(Decoding { rows: wanted.prompts.clone(), position: 0, width, cached })
    }

    /// See [`crate::engine::Model::go_on`]; what is known for every row counts as one position.
    pub(in crate::engine) fn go_on(
        &mut self,
        wanted: &Wanted,
        decoding: &mut Decoding,
        positions: usize,
    ) -> Result<Written> {
        let Decoding { rows, position, width, cached } = decoding;
        let longest = wanted.longest_prompt() + wanted.max_new;
        let has_ended = |row: &[u32], prompt: &[u32]| {
            let new = &row[prompt.len()..];
            new.len() == wanted.max_new || new.last().is_some_and(|last| wanted.ends.contains(last))
        };
        let mut left = positions;
        let mut is_over = *position + *width >= longest;
        while !is_over && left > 0 {
            let from = if cached.is_some() { *position } else { 0 };
            let known = |row: &Vec<u32>, i: usize| row.get(i).copied().unwrap_or_default();
            let fed: Vec<u32> =
                rows.iter().flat_map(|row| (from..*position + *width).map(|i| known(row, i))).collect();
            let logits: Vec<Vec<f32>> = match cached {
                Some((decoder, cache)) => {
                    let input = Tensor::from_vec(fed, (rows.len(), *width), &Device::Cpu)?;
                    decoder.forward(&input, *position, cache)?.to_vec2()?
                }
                None => self.last_logits(&fed, rows.len())?,
            };
            (*position, *width, left) = (*position + *width, 1, left - 1);
            for (b, (row, prompt)) in (0u32..).zip(rows.iter_mut().zip(&wanted.prompts)) {
                if row.len() == *position && !has_ended(row, prompt) {
                    row.push(wanted.draw.choose(&logits[b as usize], b, *position as u32));
                }
            }
            let have_all = rows.iter().zip(&wanted.prompts).all(|(row, prompt)| has_ended(row, prompt));
            is_over = have_all || *position + *width >= longest;
        }
        if is_over {
            self.decoder = cached.take().map(|(decoder, _)| decoder);
        }
        let answer = |(row, prompt): (&Vec<u32>, &Vec<u32>)| {
            let new = &row[prompt.len()..];
            let end = new.iter().position(|t| wanted.ends.contains(t)).unwrap_or(new.len());
            new[..end].to_vec()
        };
        Ok(Written { answers: rows.iter().zip(&wanted.prompts).map(answer).collect(), is_over })
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

    /// Logits (B,V) after the last of each row's tokens.
    fn last_logits(&self, tokens: &[u32], rows: usize) -> Result<Vec<Vec<f32>>> {
        let time = (tokens.len() / rows) as u32;
        let last: Vec<u32> = (1..=rows as u32).map(|row| row * time - 1).collect();
        let last = Tensor::from_slice(&last, rows, &Device::Cpu)?;
        let hidden = self.llama.hidden(tokens, rows)?.detach().index_select(&last, 0)?;
        Ok(self.llama.logits(&hidden)?.to_vec2()?)
    }
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
