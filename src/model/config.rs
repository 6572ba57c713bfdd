//! The shape of a Llama model, as Hugging Face's `config.json` gives it.

use serde_json::{Value, json};

use crate::error::{Error, Result};

/// Shape and constants of a Llama model.
#[derive(Clone, Debug, PartialEq)]
pub struct LlamaConfig {
    /// C, the width of the residual stream.
    pub hidden_size: usize,
    /// F, the width of the feed-forward layer.
    pub intermediate_size: usize,
    /// L, the number of layers.
    pub num_hidden_layers: usize,
    /// H, the number of query heads.
    pub num_attention_heads: usize,
    /// G, the number of key and value heads; divides H.
    pub num_key_value_heads: usize,
    /// D, the width of a head; even.
    pub head_dim: usize,
    /// V, the number of tokens.
    pub vocab_size: usize,
    pub rope_theta: f64,
    pub rms_norm_eps: f64,
    /// Whether the output layer is the embedding.
    pub tie_word_embeddings: bool,
    /// The longest sequence, in tokens.
    pub max_position_embeddings: usize,
    pub bos_token_id: Option<u32>,
    pub eos_token_id: Option<u32>,
}

const FILE: &str = "config.json";
/// No dimension beyond this: larger models do not fit a page, and products stay inside `usize`.
const LARGEST: usize = 1 << 20;

impl LlamaConfig {
    /// Reads `config.json`; refuses by name what this program does not implement.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let json: Value = serde_json::from_slice(bytes)
            .map_err(|error| invalid("the file", &error.to_string(), "give a JSON object"))?;
        refuse_unsupported(&json)?;
        let size = |field: &str| required_size(&json, field);
        let hidden_size = size("hidden_size")?;
        let heads = size("num_attention_heads")?;
        let config = LlamaConfig {
            hidden_size,
            intermediate_size: size("intermediate_size")?,
            num_hidden_layers: size("num_hidden_layers")?,
            num_attention_heads: heads,
            num_key_value_heads: optional_size(&json, "num_key_value_heads")?.unwrap_or(heads),
            head_dim: optional_size(&json, "head_dim")?.unwrap_or(hidden_size / heads),
            vocab_size: size("vocab_size")?,
            rope_theta: rope_theta(&json)?,
            rms_norm_eps: positive(&json, "rms_norm_eps", 1e-6)?,
            tie_word_embeddings: json["tie_word_embeddings"].as_bool().unwrap_or(false),
            max_position_embeddings: optional_size(&json, "max_position_embeddings")?.unwrap_or(2048),
            bos_token_id: token_id(&json["bos_token_id"]),
            eos_token_id: token_id(&json["eos_token_id"]),
        };
        config.check()?;
        Ok(config)
    }

    /// Writes the `config.json` that `from_json` and Hugging Face's transformers read.
    pub fn to_json(&self) -> String {
        let json = json!({
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "num_hidden_layers": self.num_hidden_layers,
            "num_attention_heads": self.num_attention_heads,
            "num_key_value_heads": self.num_key_value_heads,
            "head_dim": self.head_dim,
            "vocab_size": self.vocab_size,
            "rope_theta": self.rope_theta,
            "rope_scaling": null,
            "rms_norm_eps": self.rms_norm_eps,
            "tie_word_embeddings": self.tie_word_embeddings,
            "max_position_embeddings": self.max_position_embeddings,
            "hidden_act": "silu",
            "attention_bias": false,
            "attention_dropout": 0.0,
            "mlp_bias": false,
            "initializer_range": 0.02,
            "bos_token_id": self.bos_token_id,
            "eos_token_id": self.eos_token_id,
            "pad_token_id": self.eos_token_id,
            "torch_dtype": "float16",
            "use_cache": true,
        });
        format!("{json:#}\n")
    }

    /// Name and shape of every tensor that the model has, in file order; shapes are [out, in].
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let (c, v) = (self.hidden_size, self.vocab_size);
        let mut list = vec![("model.embed_tokens.weight".to_string(), vec![v, c])];
        for layer in 0..self.num_hidden_layers {
            let prefix = format!("model.layers.{layer}");
            for (linear, [output, input]) in self.linears() {
                list.push((format!("{prefix}.{linear}.weight"), vec![output, input]));
            }
            list.push((format!("{prefix}.input_layernorm.weight"), vec![c]));
            list.push((format!("{prefix}.post_attention_layernorm.weight"), vec![c]));
        }
        list.push(("model.norm.weight".to_string(), vec![c]));
        if !self.tie_word_embeddings {
            list.push(("lm_head.weight".to_string(), vec![v, c]));
        }
        list
    }

    /// The seven linear layers of a layer, by name, with their shapes [out, in].
    pub fn linears(&self) -> [(&'static str, [usize; 2]); 7] {
        let (c, f) = (self.hidden_size, self.intermediate_size);
        let queries = self.num_attention_heads * self.head_dim;
        let keys = self.num_key_value_heads * self.head_dim;
        [
            ("self_attn.q_proj", [queries, c]),
            ("self_attn.k_proj", [keys, c]),
            ("self_attn.v_proj", [keys, c]),
            ("self_attn.o_proj", [c, queries]),
            ("mlp.gate_proj", [f, c]),
            ("mlp.up_proj", [f, c]),
            ("mlp.down_proj", [c, f]),
        ]
    }

    /// Number of parameters.
    pub fn parameters(&self) -> usize {
        self.tensors().iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }

    fn check(&self) -> Result<()> {
        let (heads, groups) = (self.num_attention_heads, self.num_key_value_heads);
        if !heads.is_multiple_of(groups) {
            return Err(invalid(
                "num_key_value_heads",
                &format!("{groups} does not divide num_attention_heads {heads}"),
                "give a divisor",
            ));
        }
        if !self.head_dim.is_multiple_of(2) {
            return Err(invalid("head_dim", "odd", "rotary embeddings need an even width"));
        }
        Ok(())
    }
}

fn invalid(field: &str, message: &str, remedy: &str) -> Error {
    Error::Format {
        file: FILE.to_string(),
        field: field.to_string(),
        message: message.to_string(),
        remedy: remedy.to_string(),
    }
}

fn refuse_unsupported(json: &Value) -> Result<()> {
    let refuse = |feature: String| {
        let remedy = "use a plain Llama model without it".to_string();
        Err(Error::Unsupported { feature: format!("{FILE}: {feature}"), remedy })
    };
    let model_type = json["model_type"].as_str().unwrap_or("llama");
    if model_type != "llama" {
        return refuse(format!("model_type {model_type}"));
    }
    let mut architectures = json["architectures"].as_array().into_iter().flatten().filter_map(Value::as_str);
    if let Some(name) = architectures.find(|name| *name != "LlamaForCausalLM") {
        return refuse(format!("architecture {name}"));
    }
    if !json["rope_scaling"].is_null() {
        return refuse("rope_scaling".to_string());
    }
    let rope_type = json["rope_parameters"]["rope_type"].as_str().unwrap_or("default");
    if rope_type != "default" {
        return refuse(format!("rope_parameters of type {rope_type}"));
    }
    for field in ["attention_bias", "mlp_bias"] {
        if json[field].as_bool() == Some(true) {
            return refuse(field.to_string());
        }
    }
    let activation = json["hidden_act"].as_str().unwrap_or("silu");
    if activation != "silu" {
        return refuse(format!("hidden_act {activation}"));
    }
    Ok(())
}

fn optional_size(json: &Value, field: &str) -> Result<Option<usize>> {
    match &json[field] {
        Value::Null => Ok(None),
        value => match value.as_u64().and_then(|size| usize::try_from(size).ok()) {
            Some(size) if (1..=LARGEST).contains(&size) => Ok(Some(size)),
            _ => Err(invalid(field, &format!("{value}"), &format!("give an integer from 1 to {LARGEST}"))),
        },
    }
}

fn required_size(json: &Value, field: &str) -> Result<usize> {
    optional_size(json, field)?
        .ok_or_else(|| invalid(field, "missing", "use the config.json of a Llama model"))
}

fn positive(json: &Value, field: &str, default: f64) -> Result<f64> {
    match &json[field] {
        Value::Null => Ok(default),
        value => match value.as_f64() {
            Some(number) if number.is_finite() && number > 0.0 => Ok(number),
            _ => Err(invalid(field, &format!("{value}"), "give a positive number")),
        },
    }
}

/// Transformers 5 writes the base inside `rope_parameters`, earlier versions beside it.
fn rope_theta(json: &Value) -> Result<f64> {
    let nested = &json["rope_parameters"];
    let source = if nested["rope_theta"].is_null() { json } else { nested };
    positive(source, "rope_theta", 10_000.0)
}

/// An id, or the first of a list of ids.
fn token_id(value: &Value) -> Option<u32> {
    let first = value.as_array().and_then(|list| list.first()).unwrap_or(value);
    first.as_u64().and_then(|id| u32::try_from(id).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> LlamaConfig {
        LlamaConfig {
            hidden_size: 24,
            intermediate_size: 40,
            num_hidden_layers: 2,
            num_attention_heads: 4,
            num_key_value_heads: 2,
            head_dim: 6,
            vocab_size: 32,
            rope_theta: 10_000.0,
            rms_norm_eps: 1e-5,
            tie_word_embeddings: true,
            max_position_embeddings: 64,
            bos_token_id: Some(0),
            eos_token_id: Some(0),
        }
    }

    #[test]
    fn written_json_reads_back() {
        assert_eq!(LlamaConfig::from_json(small().to_json().as_bytes()).unwrap(), small());
    }

    #[test]
    fn unsupported_features_are_named() {
        let with = |field: &str, value: Value| {
            let mut json: Value = serde_json::from_str(&small().to_json()).unwrap();
            json[field] = value;
            LlamaConfig::from_json(json.to_string().as_bytes()).unwrap_err().to_string()
        };
        assert!(with("rope_scaling", json!({"rope_type": "llama3"})).contains("rope_scaling"));
        assert!(with("attention_bias", json!(true)).contains("attention_bias"));
        assert!(with("mlp_bias", json!(true)).contains("mlp_bias"));
        assert!(with("hidden_act", json!("gelu")).contains("gelu"));
        assert!(with("architectures", json!(["MistralForCausalLM"])).contains("Mistral"));
        assert!(with("num_key_value_heads", json!(3)).contains("num_key_value_heads"));
        assert!(with("hidden_size", json!(-1)).contains("hidden_size"));
        assert!(with("vocab_size", json!(1u64 << 60)).contains("vocab_size"));
        assert!(with("head_dim", json!(5)).contains("head_dim"));
        assert!(with("rms_norm_eps", json!(0)).contains("rms_norm_eps"));
    }

    #[test]
    fn parameters_are_counted() {
        let config = small();
        let per_layer = 24 * 24 * 2 + 24 * 12 * 2 + 3 * 24 * 40 + 48;
        assert_eq!(config.parameters(), 32 * 24 + 2 * per_layer + 24);
    }
}
