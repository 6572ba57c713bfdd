//! The tokenizer that a file brings.

use super::*;
use crate::model::bundle::{Bundle, Files};
use crate::model::tokenizer::{Message, SpecialIds, Tokenizer, TokenizerFiles};

const ATLAS: &[u8] = include_bytes!("../../../../models/atlas/tokenizer.json");
const ATLAS_CONFIG: &[u8] = include_bytes!("../../../../models/atlas/tokenizer_config.json");

/// A tokenizer.json with Atlas's settings.
fn read(tokenizer: &[u8]) -> Tokenizer {
    let files = TokenizerFiles { tokenizer, config: Some(ATLAS_CONFIG), ..TokenizerFiles::default() };
    Tokenizer::read(&files, SpecialIds::default()).unwrap()
}

/// Atlas's tokenizer as llama.cpp's converter would write it.
fn atlas_metadata(pre: &str) -> Metadata {
    let json: serde_json::Value = serde_json::from_slice(ATLAS).unwrap();
    let mut tokens = vec![String::new(); 2048];
    for (token, id) in json["model"]["vocab"].as_object().unwrap() {
        tokens[id.as_u64().unwrap() as usize] = token.clone();
    }
    let part = |value: &serde_json::Value| value.as_str().unwrap().to_string();
    let merges = json["model"]["merges"].as_array().unwrap().iter();
    let merges = merges.map(|pair| Value::String(format!("{} {}", part(&pair[0]), part(&pair[1]))));
    let kinds = (0..2048).map(|id| Value::I32(if id == 0 { 3 } else { 1 }));
    let settings: serde_json::Value = serde_json::from_slice(ATLAS_CONFIG).unwrap();
    [
        ("model", Value::String("gpt2".to_string())),
        ("pre", Value::String(pre.to_string())),
        ("tokens", Value::Array(tokens.into_iter().map(Value::String).collect())),
        ("merges", Value::Array(merges.collect())),
        ("token_type", Value::Array(kinds.collect())),
        ("eos_token_id", Value::U32(0)),
        ("bos_token_id", Value::U32(0)),
    ]
    .into_iter()
    .map(|(name, value)| (format!("tokenizer.ggml.{name}"), value))
    .chain([("tokenizer.chat_template".to_string(), Value::String(part(&settings["chat_template"])))])
    .collect()
}

const TEXTS: [&str; 6] = [
    "The capital of France is Paris. Iron is element number 26.",
    "  two   spaces\n\n\tand a tab, it's Wednesday's 12345 naïve café 東京 🙂",
    "User: Where is Peru?\nAssistant: In South America.<|end|>",
    "<|end|><|end|> x",
    "",
    "don't 'LL \r\n end   ",
];

#[test]
fn its_own_tokenizer_is_that_of_tokenizer_json() {
    let expected = read(ATLAS);
    let bytes = small_with_vocabulary(2048, atlas_metadata("gpt-2"));
    let bundle = Bundle::read(Files::Gguf { file: Box::new(bytes.to_vec()), tokenizer: None }).unwrap();
    for text in TEXTS {
        let ids = bundle.tokenizer.encode(text).unwrap();
        assert_eq!(ids, expected.encode(text).unwrap(), "{text:?}");
        assert_eq!(bundle.tokenizer.decode(&ids).unwrap(), text);
    }
    let turns = [Message::user("Where is Peru?")];
    assert_eq!(
        bundle.tokenizer.exchange(&turns, "There").unwrap(),
        expected.exchange(&turns, "There").unwrap()
    );
    assert_eq!(bundle.tokenizer.eos_id(), expected.eos_id());
}

/// Expected ids from the tokenizers library with the pre-tokenizers of SmolLM2's and Llama 3's
/// tokenizer.json around Atlas's vocabulary.
#[test]
fn pre_tokenizers_are_those_of_the_models() {
    for (pre, parts, whole_pieces) in [
        (
            "smollm",
            r#"{"type":"Digits","individual_digits":true},
            {"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}"#,
            false,
        ),
        (
            "llama-bpe",
            r#"{"type":"Split","pattern":{"Regex":"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"},"behavior":"Isolated","invert":false},
            {"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}"#,
            true,
        ),
    ] {
        let mut json: serde_json::Value = serde_json::from_slice(ATLAS).unwrap();
        let parts = format!(r#"{{"type":"Sequence","pretokenizers":[{parts}]}}"#);
        json["pre_tokenizer"] = serde_json::from_str(&parts).unwrap();
        json["model"]["ignore_merges"] = whole_pieces.into();
        let expected = read(json.to_string().as_bytes());
        let bytes = small_with_vocabulary(2048, atlas_metadata(pre));
        let got = Gguf::parse(&bytes, &bytes).unwrap().tokenizer().unwrap();
        for text in TEXTS {
            assert_eq!(got.encode(text).unwrap(), expected.encode(text).unwrap(), "{pre}: {text:?}");
        }
    }
}

#[test]
fn other_tokenizers_are_refused_with_the_remedy() {
    let text = |text: &str| Value::String(text.to_string());
    let list = |texts: &[&str]| Value::Array(texts.iter().map(|t| text(t)).collect());
    for (field, value) in [
        ("tokenizer.ggml.model", text("llama")),
        ("tokenizer.ggml.pre", text("qwen2")),
        ("tokenizer.ggml.merges", list(&["Ġt he", "nospace"])),
        ("tokenizer.ggml.merges", list(&["Ġthe Ġthe"])),
        ("tokenizer.ggml.tokens", list(&["a", "a"])),
        ("tokenizer.ggml.tokens", Value::Array(vec![Value::U32(1)])),
        ("tokenizer.ggml.eos_token_id", Value::U32(2048)),
    ] {
        let mut tokenizer = atlas_metadata("gpt-2");
        tokenizer.iter_mut().find(|(name, _)| name == field).unwrap().1 = value;
        let bytes = small_with_vocabulary(2048, tokenizer);
        let error = Gguf::parse(&bytes, &bytes).unwrap().tokenizer().err().unwrap().to_string();
        assert!(error.contains(field), "{error}");
    }
    let bytes = small_with_vocabulary(40, atlas_metadata("gpt-2"));
    assert!(
        Bundle::read(Files::Gguf { file: Box::new(bytes.to_vec()), tokenizer: None }).is_err(),
        "more tokens than rows"
    );
    let none = plain();
    let error = Bundle::read(Files::Gguf { file: Box::new(none.to_vec()), tokenizer: None })
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("tokenizer.json"), "{error}");
}
