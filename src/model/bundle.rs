//! A model's files, read together and checked against each other.

use super::config::LlamaConfig;
use super::tokenizer::Tokenizer;
use super::weights::{self, Weights};
use crate::error::{Error, Result};

/// The bytes of a Hugging Face folder.
pub struct Files<'a> {
    /// config.json.
    pub config: &'a [u8],
    /// tokenizer.json.
    pub tokenizer: &'a [u8],
    /// tokenizer_config.json.
    pub tokenizer_config: Option<&'a [u8]>,
    /// chat_template.jinja.
    pub chat_template: Option<&'a str>,
    /// model.safetensors.
    pub weights: &'a [u8],
}

/// A model ready to be loaded into an engine.
pub struct Bundle {
    pub config: LlamaConfig,
    pub tokenizer: Tokenizer,
    pub weights: Weights,
}

impl Bundle {
    /// # Errors
    /// Whatever is wrong with one of the files, by its name; a tokenizer with more tokens than the model.
    pub fn read(files: &Files) -> Result<Self> {
        let config = LlamaConfig::from_json(files.config)?;
        let tokenizer = Tokenizer::from_bytes(files.tokenizer, files.tokenizer_config, files.chat_template)?;
        if tokenizer.vocab_size() > config.vocab_size {
            return Err(Error::Format {
                file: "tokenizer.json".into(),
                field: "vocabulary".into(),
                message: format!("{} tokens, the model has {}", tokenizer.vocab_size(), config.vocab_size),
                remedy: "Use the tokenizer that belongs to this model".into(),
            });
        }
        let mut weights = weights::read(files.weights, "model.safetensors")?;
        weights::fit(&mut weights, &config, "model.safetensors")?;
        Ok(Self { config, tokenizer, weights })
    }

    /// "Atlas, 2,313,600 parameters".
    pub fn title(&self, name: &str) -> String {
        let digits = self.config.parameters().to_string();
        let groups: Vec<&str> =
            digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
        format!("{name}, {} parameters", groups.join(","))
    }
}
