//! Reads `config.json`, and refuses by name what this program does not implement.

use serde_json::Value;

use super::config::LlamaConfig;
use super::rope::{rope_scaling, rope_theta};
use super::tokenizer::token_ids;
use super::weights::Precision;
use crate::error::{Error, Result};

pub(super) const FILE: &str = "config.json";
/// No dimension beyond this: larger models do not fit a page, and products stay inside `usize`.
const LARGEST: usize = 1 << 20;
/// No head is wider.
const WIDEST_HEAD: usize = 512;
/// Positions beyond are not used, so that a claim of millions costs no table of millions.
const FARTHEST: usize = 1 << 15;

/// Fields that change what a model computes, and the numbers (true is 1) at which they change nothing.
const NEUTRAL: [(&str, &[f64]); 17] = [
    ("attention_bias", &[0.0]),
    ("mlp_bias", &[0.0]),
    ("qkv_bias", &[0.0]),
    ("partial_rotary_factor", &[1.0]),
    ("sliding_window", &[]),
    ("use_sliding_window", &[0.0]),
    ("quantization_config", &[]),
    ("num_local_experts", &[0.0]),
    ("num_experts", &[0.0]),
    ("final_logit_softcapping", &[]),
    ("attn_logit_softcapping", &[]),
    ("use_qk_norm", &[0.0]),
    ("attention_multiplier", &[]),
    ("embedding_multiplier", &[1.0]),
    ("residual_multiplier", &[1.0]),
    ("logits_scaling", &[1.0]),
    ("no_rope_layers", &[]),
];

impl LlamaConfig {
    /// Reads `config.json`; refuses by name what this program does not implement.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let json: Value = serde_json::from_slice(bytes)
            .map_err(|error| invalid(FILE, "the file", &error.to_string(), "Give a JSON object"))?;
        refuse_unsupported(&json)?;
        let size = |field: &str| required_size(&json, field);
        let hidden_size = size("hidden_size")?;
        let heads = size("num_attention_heads")?;
        let positions = positions(&json)?;
        let config = LlamaConfig {
            hidden_size,
            intermediate_size: size("intermediate_size")?,
            num_hidden_layers: size("num_hidden_layers")?,
            num_attention_heads: heads,
            num_key_value_heads: optional_size(&json, "num_key_value_heads")?.unwrap_or(heads),
            head_dim: optional_size(&json, "head_dim")?.unwrap_or(hidden_size / heads),
            vocab_size: size("vocab_size")?,
            rope_theta: rope_theta(&json)?,
            rope_scaling: rope_scaling(&json, positions)?,
            rms_norm_eps: positive(&json, "rms_norm_eps")?.unwrap_or(1e-6),
            tie_word_embeddings: flag(&json, "tie_word_embeddings")?,
            max_position_embeddings: positions,
            bos_token_id: token_id(&json["bos_token_id"]),
            eos_token_ids: token_ids(&json["eos_token_id"]),
            pad_token_id: token_id(&json["pad_token_id"]),
        };
        config.checked(FILE)
    }

    /// Checks what one field says about another, and bounds the positions; `file` names the source.
    pub(super) fn checked(mut self, file: &str) -> Result<Self> {
        let (heads, groups, width) = (self.num_attention_heads, self.num_key_value_heads, self.head_dim);
        let invalid = |field, message: String, remedy| Err(invalid(file, field, &message, remedy));
        if !heads.is_multiple_of(groups) {
            let message = format!("{groups} does not divide num_attention_heads {heads}");
            return invalid("num_key_value_heads", message, "Give a divisor");
        }
        if width == 0 || width % 2 != 0 || width > WIDEST_HEAD {
            let remedy = "Rotary embeddings need an even width of at most 512";
            return invalid("head_dim", width.to_string(), remedy);
        }
        if heads * width > LARGEST {
            let message = format!("{heads} heads of {width}");
            return invalid("num_attention_heads", message, "Use a smaller model");
        }
        self.max_position_embeddings = self.max_position_embeddings.min(FARTHEST);
        Ok(self)
    }
}

/// An [`Error::Format`].
pub(super) fn invalid(file: &str, field: &str, message: &str, remedy: &str) -> Error {
    Error::Format {
        file: file.to_string(),
        field: field.to_string(),
        message: message.to_string(),
        remedy: remedy.to_string(),
    }
}

pub(super) fn refuse(feature: &str) -> Error {
    let remedy = "Use a plain Llama model without it".to_string();
    Error::Unsupported { feature: format!("{FILE}: {feature}"), remedy }
}

/// A config.json for weights of this precision, with as many layers as `config` has and its output layer tied as there;
/// everything else stays as it is.
///
/// # Errors
/// When it is no JSON object.
pub fn for_weights(bytes: &[u8], precision: Precision, config: &LlamaConfig) -> Result<Vec<u8>> {
    let broken = |error: serde_json::Error| invalid(FILE, "JSON", &error.to_string(), "Download it again");
    let mut json: serde_json::Map<String, Value> = serde_json::from_slice(bytes).map_err(broken)?;
    // transformers 5 writes dtype, earlier ones torch_dtype.
    let name = if json.contains_key("dtype") { "dtype" } else { "torch_dtype" };
    json.insert(name.into(), precision.dtype().into());
    json.insert("tie_word_embeddings".into(), config.tie_word_embeddings.into());
    json.insert("num_hidden_layers".into(), config.num_hidden_layers.into());
    json.retain(|key, _| key == name || !matches!(key.as_str(), "dtype" | "torch_dtype"));
    Ok(format!("{:#}\n", Value::Object(json)).into_bytes())
}

fn refuse_unsupported(json: &Value) -> Result<()> {
    let model_type = json["model_type"].as_str().unwrap_or("llama");
    if model_type != "llama" {
        return Err(refuse(&format!("model_type {model_type}")));
    }
    let mut architectures = json["architectures"].as_array().into_iter().flatten().filter_map(Value::as_str);
    if let Some(name) = architectures.find(|name| *name != "LlamaForCausalLM") {
        return Err(refuse(&format!("architecture {name}")));
    }
    for (field, neutral) in NEUTRAL {
        let value = &json[field];
        let number = value.as_f64().or_else(|| value.as_bool().map(|set| f64::from(u8::from(set))));
        if !value.is_null() && !number.is_some_and(|number| neutral.contains(&number)) {
            return Err(refuse(&format!("{field} {}", shortened(value))));
        }
    }
    let activation = &json["hidden_act"];
    if !activation.is_null() && !matches!(activation.as_str(), Some("silu" | "swish")) {
        return Err(refuse(&format!("hidden_act {}", shortened(activation))));
    }
    Ok(())
}

/// A value as an error shows it.
fn shortened(value: &Value) -> String {
    match value {
        Value::Object(_) | Value::Array(_) => "that is set".to_string(),
        value => value.to_string().chars().take(40).collect(),
    }
}

pub(super) fn optional_size(json: &Value, field: &str) -> Result<Option<usize>> {
    match &json[field] {
        Value::Null => Ok(None),
        value => match value.as_u64().and_then(size_within) {
            Some(size) => Ok(Some(size)),
            None => {
                let remedy = format!("Give an integer from 1 to {LARGEST}");
                Err(invalid(FILE, field, &shortened(value), &remedy))
            }
        },
    }
}

/// What a reader should know where the model has more positions than are computed here.
pub(super) fn cut_positions(bytes: &[u8]) -> Option<String> {
    let json: Value = serde_json::from_slice(bytes).ok()?;
    let many = json["max_position_embeddings"].as_u64().filter(|many| *many > FARTHEST as u64)?;
    Some(format!("{FILE}: of the model's {many} positions the first {FARTHEST} are used"))
}

/// As many positions as the model has, up to the most that are computed here.
fn positions(json: &Value) -> Result<usize> {
    const FIELD: &str = "max_position_embeddings";
    match json[FIELD].as_u64() {
        Some(many) if many > FARTHEST as u64 => Ok(FARTHEST),
        _ => Ok(optional_size(json, FIELD)?.unwrap_or(2048)),
    }
}

/// A dimension, if it is one that this program runs.
pub(super) fn size_within(size: u64) -> Option<usize> {
    usize::try_from(size).ok().filter(|size| (1..=LARGEST).contains(size))
}

fn required_size(json: &Value, field: &str) -> Result<usize> {
    optional_size(json, field)?
        .ok_or_else(|| invalid(FILE, field, "missing", "Use the config.json of a Llama model"))
}

pub(super) fn positive(json: &Value, field: &str) -> Result<Option<f64>> {
    match &json[field] {
        Value::Null => Ok(None),
        value => match value.as_f64() {
            Some(number) if number.is_finite() && number > 0.0 => Ok(Some(number)),
            _ => Err(invalid(FILE, field, &shortened(value), "Give a positive number")),
        },
    }
}

fn flag(json: &Value, field: &str) -> Result<bool> {
    match &json[field] {
        Value::Null => Ok(false),
        value => value.as_bool().ok_or_else(|| invalid(FILE, field, &shortened(value), "Give true or false")),
    }
}

/// An id, or the first of a list of ids.
fn token_id(value: &Value) -> Option<u32> {
    token_ids(value).first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::config::tests::small;
    use proptest::prelude::*;
    use serde_json::json;

    fn with(field: &str, value: Value) -> Result<LlamaConfig> {
        let mut json: Value = serde_json::from_str(&small().to_json(Precision::F32)).unwrap();
        json[field] = value;
        LlamaConfig::from_json(json.to_string().as_bytes())
    }

    #[test]
    fn written_json_reads_back() {
        let scaled = with("rope_scaling", llama_3_2()).unwrap();
        for config in [small(), scaled] {
            assert_eq!(LlamaConfig::from_json(config.to_json(Precision::F32).as_bytes()).unwrap(), config);
        }
    }

    fn llama_3_2() -> Value {
        json!({"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192})
    }

    #[test]
    fn llama3_scaling_is_read_from_either_field() {
        let mut older = llama_3_2();
        older["type"] = older["rope_type"].take();
        let mut newer = llama_3_2();
        newer["rope_theta"] = json!(500_000.0);
        let scaling = with("rope_scaling", llama_3_2()).unwrap().rope_scaling;
        assert_eq!(scaling.unwrap().factor, 32.0);
        assert_eq!(with("rope_scaling", older).unwrap().rope_scaling, scaling);
        let newer = with("rope_parameters", newer).unwrap();
        assert_eq!((newer.rope_scaling, newer.rope_theta), (scaling, 500_000.0));
        let plain = with("rope_parameters", json!({"rope_type": "default", "rope_theta": 7.0})).unwrap();
        assert_eq!((plain.rope_scaling, plain.rope_theta), (None, 7.0));
        assert_eq!(with("rope_scaling", json!({"type": "default"})).unwrap().rope_scaling, None);
    }

    #[test]
    fn unsupported_features_are_named() {
        for kind in ["linear", "dynamic", "yarn", "longrope", "su"] {
            for field in ["rope_scaling", "rope_parameters"] {
                let error = with(field, json!({"rope_type": kind, "factor": 2.0})).unwrap_err();
                assert!(error.to_string().contains(&format!("{field} of type {kind}")), "{error}");
            }
        }
        for (field, value) in [
            ("rope_scaling", json!(2)),
            ("rope_parameters", json!({"partial_rotary_factor": 0.5})),
            ("attention_bias", json!(true)),
            ("mlp_bias", json!(true)),
            ("hidden_act", json!("gelu")),
            ("architectures", json!(["MistralForCausalLM"])),
            ("model_type", json!("mistral")),
            ("partial_rotary_factor", json!(0.5)),
            ("sliding_window", json!(4096)),
            ("use_sliding_window", json!(true)),
            ("quantization_config", json!({"bits": 4})),
            ("num_local_experts", json!(8)),
            ("final_logit_softcapping", json!(30.0)),
            ("attention_multiplier", json!(0.1)),
        ] {
            let error = with(field, value).unwrap_err();
            assert!(matches!(error, Error::Unsupported { .. }), "{error}");
            assert!(error.to_string().contains(field.trim_end_matches('s')), "{error}");
        }
        assert!(
            with("pretraining_tp", json!(2)).is_ok()
                && with("hidden_act", json!("swish")).is_ok()
                && with("sliding_window", json!(null)).is_ok()
        );
    }

    #[test]
    fn wrong_values_are_named() {
        for (field, value) in [
            ("num_key_value_heads", json!(3)),
            ("hidden_size", json!(-1)),
            ("vocab_size", json!(1u64 << 60)),
            ("head_dim", json!(5)),
            ("head_dim", json!(1024)),
            ("rms_norm_eps", json!(0)),
            ("rope_theta", json!("big")),
            ("tie_word_embeddings", json!("yes")),
            ("num_attention_heads", json!(1 << 20)),
        ] {
            let error = with(field, value).unwrap_err();
            assert!(error.to_string().contains(field), "{error}");
            assert!(matches!(error, Error::Format { .. }), "{error}");
        }
        for (field, value) in [("factor", json!(null)), ("factor", json!(0)), ("high_freq_factor", json!(1))]
        {
            let mut scaling = llama_3_2();
            scaling[field] = value;
            let error = with("rope_scaling", scaling).unwrap_err().to_string();
            assert!(error.contains(field), "{error}");
        }
        assert_eq!(with("max_position_embeddings", json!(1 << 20)).unwrap().max_position_embeddings, 1 << 15);
    }

    proptest! {
        #[test]
        fn damaged_files_are_errors(at in 0usize..900, value: u8, cut in 0usize..2000) {
            let mut bytes = small().to_json(Precision::F32).into_bytes();
            let index = at % bytes.len();
            bytes[index] = value;
            bytes.truncate(bytes.len().saturating_sub(cut.saturating_sub(1000)).max(1));
            let _ = LlamaConfig::from_json(&bytes); // an error or a configuration, never a panic
        }

        #[test]
        fn any_bytes_are_errors(bytes: Vec<u8>) {
            prop_assert!(LlamaConfig::from_json(&bytes).is_err());
        }
    }
}
