//! Files are written by candle's writer, so that our reader is tested against an independent writer.

use std::io::Cursor;

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::model::checkpoint::Checkpoint;
use crate::model::rope::Llama3Scaling;
use crate::model::weights::{Array, Weights};
use crate::reference::llama::{Llama, named};

mod damage;
mod tokenizer;

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
    let gguf = Gguf::parse(bytes, &bytes)?;
    let mut config = gguf.config()?;
    let mut weights = Checkpoint::of(FILE, Box::new(bytes), gguf.tensors(&config)?);
    weights.fit(&mut config, FILE)?;
    Ok((config, weights.all()?))
}

fn logits(config: &LlamaConfig, weights: &Weights) -> Vec<f32> {
    let model = Llama::frozen(config, &named(weights.clone()).unwrap()).unwrap();
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

fn small_with_vocabulary(vocab_size: usize, tokenizer: Metadata) -> Vec<u8> {
    let config = LlamaConfig { vocab_size, hidden_size: 8, head_dim: 2, intermediate_size: 4, ..config() };
    let metadata = [metadata(&config), tokenizer].concat();
    file(&config, &weights(&config), GgmlDType::F32, &metadata, &[])
}
