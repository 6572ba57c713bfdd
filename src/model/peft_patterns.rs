//! PEFT's adapters whose linears differ: in rank (`rank_pattern`), in alpha (`alpha_pattern`), or in being there at all
//! (`layers_to_transform`, `target_modules` that name one layer). They become one of a single rank and alpha that
//! computes the same: shorter ranks are filled with zeros, scales go into B, and linears without an adapter get
//! A = B = 0.

use regex::Regex;
use serde_json::Value;

use super::config::LlamaConfig;
use super::config_json::invalid;
use super::layout::{AdapterLayout, LORA_A, LORA_B};
use super::lora::Lora;
use super::peft::CONFIG_FILE;
use super::weights::{Array, Weights};
use crate::error::Result;

/// What PEFT puts before a linear's name.
const PREFIX: &str = "base_model.model.";

/// The highest rank that the others are filled up to.
const WIDEST: usize = 4096;

/// Whether the configuration says that not every layer has an adapter.
fn names_layers(json: &Value) -> bool {
    let modules = &json["target_modules"];
    let is_pattern = |value: &Value| value.as_str().is_some_and(|name| name.contains(['.', '*', '^', '[']));
    !json["layers_to_transform"].is_null()
        || !json["exclude_modules"].is_null()
        || modules.is_string()
        || modules.as_array().is_some_and(|list| list.iter().any(is_pattern))
}

/// Brings `tensors` to one rank and `lora.alpha`, and sets `lora.rank`. True where that changed anything.
///
/// # Errors
/// A pattern that is none, or DoRA on some layers only, whose rows' lengths here are the weights'.
pub fn unify(json: &Value, lora: &mut Lora, tensors: &mut Weights, model: &LlamaConfig) -> Result<bool> {
    let alphas = patterns(&json["alpha_pattern"])?;
    let linears: Vec<String> =
        tensors.keys().filter_map(|name| name.strip_suffix(LORA_A)).map(String::from).collect();
    let rank_of = |linear: &String| tensors[&format!("{linear}{LORA_A}")].shape.first().copied().unwrap_or(0);
    let ranks: Vec<usize> = linears.iter().map(rank_of).collect();
    let widest = ranks.iter().copied().max().unwrap_or(lora.rank);
    let mut is_changed = false;
    if !alphas.is_empty() || ranks.iter().any(|&rank| rank != lora.rank) && has(&json["rank_pattern"]) {
        if widest > WIDEST {
            let remedy = format!("Use ranks of at most {WIDEST}");
            return Err(invalid(CONFIG_FILE, "rank_pattern", &widest.to_string(), &remedy));
        }
        lora.rank = widest;
        let whole = lora.scale();
        for (linear, rank) in linears.iter().zip(ranks) {
            let name = linear.trim_start_matches(PREFIX).trim_end_matches('.');
            let alpha =
                alphas.iter().find(|(key, _)| key.is_match(name)).map_or(lora.alpha, |(_, alpha)| *alpha);
            let own = Lora { rank, alpha, ..lora.clone() }.scale();
            if let Some(a) = tensors.get_mut(&format!("{linear}{LORA_A}"))
                && let &[_, width] = a.shape.as_slice()
            {
                a.data.resize(widest * width, 0.0);
                a.shape[0] = widest;
            }
            if let Some(b) =
                tensors.get_mut(&format!("{linear}{LORA_B}")).filter(|b| b.shape.get(1) == Some(&rank))
            {
                let rows = b.data.chunks_exact(rank.max(1)).flat_map(|row| {
                    let zeros = std::iter::repeat_n(0.0, widest - rank);
                    row.iter().map(|b| b * own / whole).chain(zeros).collect::<Vec<_>>()
                });
                *b = Array { shape: vec![b.shape[0], widest], data: rows.collect() };
            }
        }
        is_changed = true;
    }
    let mut absent = Vec::new();
    if names_layers(json) {
        for (name, place) in AdapterLayout::new(model, lora).tensors {
            let linear = name.rsplit_once(".lora_").map_or(name.as_str(), |(linear, _)| linear);
            let prefix = format!("{linear}.");
            if tensors.keys().any(|known| known.starts_with(&prefix)) && !tensors.contains_key(&name) {
                continue; // a part of an adapter is missing, which is reported where all are checked
            }
            if !tensors.contains_key(&name) {
                if lora.dora {
                    let remedy = "Use a LoRA adapter, or DoRA on every layer";
                    return Err(invalid(CONFIG_FILE, "layers_to_transform", "with use_dora", remedy));
                }
                let data = vec![0.0; place.shape.iter().product()];
                absent.push((name, Array { shape: place.shape, data }));
            }
        }
    }
    is_changed |= !absent.is_empty();
    tensors.extend(absent);
    Ok(is_changed)
}

fn has(value: &Value) -> bool {
    value.as_object().is_some_and(|map| !map.is_empty())
}

/// Each key as PEFT matches it: against the end of a linear's name, from a dot on.
fn patterns(value: &Value) -> Result<Vec<(Regex, f32)>> {
    let Some(map) = value.as_object() else { return Ok(Vec::new()) };
    let pattern = |(key, alpha): (&String, &Value)| {
        let wrong =
            |message: &str| invalid(CONFIG_FILE, "alpha_pattern", message, "Give numbers by module name");
        let alpha = alpha.as_f64().ok_or_else(|| wrong(&format!("{key} has {alpha}")))?;
        let expression = format!(r"^(?:.*\.)?(?:{})$", key.trim_start_matches('^'));
        Ok((Regex::new(&expression).map_err(|error| wrong(&error.to_string()))?, alpha as f32))
    };
    map.iter().map(pattern).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::merge_adapter;
    use crate::model::peft;
    use crate::model::weights::{self, Precision};
    use crate::record::Target;
    use serde_json::json;

    const LINEARS: [&str; 4] = [
        "model.layers.0.self_attn.q_proj",
        "model.layers.0.mlp.down_proj",
        "model.layers.1.self_attn.q_proj",
        "model.layers.1.mlp.down_proj",
    ];

    fn model() -> LlamaConfig {
        let json = br#"{"hidden_size":4,"intermediate_size":6,"num_hidden_layers":2,"num_attention_heads":2,
            "num_key_value_heads":1,"vocab_size":5,"tie_word_embeddings":true}"#;
        LlamaConfig::from_json(json).unwrap()
    }

    fn values(shape: [usize; 2], seed: usize) -> Array {
        let data = (0..shape[0] * shape[1]).map(|i| ((i * 7 + seed * 3) % 11) as f32 / 11.0 - 0.4).collect();
        Array { shape: shape.to_vec(), data }
    }

    fn width(linear: &str) -> usize {
        if linear.ends_with("down_proj") { 6 } else { 4 }
    }

    /// An adapter with these ranks of [`LINEARS`], 0 for none.
    fn adapter(ranks: [usize; 4]) -> Weights {
        let mut tensors = Weights::new();
        for (i, (linear, rank)) in
            LINEARS.into_iter().zip(ranks).enumerate().filter(|(_, (_, rank))| *rank > 0)
        {
            tensors.insert(format!("{PREFIX}{linear}.{LORA_A}"), values([rank, width(linear)], i));
            tensors.insert(format!("{PREFIX}{linear}.{LORA_B}"), values([4, rank], i + 5));
        }
        tensors
    }

    /// The adapter read and merged is W + alpha / r B A of each linear by itself.
    fn check(config: Value, ranks: [usize; 4], scales: [f32; 4]) {
        let tensors = adapter(ranks);
        let bytes = weights::write(&tensors, Precision::F32).unwrap();
        let read = peft::read(config.to_string().as_bytes(), &bytes, &model()).unwrap();
        assert!(read.is_unified && read.lora.targets == [Target::QProj, Target::DownProj]);
        let base: Weights = model()
            .tensors()
            .into_iter()
            .map(|(name, shape)| {
                let data = vec![0.25; shape.iter().product()];
                (name, Array { shape, data })
            })
            .collect();
        let merged = merge_adapter(&model(), base.clone(), &read.lora, read.tensors).unwrap();
        for ((linear, rank), scale) in LINEARS.into_iter().zip(ranks).zip(scales) {
            let part = |part: &str| {
                tensors.get(&format!("{PREFIX}{linear}.{part}")).map_or(vec![], |t| t.data.clone())
            };
            let (a, b, width) = (part(LORA_A), part(LORA_B), width(linear));
            for (i, got) in merged[&format!("{linear}.weight")].data.iter().enumerate() {
                let (row, column) = (i / width, i % width);
                let sum: f32 = (0..rank).map(|r| b[row * rank + r] * a[r * width + column]).sum();
                assert!((got - (0.25 + scale * sum)).abs() < 1e-6, "{linear} {i}: {got}");
            }
        }
    }

    #[test]
    fn ranks_alphas_and_layers_of_their_own_compute_the_same() {
        let config = json!({"r": 2, "lora_alpha": 6, "target_modules": ["q_proj", "down_proj"],
            "rank_pattern": {"down_proj": 3, "layers.1.self_attn.q_proj": 1},
            "alpha_pattern": {"model.layers.0.mlp.down_proj": 12, "^model.layers.1.*q_proj": 5}});
        check(config, [2, 3, 1, 3], [3.0, 4.0, 5.0, 2.0]);
        let config = json!({"r": 2, "lora_alpha": 6, "layers_to_transform": [1],
            "target_modules": ["q_proj", "down_proj"]});
        check(config, [0, 0, 2, 2], [0.0, 0.0, 3.0, 3.0]);
        let config = json!({"r": 2, "lora_alpha": 6, "target_modules": ".*layers.0.*(q_proj|down_proj)"});
        check(config, [2, 2, 0, 0], [3.0, 3.0, 0.0, 0.0]);
    }

    #[test]
    fn what_is_missing_without_a_reason_is_named() {
        let bytes = weights::write(&adapter([2, 2, 0, 2]), Precision::F32).unwrap();
        let config = json!({"r": 2, "lora_alpha": 6, "target_modules": ["q_proj", "down_proj"]});
        let error = peft::read(config.to_string().as_bytes(), &bytes, &model()).unwrap_err().to_string();
        assert!(error.contains("layers.1.self_attn.q_proj"), "{error}");
    }
}
