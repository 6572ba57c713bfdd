//! What a model's folder holds beside its weights, and how it is handed on to a model that was made from it.

use super::config::LlamaConfig;
use super::config_json;
use super::tokenizer::{Tokenizer, TokenizerFiles};
use super::weights::Precision;
use crate::error::Result;

const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";

/// The files of a folder beside its weights that are read.
pub const SMALL_FILES: [&str; 6] = [
    CONFIG,
    TOKENIZER,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "generation_config.json",
    "chat_template.jinja",
];

/// A model's own small files, as they were read; a GGUF file has none.
#[derive(Clone, Debug, Default)]
pub struct SmallFiles {
    config: Option<Vec<u8>>,
    /// The tokenizer's, by name.
    tokenizer: Vec<(&'static str, Vec<u8>)>,
}

impl SmallFiles {
    pub(super) fn new(config: Option<&[u8]>, files: Option<&TokenizerFiles>) -> Self {
        let [_, names @ ..] = SMALL_FILES;
        let contents = files.map(|files| {
            let template = files.chat_template.map(str::as_bytes);
            [Some(files.tokenizer), files.config, files.special_tokens_map, files.generation_config, template]
        });
        let there = names.into_iter().zip(contents.into_iter().flatten());
        Self {
            config: config.map(<[u8]>::to_vec),
            tokenizer: there.filter_map(|(name, bytes)| Some((name, bytes?.to_vec()))).collect(),
        }
    }

    /// What makes a folder of weights of this precision a model that transformers opens: its own files, or where there
    /// are none what was understood of them.
    ///
    /// # Errors
    /// When config.json is no JSON object, or the tokenizer can't be written.
    pub fn beside_weights(
        &self,
        precision: Precision,
        config: &LlamaConfig,
        tokenizer: &Tokenizer,
    ) -> Result<Vec<(&'static str, Vec<u8>)>> {
        let json = match &self.config {
            Some(own) => config_json::for_weights(own, precision, config)?,
            None => config.to_json(precision).into_bytes(),
        };
        let tokenizer = match self.tokenizer.is_empty() {
            true => tokenizer.files()?.to_vec(),
            false => self.tokenizer.clone(),
        };
        Ok([(CONFIG, json)].into_iter().chain(tokenizer).collect())
    }
}
