//! The shape of a Llama model, as Hugging Face's `config.json` gives it.

use serde_json::{Value, json};

use super::rope::Llama3Scaling;
use super::weights::Precision;

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
    pub rope_scaling: Option<Llama3Scaling>,
    pub rms_norm_eps: f64,
    /// Whether the output layer is the embedding.
    pub tie_word_embeddings: bool,
    /// The longest sequence, in tokens.
    pub max_position_embeddings: usize,
    pub bos_token_id: Option<u32>,
    pub eos_token_ids: Vec<u32>,
    /// Full tuning leaves this token's row of the input embedding without a gradient, as PyTorch does with
    /// `nn.Embedding`'s `padding_idx`.
    pub pad_token_id: Option<u32>,
}

impl LlamaConfig {
    /// Writes the `config.json` that `from_json` and Hugging Face's transformers read, for weights of this precision:
    /// transformers loads them as it says.
    pub fn to_json(&self, precision: Precision) -> String {
        let ends = match self.eos_token_ids.as_slice() {
            [] => Value::Null,
            [end] => json!(end),
            ends => json!(ends),
        };
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
            "rope_scaling": self.rope_scaling.map(|scaling| json!({
                "rope_type": "llama3",
                "factor": scaling.factor,
                "low_freq_factor": scaling.low_freq_factor,
                "high_freq_factor": scaling.high_freq_factor,
                "original_max_position_embeddings": scaling.original_max_position_embeddings,
            })),
            "rms_norm_eps": self.rms_norm_eps,
            "tie_word_embeddings": self.tie_word_embeddings,
            "max_position_embeddings": self.max_position_embeddings,
            "hidden_act": "silu",
            "attention_bias": false,
            "attention_dropout": 0.0,
            "mlp_bias": false,
            "initializer_range": 0.02,
            "bos_token_id": self.bos_token_id,
            "eos_token_id": ends,
            "pad_token_id": self.pad_token_id,
            "torch_dtype": precision.dtype(),
            "use_cache": true,
        });
        format!("{json:#}\n")
    }

    /// Name and shape of every tensor that the model has, in file order; shapes are [out, in].
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        self.each_tensor().collect()
    }

    /// [`LlamaConfig::tensors`] one at a time, for a configuration that may claim more layers than
    /// there is memory for their names.
    pub fn each_tensor(&self) -> impl Iterator<Item = (String, Vec<usize>)> {
        let (c, v) = (self.hidden_size, self.vocab_size);
        let linears = self.linears();
        let layers = (0..self.num_hidden_layers).flat_map(move |layer| {
            let named = move |name: &str| format!("model.layers.{layer}.{name}.weight");
            let linears = linears.into_iter().map(move |(linear, shape)| (named(linear), shape.to_vec()));
            let norms = ["input_layernorm", "post_attention_layernorm"];
            linears.chain(norms.into_iter().map(move |norm| (named(norm), vec![c])))
        });
        let head = (!self.tie_word_embeddings).then(|| ("lm_head.weight".to_string(), vec![v, c]));
        [("model.embed_tokens.weight".to_string(), vec![v, c])]
            .into_iter()
            .chain(layers)
            .chain([("model.norm.weight".to_string(), vec![c])])
            .chain(head)
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
    pub fn parameters(&self) -> u64 {
        // A page's words have 32 bits, and a model's file may claim more.
        self.each_tensor().map(|(_, shape)| shape.iter().map(|&side| side as u64).product::<u64>()).sum()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn small() -> LlamaConfig {
        LlamaConfig {
            hidden_size: 24,
            intermediate_size: 40,
            num_hidden_layers: 2,
            num_attention_heads: 4,
            num_key_value_heads: 2,
            head_dim: 6,
            vocab_size: 32,
            rope_theta: 10_000.0,
            rope_scaling: None,
            rms_norm_eps: 1e-5,
            tie_word_embeddings: true,
            max_position_embeddings: 64,
            bos_token_id: Some(0),
            eos_token_ids: vec![0],
            pad_token_id: None,
        }
    }

    #[test]
    fn parameters_are_counted() {
        let config = small();
        let per_layer = 24 * 24 * 2 + 24 * 12 * 2 + 3 * 24 * 40 + 48;
        assert_eq!(config.parameters(), 32 * 24 + 2 * per_layer + 24);
    }
}
