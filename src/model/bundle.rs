//! A model's files, read together and checked against each other.

use super::config::LlamaConfig;
use super::gguf::Gguf;
use super::shards::{self, Open};
use super::tokenizer::Tokenizer;
use super::weights::{self, Weights};
use crate::error::{Error, Result};

/// The bytes of a tokenizer's files.
#[derive(Clone, Copy)]
pub struct TokenizerFiles<'a> {
    /// tokenizer.json.
    pub tokenizer: &'a [u8],
    /// tokenizer_config.json.
    pub config: Option<&'a [u8]>,
    /// chat_template.jinja.
    pub chat_template: Option<&'a str>,
}

/// Where a Hugging Face folder keeps its weights.
pub enum WeightFiles<'a> {
    /// The bytes of model.safetensors.
    One(&'a [u8]),
    /// The bytes of model.safetensors.index.json, and what gives the bytes of the shards that it names.
    Shards { index: &'a [u8], open: Open<'a> },
}

/// A model's files.
pub enum Files<'a> {
    /// A Hugging Face folder.
    Folder {
        /// config.json.
        config: &'a [u8],
        tokenizer: TokenizerFiles<'a>,
        weights: WeightFiles<'a>,
    },
    /// A GGUF file, whose own tokenizer is used where no other is given.
    Gguf { file: &'a [u8], tokenizer: Option<TokenizerFiles<'a>> },
}

/// A model ready to be loaded into an engine.
pub struct Bundle {
    pub config: LlamaConfig,
    pub tokenizer: Tokenizer,
    pub weights: Weights,
}

impl Bundle {
    /// Allocates a small multiple of the files' sizes, whatever they claim.
    ///
    /// # Errors
    /// Whatever is wrong with one of the files, by its name; a tokenizer with more tokens than the model.
    pub fn read(files: &Files) -> Result<Self> {
        match files {
            Files::Folder { config, tokenizer, weights } => {
                let config = LlamaConfig::from_json(config)?;
                let tokenizer = read_tokenizer(tokenizer, &config)?;
                let (mut weights, file) = match weights {
                    WeightFiles::One(bytes) => {
                        let file = "model.safetensors";
                        (weights::read(bytes, file)?, file)
                    }
                    WeightFiles::Shards { index, open } => (shards::read(index, *open)?, shards::INDEX),
                };
                weights::fit(&mut weights, &config, file)?;
                Ok(Self { config, tokenizer, weights })
            }
            Files::Gguf { file, tokenizer } => {
                let gguf = Gguf::parse(file)?;
                let config = gguf.config()?;
                let tokenizer = match tokenizer {
                    Some(files) => read_tokenizer(files, &config)?,
                    None => check_tokenizer(gguf.tokenizer()?, &config)?,
                };
                let mut weights = gguf.weights(&config)?;
                weights::fit(&mut weights, &config, "the GGUF file")?;
                Ok(Self { config, tokenizer, weights })
            }
        }
    }

    /// "Atlas, 2,016,960 parameters".
    pub fn title(&self, name: &str) -> String {
        let digits = self.config.parameters().to_string();
        let groups: Vec<&str> =
            digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
        format!("{name}, {} parameters", groups.join(","))
    }
}

fn read_tokenizer(files: &TokenizerFiles, config: &LlamaConfig) -> Result<Tokenizer> {
    let &TokenizerFiles { tokenizer, config: settings, chat_template } = files;
    check_tokenizer(Tokenizer::from_bytes(tokenizer, settings, chat_template, config.eos_token_id)?, config)
}

/// Every token must have a row in the embedding.
fn check_tokenizer(tokenizer: Tokenizer, config: &LlamaConfig) -> Result<Tokenizer> {
    if tokenizer.ids_end() <= config.vocab_size {
        return Ok(tokenizer);
    }
    Err(Error::Format {
        file: "tokenizer.json".into(),
        field: "vocabulary".into(),
        message: format!("{} tokens, the model has {}", tokenizer.ids_end(), config.vocab_size),
        remedy: "Use the tokenizer that belongs to this model".into(),
    })
}
