//! A model's files, read together and checked against each other.

use super::checkpoint::Checkpoint;
use super::config::LlamaConfig;
use super::config_json;
use super::folder::SmallFiles;
use super::gguf::{self, Gguf};
use super::shards::{self, Open};
use super::source::Source;
pub use super::tokenizer::TokenizerFiles;
use super::tokenizer::{SpecialIds, Tokenizer};
use crate::error::{Error, Result};

/// Where a Hugging Face folder keeps its weights.
pub enum WeightFiles<'a> {
    /// model.safetensors.
    One(Box<dyn Source>),
    /// The bytes of model.safetensors.index.json, and what gives the shards that it names.
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
    Gguf { file: Box<dyn Source>, tokenizer: Option<TokenizerFiles<'a>> },
}

/// A model ready to be loaded into an engine.
pub struct Bundle {
    pub config: LlamaConfig,
    pub tokenizer: Tokenizer,
    /// To be read: so far their names and shapes are checked.
    pub weights: Checkpoint<'static>,
    /// For the folder of a model that is made from this one.
    pub small: SmallFiles,
    /// Where a file was not taken at its word, or looks wrong, one sentence each.
    pub notes: Vec<String>,
}

impl Bundle {
    /// Reads everything but the weights, of which it reads the header. Allocates a small multiple of what it reads, whatever
    /// that claims.
    ///
    /// # Errors
    /// Whatever is wrong with one of the files, by its name; a tokenizer with more tokens than the model.
    pub fn read(files: Files) -> Result<Self> {
        match files {
            Files::Folder { config, tokenizer, weights } => {
                let cut = config_json::cut_positions(config);
                let small = SmallFiles::new(Some(config), Some(&tokenizer));
                let mut config = LlamaConfig::from_json(config)?;
                let tokenizer = read_tokenizer(&tokenizer, &config)?;
                let (mut weights, file) = match weights {
                    WeightFiles::One(source) => {
                        let file = "model.safetensors";
                        (Checkpoint::safetensors(file, source)?, file)
                    }
                    WeightFiles::Shards { index, open } => (shards::read(index, open)?, shards::INDEX),
                };
                let notes = weights.fit(&mut config, file)?.into_iter().chain(cut);
                let notes = notes.chain(few_tokens(&tokenizer, &config)).collect();
                Ok(Self { config, tokenizer, weights, small, notes })
            }
            Files::Gguf { file, tokenizer } => {
                let head = gguf::head(&*file)?;
                let gguf = Gguf::parse(&head, &*file)?;
                let mut config = gguf.config()?;
                let small = SmallFiles::new(None, tokenizer.as_ref());
                let tokenizer = match tokenizer {
                    Some(files) => read_tokenizer(&files, &config)?,
                    None => check_tokenizer(gguf.tokenizer()?, &config)?,
                };
                let tensors = gguf.tensors(&config)?;
                let mut weights = Checkpoint::of(gguf::FILE, file, tensors);
                let notes = weights.fit(&mut config, gguf::FILE)?.into_iter();
                let notes = notes.chain(few_tokens(&tokenizer, &config)).collect();
                Ok(Self { config, tokenizer, weights, small, notes })
            }
        }
    }
}

/// "Atlas, 2,016,960 parameters".
pub fn title(name: &str, config: &LlamaConfig) -> String {
    let digits = config.parameters().to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    format!("{name}, {} parameters", groups.join(","))
}

fn read_tokenizer(files: &TokenizerFiles, config: &LlamaConfig) -> Result<Tokenizer> {
    let ids = SpecialIds { bos: config.bos_token_id, eos: &config.eos_token_ids, pad: config.pad_token_id };
    check_tokenizer(Tokenizer::read(files, ids)?, config)
}

/// A note if the model has many more rows than tokens. Some models have spare rows for future tokens, but few.
fn few_tokens(tokenizer: &Tokenizer, config: &LlamaConfig) -> Option<String> {
    let (tokens, rows) = (tokenizer.vocab_size(), config.vocab_size);
    let note = || format!("the tokenizer has {tokens} tokens, the model {rows}: it may be another model's");
    (tokens * 10 < rows * 9).then(note)
}

/// Every token of the vocabulary must have a row in the embedding; one that was added later, as a token for padding
/// often is, need not as long as no text holds it.
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
