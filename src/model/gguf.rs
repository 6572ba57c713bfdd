//! GGUF files, as llama.cpp keeps models: configuration, tensors and tokenizer in one file.

mod header;
mod vocabulary;

use std::collections::BTreeMap;

use header::{Array as List, Header, Value};

use super::checkpoint::Stored;
use super::config::LlamaConfig;
use super::config_json::{invalid, size_within};
use super::rope::Llama3Scaling;
use super::source::Source;
use crate::error::{Error, Result};

/// How errors call the file.
pub(super) const FILE: &str = "the GGUF file";

/// Bytes of a file that are read first, in which the header of most small models ends, and how much more each time.
const FIRST: u64 = 4 << 20;
const MORE: u64 = 4;
/// A header's longest: Llama 3's takes 8 MB.
const LONGEST: u64 = 256 << 20;

/// Fields of a llama that this program follows, or that say nothing about what the model computes.
const KNOWN: [&str; 13] = [
    "context_length",
    "embedding_length",
    "block_count",
    "feed_forward_length",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.value_length",
    "attention.layer_norm_rms_epsilon",
    "rope.dimension_count",
    "rope.freq_base",
    "vocab_size",
    "tensor_data_layout",
];

/// Other fields of a llama, and the numbers at which they change nothing.
const NEUTRAL: [(&str, &[f64]); 4] = [
    ("expert_count", &[0.0]),
    ("expert_used_count", &[0.0]),
    ("rope.scaling.factor", &[0.0, 1.0]),
    ("rope.scale_linear", &[0.0, 1.0]),
];

/// The bytes of a file up to the end of its header, and some more.
///
/// # Errors
/// A file that cannot be read, or whose header does not fit it.
pub fn head(source: &dyn Source) -> Result<Vec<u8>> {
    let longest = source.size().min(LONGEST);
    let mut length = FIRST.min(longest);
    loop {
        let bytes = source.read(0..length).map_err(|error| {
            invalid(FILE, "header", &format!("it cannot be read: {error}"), "Fetch the file again")
        })?;
        // Errors that more bytes would not fix are left to whoever parses the header.
        if length == longest || Header::read(&bytes, source.size()).is_ok() {
            return Ok(bytes.into_owned());
        }
        length = (MORE * length).min(longest);
    }
}

/// A GGUF file whose header has been checked; borrows the header.
pub struct Gguf<'a> {
    header: Header<'a>,
    source: &'a dyn Source,
}

impl<'a> Gguf<'a> {
    /// `head`: of this file, see [`head`].
    ///
    /// # Errors
    /// A header that does not fit its file; a model that is no llama, or one in several files.
    pub fn parse(head: &'a [u8], source: &'a dyn Source) -> Result<Self> {
        let gguf = Self { header: Header::read(head, source.size())?, source };
        let architecture = gguf.text("general.architecture")?.unwrap_or("none");
        if architecture != "llama" {
            return Err(refuse(&format!("general.architecture {architecture}")));
        }
        if gguf.unsigned("split.count")?.is_some_and(|count| count > 1) {
            let remedy = "Join the parts with llama.cpp's llama-gguf-split --merge".to_string();
            return Err(Error::Unsupported { feature: format!("{FILE}: split.count"), remedy });
        }
        gguf.refuse_unknown_fields()?;
        Ok(gguf)
    }

    fn refuse_unknown_fields(&self) -> Result<()> {
        for (name, value) in &self.header.values {
            let Some(field) = name.strip_prefix("llama.").filter(|field| !KNOWN.contains(field)) else {
                continue;
            };
            let number = match *value {
                Value::Unsigned(number) => Some(number as f64),
                Value::Signed(number) => Some(number as f64),
                Value::Float(number) => Some(number),
                _ => None,
            };
            let neutral = NEUTRAL.iter().find(|(known, _)| *known == field);
            let is_neutral = neutral.is_some_and(|(_, at)| number.is_some_and(|number| at.contains(&number)));
            let is_unscaled = field == "rope.scaling.type" && *value == Value::Text(b"none");
            if !is_neutral && !is_unscaled {
                return Err(refuse(name));
            }
        }
        Ok(())
    }

    /// The model's configuration.
    ///
    /// # Errors
    /// A field that is missing or that this program does not run, by its name.
    pub fn config(&self) -> Result<LlamaConfig> {
        let size = |field: &str| self.required_size(field);
        let hidden_size = size("llama.embedding_length")?;
        let heads = size("llama.attention.head_count")?;
        let head_dim = self.size("llama.attention.key_length")?.unwrap_or(hidden_size / heads);
        for field in ["llama.attention.value_length", "llama.rope.dimension_count"] {
            if self.size(field)?.is_some_and(|width| width != head_dim) {
                return Err(refuse(&format!("{field} other than the head's width {head_dim}")));
            }
        }
        let embedding = self.header.tensors.get("token_embd.weight");
        let vocab_size = embedding.and_then(|tensor| size_within(*tensor.shape.first()? as u64));
        let id = |field: &str| Ok::<_, Error>(self.unsigned(field)?.and_then(|id| u32::try_from(id).ok()));
        let eps = "llama.attention.layer_norm_rms_epsilon";
        let mut config = LlamaConfig {
            hidden_size,
            intermediate_size: size("llama.feed_forward_length")?,
            num_hidden_layers: size("llama.block_count")?,
            num_attention_heads: heads,
            num_key_value_heads: self.size("llama.attention.head_count_kv")?.unwrap_or(heads),
            head_dim,
            vocab_size: vocab_size.ok_or_else(|| wrong("token_embd.weight", "missing or too large"))?,
            rope_theta: self.positive("llama.rope.freq_base")?.unwrap_or(10_000.0),
            rope_scaling: None,
            rms_norm_eps: self.positive(eps)?.ok_or_else(|| wrong(eps, "missing"))?,
            tie_word_embeddings: !self.header.tensors.contains_key("output.weight"),
            max_position_embeddings: size("llama.context_length")?,
            bos_token_id: id("tokenizer.ggml.bos_token_id")?,
            eos_token_ids: id("tokenizer.ggml.eos_token_id")?.into_iter().collect(),
            pad_token_id: id("tokenizer.ggml.padding_token_id")?,
        }
        .checked(FILE)?;
        config.rope_scaling = self.rope_scaling(&config)?;
        Ok(config)
    }

    /// llama.cpp's converter writes Llama 3's scaling as what each plain frequency is divided by. The four
    /// numbers that the factors come from are the same for all these models but one, so they are found by trying.
    fn rope_scaling(&self, plain: &LlamaConfig) -> Result<Option<Llama3Scaling>> {
        let Some(tensor) = self.header.tensors.get("rope_freqs.weight") else { return Ok(None) };
        let place = tensor.offset..tensor.offset + tensor.size as u64;
        let bytes =
            self.source.read(place).map_err(|error| wrong("rope_freqs.weight", &error.to_string()))?;
        let factors = tensor.encoding.decode(&bytes)?;
        let scaling = Llama3Scaling {
            factor: factors.iter().fold(1.0, |largest, factor| largest.max(f64::from(*factor))),
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_max_position_embeddings: 8192,
        };
        let frequencies = plain.inverse_frequencies();
        let fits = |(factor, frequency): (&f32, &f64)| {
            let expected = frequency / scaling.scale(*frequency);
            (f64::from(*factor) - expected).abs() < 1e-3 * expected
        };
        match factors.len() == frequencies.len() && factors.iter().zip(&frequencies).all(fits) {
            true => Ok((scaling.factor > 1.0).then_some(scaling)),
            false => Err(refuse("rope_freqs.weight other than Llama 3's")),
        }
    }

    /// The tensors under Hugging Face's names, to be read in its order of rows.
    ///
    /// # Errors
    /// A tensor that a Llama does not have, by its name.
    pub fn tensors(&self, config: &LlamaConfig) -> Result<BTreeMap<String, Stored>> {
        let mut tensors = BTreeMap::new();
        for (name, tensor) in &self.header.tensors {
            if *name == "rope_freqs.weight" {
                continue;
            }
            let their_name = hugging_face_name(name).ok_or_else(|| refuse(&format!("tensor {name}")))?;
            let heads = match name {
                name if name.ends_with("attn_q.weight") => Some(config.num_attention_heads),
                name if name.ends_with("attn_k.weight") => Some(config.num_key_value_heads),
                _ => None,
            };
            let turned = heads.map(|heads| [heads, config.head_dim]);
            let turned = turned.filter(|[heads, head_dim]| tensor.shape[0] == heads * head_dim);
            let (shape, encoding, offset) = (tensor.shape.clone(), tensor.encoding, tensor.offset);
            tensors.insert(their_name, Stored { shape, encoding, offset, turned });
        }
        Ok(tensors)
    }

    fn text(&self, field: &str) -> Result<Option<&'a str>> {
        match self.header.values.get(field) {
            None => Ok(None),
            Some(Value::Text(text)) => {
                str::from_utf8(text).map(Some).map_err(|_| wrong(field, "it is not UTF-8"))
            }
            Some(_) => Err(wrong(field, "no text")),
        }
    }

    fn array(&self, field: &str) -> Result<Option<List<'a>>> {
        match self.header.values.get(field) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(*list)),
            Some(_) => Err(wrong(field, "no list")),
        }
    }

    fn unsigned(&self, field: &str) -> Result<Option<u64>> {
        match self.header.values.get(field) {
            None => Ok(None),
            Some(Value::Unsigned(number)) => Ok(Some(*number)),
            Some(Value::Signed(number)) if *number >= 0 => Ok(Some(*number as u64)),
            Some(Value::Array(_)) => Err(refuse(&format!("{field} that differs by layer"))),
            Some(_) => Err(wrong(field, "no integer from 0")),
        }
    }

    fn flag(&self, field: &str) -> Result<Option<bool>> {
        match self.header.values.get(field) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(wrong(field, "neither true nor false")),
        }
    }

    fn size(&self, field: &str) -> Result<Option<usize>> {
        let Some(number) = self.unsigned(field)? else { return Ok(None) };
        size_within(number).map(Some).ok_or_else(|| wrong(field, &format!("{number} is none or too large")))
    }

    fn required_size(&self, field: &str) -> Result<usize> {
        self.size(field)?.ok_or_else(|| wrong(field, "missing"))
    }

    fn positive(&self, field: &str) -> Result<Option<f64>> {
        match self.header.values.get(field) {
            None => Ok(None),
            Some(Value::Float(number)) if number.is_finite() && *number > 0.0 => Ok(Some(*number)),
            Some(_) => Err(wrong(field, "no positive number")),
        }
    }
}

fn wrong(field: &str, message: &str) -> Error {
    invalid(FILE, field, message, "Convert the model again")
}

fn refuse(feature: &str) -> Error {
    let remedy = "Use a plain Llama model without it".to_string();
    Error::Unsupported { feature: format!("{FILE}: {feature}"), remedy }
}

/// llama.cpp's name of a tensor in Hugging Face's words.
fn hugging_face_name(name: &str) -> Option<String> {
    Some(match name {
        "token_embd.weight" => "model.embed_tokens.weight".to_string(),
        "output_norm.weight" => "model.norm.weight".to_string(),
        "output.weight" => "lm_head.weight".to_string(),
        name => {
            let (layer, name) = name.strip_prefix("blk.")?.split_once('.')?;
            let layer: usize = layer.parse().ok()?;
            let name = match name.strip_suffix(".weight")? {
                "attn_q" => "self_attn.q_proj",
                "attn_k" => "self_attn.k_proj",
                "attn_v" => "self_attn.v_proj",
                "attn_output" => "self_attn.o_proj",
                "ffn_gate" => "mlp.gate_proj",
                "ffn_up" => "mlp.up_proj",
                "ffn_down" => "mlp.down_proj",
                "attn_norm" => "input_layernorm",
                "ffn_norm" => "post_attention_layernorm",
                _ => return None,
            };
            format!("model.layers.{layer}.{name}.weight")
        }
    })
}

#[cfg(test)]
mod tests;
