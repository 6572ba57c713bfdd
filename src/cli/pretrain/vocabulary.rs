//! Trains the tokenizer on the text that the model will see.

use anyhow::{Result, anyhow};
use serde_json::json;
use tokenizers::decoders::byte_level::ByteLevel as ByteLevelDecoder;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{
    AddedToken, DecoderWrapper, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper,
    TokenizerBuilder,
};

use crate::data::corpus::Corpus;
use crate::model::tokenizer::DEFAULT_TEMPLATE;

/// The token that separates documents and ends responses.
pub const END: &str = "<|end|>";
/// Documents to learn the vocabulary from: about ten times as many as give stable merges.
const DOCUMENTS: usize = 60_000;
/// The part of the text (see [`Corpus::generator`]) kept for the vocabulary; training uses the
/// numbers of its steps.
const PART: u64 = u64::MAX;

/// A byte-level BPE of `size` tokens as the text of `tokenizer.json`.
pub fn train(corpus: &Corpus, seed: u64, size: usize) -> Result<String> {
    let mut rng = Corpus::generator(seed, PART);
    let documents: Vec<String> = (0..DOCUMENTS).map(|_| corpus.document(&mut rng)).collect();
    let mut trainer = BpeTrainerBuilder::new()
        .show_progress(false)
        .vocab_size(size)
        .min_frequency(2)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .special_tokens(vec![AddedToken::from(END, true)])
        .build();
    let pre_tokenizer = ByteLevel::default().add_prefix_space(false);
    let mut tokenizer = TokenizerBuilder::<
        BPE,
        NormalizerWrapper,
        PreTokenizerWrapper,
        PostProcessorWrapper,
        DecoderWrapper,
    >::new()
    .with_model(BPE::default())
    .with_normalizer(None)
    .with_pre_tokenizer(Some(pre_tokenizer.into()))
    .with_post_processor(None)
    .with_decoder(Some(ByteLevelDecoder::default().into()))
    .build()
    .map_err(|error| anyhow!(error))?;
    tokenizer.train(&mut trainer, documents.iter()).map_err(|error| anyhow!(error))?;
    tokenizer.to_string(true).map_err(|error| anyhow!(error))
}

/// `tokenizer_config.json`, with the chat template.
pub fn config_json() -> String {
    let json = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": END,
        "eos_token": END,
        "pad_token": END,
        "add_bos_token": false,
        "add_eos_token": false,
        "clean_up_tokenization_spaces": false,
        "model_max_length": 512,
        "chat_template": DEFAULT_TEMPLATE,
    });
    format!("{json:#}\n")
}

/// `special_tokens_map.json`.
pub fn special_tokens_json() -> String {
    format!("{:#}\n", json!({"bos_token": END, "eos_token": END, "pad_token": END}))
}
