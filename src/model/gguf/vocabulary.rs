//! The tokenizer inside a GGUF file: a byte-level BPE ("gpt2") with the pre-tokenizer that the file names.

use std::collections::HashMap;

use tokenizers::models::bpe::BPE;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, PreTokenizerWrapper, SplitDelimiterBehavior};

use super::{FILE, Gguf};
use crate::error::{Error, Result};
use crate::model::chat::SpecialTokens;
use crate::model::config_json::invalid;
use crate::model::tokenizer::{Parts, Tokenizer};

/// What to do about every tokenizer that cannot be built.
const REMEDY: &str = "Put the model's tokenizer.json beside the file";

// The pre-tokenizers of Hugging Face's own tokenizer.json files, which llama.cpp's names stand for
// (src/llama-vocab.cpp).
const GPT_2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
const LLAMA_3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// llama.cpp's token types.
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;

/// Text is cut by each expression in turn.
struct Cuts {
    expressions: &'static [&'static str],
    /// Whether a piece that is a token stays one whatever the merges say.
    whole_pieces: bool,
}

fn cuts(name: &str) -> Option<Cuts> {
    let (expressions, whole_pieces): (&[&str], bool) = match name {
        "gpt-2" | "mpt" | "olmo" | "jais" => (&[GPT_2], false),
        "smollm" | "starcoder" | "refact" | "codeshell" => (&[r"\p{N}", GPT_2], false),
        "llama-bpe" | "llama3" | "llama-v3" => (&[LLAMA_3], true),
        // llama.cpp's fallback, for files that say so.
        "default" => (&[r"[\p{P}\$\+<=>\^~\|]+", GPT_2, r"\p{N}+", "[0-9][0-9][0-9]"], false),
        _ => return None,
    };
    Some(Cuts { expressions, whole_pieces })
}

impl Gguf<'_> {
    /// The file's own tokenizer and chat template.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a tokenizer other than a byte-level BPE of a known pre-tokenizer.
    pub fn tokenizer(&self) -> Result<Tokenizer> {
        let model = self.text("tokenizer.ggml.model")?.unwrap_or("none");
        if model != "gpt2" {
            return Err(unsupported(&format!("tokenizer.ggml.model {model}")));
        }
        let pre = self.text("tokenizer.ggml.pre")?.unwrap_or("none");
        let cuts = cuts(pre).ok_or_else(|| unsupported(&format!("tokenizer.ggml.pre {pre}")))?;
        let tokens = self.texts("tokenizer.ggml.tokens")?;
        let inner = build(&tokens, &self.texts("tokenizer.ggml.merges")?, &self.types()?, &cuts)?;
        let token = |field: &str| -> Result<Option<String>> {
            let Some(id) = self.unsigned(field)? else { return Ok(None) };
            let text = usize::try_from(id).ok().and_then(|id| tokens.get(id));
            let text = text.ok_or_else(|| wrong(field, &format!("{id} is not the id of a token")))?;
            Ok(Some(text.to_string()))
        };
        let template = self.text("tokenizer.chat_template")?.map(str::to_string);
        let special = SpecialTokens {
            bos: token("tokenizer.ggml.bos_token_id")?,
            eos: token("tokenizer.ggml.eos_token_id")?,
            unk: token("tokenizer.ggml.unknown_token_id")?,
            pad: token("tokenizer.ggml.padding_token_id")?,
        };
        // A turn may end with another token than the text.
        let turn = self.unsigned("tokenizer.ggml.eot_token_id")?.and_then(|id| u32::try_from(id).ok());
        // llama.cpp's rule where the file does not say.
        let adds_bos = self.flag("tokenizer.ggml.add_bos_token")?.unwrap_or(pre.starts_with("llama"));
        let ends = turn.into_iter().collect();
        Tokenizer::assemble(
            inner,
            Parts { template, special, ends, adds_bos: Some(adds_bos), start: Vec::new() },
            FILE,
        )
    }

    fn texts(&self, field: &'static str) -> Result<Vec<&str>> {
        self.array(field)?.ok_or_else(|| wrong(field, "missing"))?.texts(field)?.collect()
    }

    /// The type of each token; empty where the file gives none.
    fn types(&self) -> Result<Vec<i64>> {
        let field = "tokenizer.ggml.token_type";
        self.array(field)?.map_or(Ok(Vec::new()), |types| types.integers(field)?.collect())
    }
}

fn wrong(field: &str, message: &str) -> Error {
    invalid(FILE, field, message, REMEDY)
}

fn unsupported(feature: &str) -> Error {
    Error::Unsupported { feature: format!("{FILE}: {feature}"), remedy: REMEDY.to_string() }
}

fn build(tokens: &[&str], merges: &[&str], types: &[i64], cuts: &Cuts) -> Result<tokenizers::Tokenizer> {
    let mut ids: HashMap<String, u32> = HashMap::new();
    for (id, token) in (0..).zip(tokens) {
        if ids.insert(token.to_string(), id).is_some() {
            return Err(wrong("tokenizer.ggml.tokens", &format!("{token:?} is given twice")));
        }
    }
    let mut pairs = Vec::new();
    for merge in merges {
        let field = "tokenizer.ggml.merges";
        let (left, right) =
            merge.split_once(' ').ok_or_else(|| wrong(field, &format!("{merge:?} is no pair")))?;
        // The builder panics on a merge that is longer than every token.
        if !ids.contains_key(&format!("{left}{right}")) {
            return Err(wrong(field, &format!("{merge:?} makes no token")));
        }
        pairs.push((left.to_string(), right.to_string()));
    }
    let broken = |error: tokenizers::Error| wrong("tokenizer", &error.to_string());
    let model = BPE::builder()
        .vocab_and_merges(ids.into_iter().collect::<tokenizers::models::bpe::Vocab>(), pairs)
        .ignore_merges(cuts.whole_pieces)
        .build()
        .map_err(broken)?;
    let mut inner = tokenizers::Tokenizer::new(model);
    let split = |expression: &&str| -> tokenizers::Result<PreTokenizerWrapper> {
        let pattern = SplitPattern::Regex(expression.to_string());
        Ok(Split::new(pattern, SplitDelimiterBehavior::Isolated, false)?.into())
    };
    let mut steps: Vec<PreTokenizerWrapper> =
        cuts.expressions.iter().map(split).collect::<tokenizers::Result<_>>().map_err(broken)?;
    let bytes = ByteLevel::new(false, true, false);
    steps.push(bytes.into());
    inner.with_pre_tokenizer(Some(Sequence::new(steps))).with_decoder(Some(bytes));
    let added = tokens.iter().zip(types).filter_map(|(token, kind)| {
        let special = *kind == CONTROL;
        (special || *kind == USER_DEFINED).then(|| AddedToken::from(*token, special).normalized(false))
    });
    inner.add_tokens(added.collect::<Vec<_>>()).map_err(broken)?;
    Ok(inner)
}
