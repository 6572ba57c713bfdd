//! Files are written by candle's writer, so that reader and writer are not of one hand.

use std::io::Cursor;

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::model::bundle::{Bundle, Files};
use crate::model::rope::Llama3Scaling;
use crate::model::tokenizer::{Message, Tokenizer};
use crate::reference::llama::Llama;

const ATLAS: &[u8] = include_bytes!("../../../models/atlas/tokenizer.json");
const ATLAS_CONFIG: &[u8] = include_bytes!("../../../models/atlas/tokenizer_config.json");

/// Grouped heads and an untied output layer; rows of whole Q8_0 blocks.
fn config() -> LlamaConfig {
    let json = br#"{"hidden_size":64,"intermediate_size":96,"num_hidden_layers":2,"num_attention_heads":4,
        "num_key_value_heads":2,"vocab_size":40,"rms_norm_eps":1e-5,"max_position_embeddings":128}"#;
    LlamaConfig::from_json(json).unwrap()
}

fn weights(config: &LlamaConfig) -> Weights {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let tensor = |(name, shape): (String, Vec<usize>)| {
        let data = (0..shape.iter().product()).map(|_| rng.random_range(-0.5..0.5)).collect();
        (name, Array::new(shape, data).unwrap())
    };
    config.tensors().into_iter().map(tensor).collect()
}

/// llama.cpp's name, by a table of its own.
fn llama_cpp_name(name: &str) -> String {
    [
        ("model.embed_tokens", "token_embd"),
        ("model.norm", "output_norm"),
        ("lm_head", "output"),
        ("model.layers.", "blk."),
        ("self_attn.o_proj", "attn_output"),
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
        ("input_layernorm", "attn_norm"),
        ("post_attention_layernorm", "ffn_norm"),
    ]
    .into_iter()
    .fold(name.to_string(), |name, (from, to)| name.replace(from, to))
}

/// As `LlamaModel.permute` of convert_hf_to_gguf.py: (H, 2, D/2, C) to (H, D/2, 2, C).
fn permuted(tensor: &Tensor, heads: usize) -> Tensor {
    let (rows, width) = tensor.dims2().unwrap();
    let split = tensor.reshape((heads, 2, rows / heads / 2, width)).unwrap();
    split.transpose(1, 2).unwrap().contiguous().unwrap().reshape((rows, width)).unwrap()
}

type Metadata = Vec<(String, Value)>;

fn metadata(config: &LlamaConfig) -> Metadata {
    let number = |name: &str, value: usize| (format!("llama.{name}"), Value::U32(value as u32));
    vec![
        ("general.architecture".to_string(), Value::String("llama".to_string())),
        number("embedding_length", config.hidden_size),
        number("block_count", config.num_hidden_layers),
        number("feed_forward_length", config.intermediate_size),
        number("attention.head_count", config.num_attention_heads),
        number("attention.head_count_kv", config.num_key_value_heads),
        number("rope.dimension_count", config.head_dim),
        number("context_length", config.max_position_embeddings),
        number("vocab_size", config.vocab_size),
        ("llama.rope.freq_base".to_string(), Value::F32(config.rope_theta as f32)),
        ("llama.attention.layer_norm_rms_epsilon".to_string(), Value::F32(config.rms_norm_eps as f32)),
    ]
}

/// A GGUF file of `weights`, matrices in `kind`, and of other tensors.
fn file(
    config: &LlamaConfig,
    weights: &Weights,
    kind: GgmlDType,
    metadata: &Metadata,
    others: &[(&str, &[f32])],
) -> Vec<u8> {
    let mut tensors = Vec::new();
    for (name, array) in weights {
        let mut tensor = Tensor::from_slice(&array.data, array.shape.as_slice(), &Device::Cpu).unwrap();
        if name.contains("q_proj") {
            tensor = permuted(&tensor, config.num_attention_heads);
        } else if name.contains("k_proj") {
            tensor = permuted(&tensor, config.num_key_value_heads);
        }
        let kind = if array.shape.len() == 1 { GgmlDType::F32 } else { kind };
        tensors.push((llama_cpp_name(name), QTensor::quantize(&tensor, kind).unwrap()));
    }
    for (name, data) in others {
        let tensor = Tensor::new(*data, &Device::Cpu).unwrap();
        tensors.push((name.to_string(), QTensor::quantize(&tensor, GgmlDType::F32).unwrap()));
    }
    let mut bytes = Cursor::new(Vec::new());
    let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(name, value)| (name.as_str(), value)).collect();
    let tensors: Vec<(&str, &QTensor)> =
        tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    gguf_file::write(&mut bytes, &metadata, &tensors).unwrap();
    bytes.into_inner()
}

fn plain() -> Vec<u8> {
    let config = config();
    file(&config, &weights(&config), GgmlDType::F32, &metadata(&config), &[])
}

fn read(bytes: &[u8]) -> Result<(LlamaConfig, Weights)> {
    let gguf = Gguf::parse(bytes)?;
    let config = gguf.config()?;
    let mut weights = gguf.weights(&config)?;
    crate::model::weights::fit(&mut weights, &config, FILE)?;
    Ok((config, weights))
}

fn logits(config: &LlamaConfig, weights: &Weights) -> Vec<f32> {
    let model = Llama::adapted(config, weights, &Default::default()).unwrap();
    let ids: Vec<u32> = (0..20).map(|i| i * 7 % 40).collect();
    model.forward(&ids, 1).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn weights_and_logits_are_those_of_the_folder() {
    let config = config();
    let expected = weights(&config);
    for (kind, step) in
        [(GgmlDType::F32, 0.0), (GgmlDType::F16, 2e-4), (GgmlDType::BF16, 2e-3), (GgmlDType::Q8_0, 4e-3)]
    {
        let (read_config, got) = read(&file(&config, &expected, kind, &metadata(&config), &[])).unwrap();
        let same = LlamaConfig { rms_norm_eps: config.rms_norm_eps, ..read_config.clone() };
        assert_eq!(same, config, "and the norm's epsilon as f32");
        assert_eq!(got.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
        for (name, array) in &got {
            let pairs = array.data.iter().zip(&expected[name].data);
            for (got, expected) in pairs {
                assert!((got - expected).abs() <= step, "{kind:?} {name}: {got} {expected}");
            }
        }
        for (got, expected) in logits(&read_config, &got).iter().zip(logits(&config, &expected)) {
            assert!((got - expected).abs() <= 1e-5 + 60.0 * step, "{kind:?}: {got} {expected}");
        }
    }
}

#[test]
fn a_file_without_output_layer_is_tied() {
    let config = LlamaConfig { tie_word_embeddings: true, ..config() };
    let (read_config, _) =
        read(&file(&config, &weights(&config), GgmlDType::Q8_0, &metadata(&config), &[])).unwrap();
    assert!(read_config.tie_word_embeddings);
}

#[test]
fn llama_3_scaling_is_recognised() {
    let plain = LlamaConfig { rope_theta: 500_000.0, ..config() };
    let scaling = Llama3Scaling {
        factor: 32.0,
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_max_position_embeddings: 8192,
    };
    let frequencies = plain.inverse_frequencies();
    let mut factors: Vec<f32> = frequencies.iter().map(|f| (f / scaling.scale(*f)) as f32).collect();
    let with = |factors: &[f32]| {
        read(&file(
            &plain,
            &weights(&plain),
            GgmlDType::F16,
            &metadata(&plain),
            &[("rope_freqs.weight", factors)],
        ))
    };
    assert_eq!(with(&factors).unwrap().0.rope_scaling, Some(scaling));
    assert_eq!(with(&vec![1.0; factors.len()]).unwrap().0.rope_scaling, None);
    factors[4] *= 1.5;
    assert!(with(&factors).unwrap_err().to_string().contains("rope_freqs.weight"));
    assert!(with(&[1.0]).is_err());
}

#[test]
fn unsupported_features_are_named() {
    let config = config();
    let all = weights(&config);
    let text = |text: &str| Value::String(text.to_string());
    for (field, value) in [
        ("general.architecture", text("qwen2")),
        ("split.count", Value::U16(2)),
        ("llama.rope.scaling.type", text("yarn")),
        ("llama.rope.scaling.factor", Value::F32(4.0)),
        ("llama.rope.dimension_count", Value::U32(8)),
        ("llama.expert_count", Value::U32(8)),
        ("llama.attention.sliding_window", Value::U32(64)),
        ("llama.attention.head_count_kv", Value::Array(vec![Value::U32(2), Value::U32(1)])),
        ("llama.feed_forward_length", text("many")),
        ("llama.block_count", Value::U32(0)),
        ("llama.block_count", Value::U32(3)),
        ("llama.rope.freq_base", Value::F32(-1.0)),
        ("general.alignment", Value::U32(0)),
    ] {
        let mut metadata: Metadata =
            metadata(&config).into_iter().filter(|(name, _)| name != field).collect();
        metadata.push((field.to_string(), value.clone()));
        let error = read(&file(&config, &all, GgmlDType::F32, &metadata, &[])).unwrap_err().to_string();
        let named = if matches!(value, Value::U32(3)) { "model.layers.2" } else { field };
        assert!(error.contains(named) && error.contains("GGUF"), "{field}: {error}");
    }
    let neutral = [
        ("llama.rope.scaling.type", text("none")),
        ("llama.expert_count", Value::U32(0)),
        ("general.name", text("tiny")),
    ];
    let fields: Metadata = neutral.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
    let metadata = [metadata(&config), fields].concat();
    read(&file(&config, &all, GgmlDType::F32, &metadata, &[])).unwrap();
    let error = read(&file(&config, &all, GgmlDType::F32, &metadata, &[("blk.0.attn_q.bias", &[0.0; 64])]));
    assert!(error.unwrap_err().to_string().contains("blk.0.attn_q.bias"));
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

fn small_with_vocabulary(vocab_size: usize, tokenizer: Metadata) -> Vec<u8> {
    let config = LlamaConfig { vocab_size, hidden_size: 8, head_dim: 2, intermediate_size: 4, ..config() };
    let metadata = [metadata(&config), tokenizer].concat();
    file(&config, &weights(&config), GgmlDType::F32, &metadata, &[])
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
    let expected = Tokenizer::from_bytes(ATLAS, Some(ATLAS_CONFIG), None, None).unwrap();
    let bytes = small_with_vocabulary(2048, atlas_metadata("gpt-2"));
    let bundle = Bundle::read(&Files::Gguf { file: &bytes, tokenizer: None }).unwrap();
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
        let expected =
            Tokenizer::from_bytes(json.to_string().as_bytes(), Some(ATLAS_CONFIG), None, None).unwrap();
        let bytes = small_with_vocabulary(2048, atlas_metadata(pre));
        let got = Gguf::parse(&bytes).unwrap().tokenizer().unwrap();
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
        let error = Gguf::parse(&bytes).unwrap().tokenizer().err().unwrap().to_string();
        assert!(error.contains(field), "{error}");
    }
    let bytes = small_with_vocabulary(40, atlas_metadata("gpt-2"));
    assert!(Bundle::read(&Files::Gguf { file: &bytes, tokenizer: None }).is_err(), "more tokens than rows");
    let none = plain();
    let error = Bundle::read(&Files::Gguf { file: &none, tokenizer: None }).err().unwrap().to_string();
    assert!(error.contains("tokenizer.json"), "{error}");
}

/// A small file with every kind of part, for damaging.
fn mixed() -> Vec<u8> {
    let tokenizer = [
        ("tokenizer.ggml.model", Value::String("gpt2".to_string())),
        ("tokenizer.ggml.pre", Value::String("llama-bpe".to_string())),
        (
            "tokenizer.ggml.tokens",
            Value::Array(["a", "b", "ab", "<|end|>"].map(|t| Value::String(t.to_string())).into()),
        ),
        ("tokenizer.ggml.merges", Value::Array(vec![Value::String("a b".to_string())])),
        ("tokenizer.ggml.token_type", Value::Array([1, 1, 1, 3].map(Value::I32).into())),
        ("tokenizer.ggml.eos_token_id", Value::U32(3)),
    ];
    small_with_vocabulary(4, tokenizer.into_iter().map(|(name, value)| (name.to_string(), value)).collect())
}

/// Reads everything; must not panic.
fn exercise(bytes: &[u8]) {
    if let Ok(bundle) = Bundle::read(&Files::Gguf { file: bytes, tokenizer: None }) {
        let _ = bundle.tokenizer.encode("ab a<|end|>b");
    }
}

#[test]
fn tensors_that_share_bytes_are_refused() {
    let bytes = mixed();
    Bundle::read(&Files::Gguf { file: &bytes, tokenizer: None }).unwrap();
    // Behind the name: the number of dimensions, two of them, the type, the offset.
    let name = b"token_embd.weight";
    let at = bytes.windows(name.len()).position(|window| window == name).unwrap() + name.len() + 4 + 16 + 4;
    let mut shared = bytes.clone();
    shared[at..at + 8].fill(0);
    let error = Gguf::parse(&shared).err().unwrap().to_string();
    assert!(error.contains("shares bytes"), "{error}");
}

proptest! {
    #[test]
    fn damaged_files_are_errors(flips in prop::collection::vec((0usize..2200, any::<u8>()), 1..5), cut in 0usize..20_000) {
        let mut bytes = mixed();
        for (at, value) in flips {
            let index = at % bytes.len();
            bytes[index] = value;
        }
        exercise(&bytes);
        bytes.truncate(cut);
        exercise(&bytes);
    }

    #[test]
    fn huge_claims_are_errors(at in 4usize..2200, claim in prop::sample::select(vec![u64::MAX, 1 << 62, 1 << 40, 1 << 31])) {
        let mut bytes = mixed();
        bytes[at..at + 8].copy_from_slice(&claim.to_le_bytes());
        exercise(&bytes);
    }

    #[test]
    fn any_bytes_are_errors(tail: Vec<u8>) {
        prop_assert!(Gguf::parse(&tail).is_err());
        prop_assert!(Gguf::parse(&[b"GGUF\x03\0\0\0", &tail[..]].concat()).is_err());
    }
}
