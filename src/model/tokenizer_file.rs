//! Reads `tokenizer.json` after checking for what the `tokenizers` crate would panic on.
//!
//! Version 0.23 panics, instead of failing, on: a merge longer than every token, a token shorter than the
//! continuing-subword prefix, a broken `Precompiled` normalizer, JSON that breaks off inside the decoder, and
//! (when it decodes) a `Strip` at a token's end. In a browser a panic ends the worker and cannot be caught,
//! so what Llama tokenizers are made of is let through and the rest is refused by name.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::config_json::{invalid, size_within};
use crate::error::{Error, Result};

const FILE: &str = "tokenizer.json";
const MODELS: [&str; 4] = ["BPE", "Unigram", "WordLevel", "WordPiece"];
const NORMALIZERS: [&str; 9] =
    ["Sequence", "Prepend", "Replace", "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents"];
const PRE_TOKENIZERS: [&str; 9] = [
    "Sequence",
    "Split",
    "Digits",
    "Punctuation",
    "ByteLevel",
    "Metaspace",
    "Whitespace",
    "WhitespaceSplit",
    "BertPreTokenizer",
];
const DECODERS: [&str; 8] =
    ["Sequence", "ByteLevel", "Replace", "ByteFallback", "Fuse", "Strip", "Metaspace", "WordPiece"];

/// What is looked at before the crate reads the file; borrows from it.
#[derive(Deserialize)]
struct Outline<'a> {
    #[serde(borrow)]
    model: Model<'a>,
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    decoder: Value,
    #[serde(default)]
    post_processor: Value,
}

#[derive(Deserialize)]
struct Model<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    dropout: Option<f64>,
    #[serde(borrow)]
    continuing_subword_prefix: Option<Cow<'a, str>>,
    #[serde(borrow)]
    end_of_word_suffix: Option<Cow<'a, str>>,
    #[serde(default)]
    vocab: Option<Extent>,
    #[serde(default)]
    merges: Option<Longest>,
}

/// Bytes of the longest token, and the highest id.
#[derive(Default)]
struct Extent {
    longest: usize,
    highest: u64,
}

/// Bytes of the longest merged token.
#[derive(Default)]
struct Longest(usize);

/// "a b" as older files write it, or ["a", "b"].
#[derive(Deserialize)]
#[serde(untagged)]
enum Merge<'a> {
    Joined(#[serde(borrow)] Cow<'a, str>),
    Pair(#[serde(borrow)] Cow<'a, str>, #[serde(borrow)] Cow<'a, str>),
}

/// A tokenizer from the bytes of tokenizer.json, and the tokens that its post-processor puts in front of a text.
///
/// # Errors
/// [`Error::Unsupported`] for parts that Llama tokenizers do not have, otherwise what is wrong with the file.
pub(super) fn read(bytes: &[u8]) -> Result<(tokenizers::Tokenizer, Vec<u32>)> {
    let outline: Outline = serde_json::from_slice(bytes).map_err(damaged)?;
    check_model(&outline.model)?;
    check_parts("normalizer", &outline.normalizer, &NORMALIZERS)?;
    check_parts("pre_tokenizer", &outline.pre_tokenizer, &PRE_TOKENIZERS)?;
    check_parts("decoder", &outline.decoder, &DECODERS)?;
    let tokenizer = tokenizers::Tokenizer::from_bytes(bytes).map_err(damaged)?;
    Ok((tokenizer, start_of(&outline.post_processor)))
}

/// The tokens that a post-processor puts in front of a text. Read from the file and not found out by encoding something:
/// the crate panics on templates that name a token it has no id of.
fn start_of(processor: &Value) -> Vec<u32> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    match processor["type"].as_str() {
        Some("Sequence") => list(&processor["processors"]).iter().flat_map(start_of).collect(),
        Some("TemplateProcessing") => list(&processor["single"])
            .iter()
            .map_while(|piece| piece["SpecialToken"]["id"].as_str().map(str::to_string))
            .flat_map(|name| list(&processor["special_tokens"][name.as_str()]["ids"]))
            .filter_map(|value| id(&value))
            .collect(),
        // BERT's and RoBERTa's begin with a token for the class.
        Some("BertProcessing" | "RobertaProcessing") => id(&processor["cls"][1]).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn damaged(error: impl ToString) -> Error {
    invalid(FILE, "the file", &error.to_string(), "It is damaged or no tokenizer.json; fetch it again")
}

fn refuse(feature: &str) -> Error {
    let remedy = "Use a model whose tokenizer is made of the parts that Llama tokenizers have".to_string();
    Error::Unsupported { feature: format!("{FILE}: {feature}"), remedy }
}

fn check_model(model: &Model) -> Result<()> {
    let kind = model.kind.as_deref().unwrap_or("BPE");
    if !MODELS.contains(&kind) {
        return Err(refuse(&format!("model of type {kind}")));
    }
    let Some(vocab) = &model.vocab else {
        return Err(refuse("a model without vocab"));
    };
    if size_within(vocab.highest + 1).is_none() {
        return Err(refuse(&format!("the token id {}", vocab.highest)));
    }
    if kind != "BPE" {
        return Ok(());
    }
    if model.dropout.is_some_and(|rate| rate != 0.0) {
        return Err(refuse("dropout"));
    }
    for (name, affix) in [
        ("continuing_subword_prefix", &model.continuing_subword_prefix),
        ("end_of_word_suffix", &model.end_of_word_suffix),
    ] {
        if affix.as_deref().is_some_and(|affix| !affix.is_empty()) {
            return Err(refuse(name));
        }
    }
    let Some(merges) = &model.merges else {
        return Err(refuse("a model without merges"));
    };
    if merges.0 > vocab.longest {
        let message = format!("one makes a token of {} bytes, the longest has {}", merges.0, vocab.longest);
        return Err(invalid(FILE, "merges", &message, "The file is damaged; fetch it again"));
    }
    Ok(())
}

/// Checks the `type` of a part and of those it contains.
fn check_parts(part: &str, value: &Value, known: &[&str]) -> Result<()> {
    if value.is_null() {
        return Ok(());
    }
    let kind = value["type"].as_str().unwrap_or("of no type");
    if !known.contains(&kind) {
        return Err(refuse(&format!("{part} {kind}")));
    }
    if kind == "Strip" && value["stop"].as_u64() != Some(0) {
        return Err(refuse("decoder Strip with a stop"));
    }
    if kind == "Replace" && value["pattern"]["String"].as_str().is_none_or(str::is_empty) {
        return Err(refuse(&format!("{part} Replace of anything but a text")));
    }
    let inner =
        ["normalizers", "pretokenizers", "decoders"].into_iter().filter_map(|list| value[list].as_array());
    inner.flatten().try_for_each(|inner| check_parts(part, inner, known))
}

impl<'de> Deserialize<'de> for Extent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Tokens;
        impl<'de> Visitor<'de> for Tokens {
            type Value = Extent;

            fn expecting(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
                formatter.write_str("ids by token")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Extent, A::Error> {
                let mut extent = Extent::default();
                while let Some((Text(token), id)) = map.next_entry::<Text, u32>()? {
                    extent.longest = extent.longest.max(token.len());
                    extent.highest = extent.highest.max(u64::from(id));
                }
                Ok(extent)
            }

            /// Unigram's tokens with their scores, by id.
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Extent, A::Error> {
                let mut extent = Extent::default();
                let mut ids = 0..;
                while let Some((Text(token), _)) = list.next_element::<(Text, f64)>()? {
                    extent.longest = extent.longest.max(token.len());
                    extent.highest = ids.next().unwrap_or_default();
                }
                Ok(extent)
            }
        }
        deserializer.deserialize_any(Tokens)
    }
}

impl<'de> Deserialize<'de> for Longest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Merges;
        impl<'de> Visitor<'de> for Merges {
            type Value = Longest;

            fn expecting(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
                formatter.write_str("a list of merges")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Longest, A::Error> {
                let mut longest = 0;
                while let Some(merge) = list.next_element::<Merge>()? {
                    longest = longest.max(match merge {
                        Merge::Pair(left, right) => left.len() + right.len(),
                        Merge::Joined(text) => text.len().saturating_sub(1),
                    });
                }
                Ok(Longest(longest))
            }
        }
        deserializer.deserialize_seq(Merges)
    }
}

/// A text that is borrowed where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const ATLAS: &[u8] = include_bytes!("../../models/atlas/tokenizer.json");

    /// A small byte-level tokenizer whose parts are all in reach of a mutation.
    fn small() -> Value {
        json!({
            "version": "1.0", "truncation": null, "padding": null,
            "added_tokens": [{"id": 5, "content": "<|end|>", "single_word": false, "lstrip": true,
                "rstrip": false, "normalized": true, "special": true}],
            "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"},
                {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": "\\s+(?!\\S)|\\p{N}"}, "behavior": "Isolated", "invert": false},
                {"type": "Digits", "individual_digits": true}]},
            "post_processor": null,
            "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"},
                "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
                {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
            "model": {"type": "BPE", "dropout": null, "unk_token": "a", "continuing_subword_prefix": null,
                "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
                "vocab": {"a": 0, "b": 1, "▁": 2, "ab": 3, "▁ab": 4}, "merges": ["a b", "▁ ab"]},
        })
    }

    /// Reads, and where that succeeds encodes and decodes; must not panic.
    fn exercise(bytes: &[u8]) {
        if let Ok((tokenizer, _)) = read(bytes)
            && let Ok(encoding) = tokenizer.encode("ab <|end|> b a1é\n  ab", false)
        {
            let _ = tokenizer.decode(encoding.get_ids(), false);
        }
    }

    #[test]
    fn good_files_are_read() {
        assert_eq!(read(ATLAS).unwrap().0.get_vocab_size(true), 2048);
        let (tokenizer, _) = read(small().to_string().as_bytes()).unwrap();
        assert_eq!(tokenizer.encode("ab", false).unwrap().get_ids(), [4]);
    }

    #[test]
    fn simple_models_are_read() {
        for model in [
            json!({"type": "WordLevel", "vocab": {"<unk>": 0, "ab": 1, "b": 2}, "unk_token": "<unk>"}),
            json!({"type": "Unigram", "vocab": [["<unk>", 0.0], ["ab", -1.5], ["b", -2.0]], "unk_id": 0}),
            json!({"type": "WordPiece", "vocab": {"<unk>": 0, "ab": 1, "b": 2}, "unk_token": "<unk>",
                "continuing_subword_prefix": "##", "max_input_chars_per_word": 100}),
        ] {
            let parts = json!({"version": "1.0", "added_tokens": [], "model": model,
                "pre_tokenizer": {"type": "WhitespaceSplit"}});
            let (tokenizer, _) = read(parts.to_string().as_bytes()).unwrap();
            assert_eq!(tokenizer.encode("ab b", false).unwrap().get_ids(), [1, 2], "{model}");
        }
    }

    #[test]
    fn what_would_panic_or_is_not_a_llamas_is_refused_by_name() {
        for (path, value, named) in [
            ("/model/merges", json!(["▁ab ▁ab"]), "merges"),
            ("/model/merges", json!([["▁ab", "▁ab"]]), "merges"),
            ("/model/continuing_subword_prefix", json!("##"), "continuing_subword_prefix"),
            ("/model/dropout", json!(0.5), "dropout"),
            ("/model/type", json!("Nonsense"), "Nonsense"),
            ("/model/vocab", json!({"a": 4_000_000_000u32}), "4000000000"),
            ("/normalizer", json!({"type": "Precompiled", "precompiled_charsmap": "x"}), "Precompiled"),
            ("/normalizer/normalizers/0", json!({"type": "Nmt"}), "Nmt"),
            ("/normalizer/normalizers/1/pattern", json!({"String": ""}), "Replace"),
            ("/pre_tokenizer", json!({"type": "UnicodeScripts"}), "UnicodeScripts"),
            ("/decoder", json!(7), "decoder"),
            ("/decoder/decoders/3/stop", json!(1), "Strip"),
        ] {
            let mut json = small();
            *json.pointer_mut(path).unwrap() = value;
            let error = read(json.to_string().as_bytes()).unwrap_err().to_string();
            assert!(error.contains(named) && error.contains(FILE), "{path}: {error}");
        }
    }

    proptest! {
        #[test]
        fn damaged_files_are_errors(at in 0usize..2000, value: u8, cut in 0usize..2000) {
            let mut bytes = small().to_string().into_bytes();
            let index = at % bytes.len();
            bytes[index] = value;
            exercise(&bytes);
            bytes.truncate(cut);
            exercise(&bytes);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn damage_to_atlas_is_an_error(flips in prop::collection::vec((0usize..ATLAS.len(), any::<u8>()), 1..4),
            cut in 0usize..ATLAS.len()) {
            let mut bytes = ATLAS.to_vec();
            for (at, value) in flips {
                bytes[at] = value;
            }
            exercise(&bytes);
            exercise(&bytes[..cut]);
        }
    }
}
