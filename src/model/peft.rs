//! LoRA adapters as PEFT keeps them: `adapter_model.safetensors` and `adapter_config.json`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::config::LlamaConfig;
use super::config_json::invalid;
use super::layout::{AdapterLayout, MAGNITUDE};
use super::peft_patterns;
use super::weights::{self, Precision, Weights};
use crate::error::{Error, Result};
use crate::model::lora::Lora;
use crate::record::{MOST_RANK, Target};

pub const CONFIG_FILE: &str = "adapter_config.json";
pub const WEIGHTS_FILE: &str = "adapter_model.safetensors";
/// No adapter_config.json is longer, in bytes.
pub const LONGEST_CONFIG: u64 = 1 << 20;

/// An adapter that fits its model.
#[derive(Clone, Debug)]
pub struct Adapter {
    pub lora: Lora,
    /// Of its training in PEFT; it plays no part in what the adapter computes.
    pub dropout: f64,
    /// Under PEFT's names.
    pub tensors: Weights,
    /// Whether linears of different rank, alpha or layers were made alike: it computes the same, but would train
    /// otherwise than in PEFT.
    pub is_unified: bool,
}

/// Reads an adapter for `model` from the bytes of its two files.
///
/// Which linears are adapted is seen from the tensors, whatever way `target_modules` describes them.
///
/// # Errors
/// [`Error::Unsupported`] names what PEFT can do and this program cannot; [`Error::Format`] a field or tensor that is
/// broken, missing, or of another model.
pub fn read(config: &[u8], weights: &[u8], model: &LlamaConfig) -> Result<Adapter> {
    let json: Value = serde_json::from_slice(config)
        .map_err(|e| invalid(CONFIG_FILE, "the file", &e.to_string(), "Give the JSON object PEFT wrote"))?;
    refuse_unsupported(&json)?;
    let mut tensors = weights::read(weights, WEIGHTS_FILE)?;
    // Newer versions of PEFT have a module there, and some files its parameter's name.
    let longer = format!(".{MAGNITUDE}.weight");
    let renamed: Vec<String> = tensors.keys().filter(|name| name.ends_with(&longer)).cloned().collect();
    for name in renamed {
        if let Some(array) = tensors.remove(&name) {
            tensors.insert(name.trim_end_matches(".weight").to_string(), array);
        }
    }
    let mut lora = Lora {
        rank: number(&json, "r", 8.0, 1.0)? as usize,
        alpha: number(&json, "lora_alpha", 8.0, 0.0)? as f32,
        targets: targets(&tensors)?,
        rank_stabilised: json["use_rslora"] == true,
        dora: json["use_dora"] == true,
    };
    let is_unified = peft_patterns::unify(&json, &mut lora, &mut tensors, model)?;
    let places =
        AdapterLayout::new(model, &lora).tensors.into_iter().map(|(name, place)| (name, place.shape));
    let remedy = "Use an adapter that was made for this model, with its own adapter_config.json";
    weights::check(&tensors, places, WEIGHTS_FILE, remedy)?;
    Ok(Adapter { lora, dropout: json["lora_dropout"].as_f64().unwrap_or(0.0), tensors, is_unified })
}

/// The most bytes that [`WEIGHTS_FILE`] may have for `model`: every linear adapted by DoRA of the highest rank, in f32, and
/// a header.
pub fn most_bytes(model: &LlamaConfig) -> u64 {
    let (rank, targets) = (MOST_RANK as usize, Target::ALL.to_vec());
    let widest = Lora { rank, alpha: 1.0, targets, rank_stabilised: false, dora: true };
    let tensors = AdapterLayout::new(model, &widest).tensors;
    const HEADER: usize = 512; // of a tensor
    tensors.values().map(|place| place.range().len() * 4 + HEADER).sum::<usize>() as u64
}

/// The two files of an adapter; `base` names its model.
pub fn files(lora: &Lora, tensors: &Weights, base: &str) -> Result<Vec<(String, Vec<u8>)>> {
    let bytes = weights::write(tensors, Precision::F32)?;
    Ok(vec![(WEIGHTS_FILE.into(), bytes), (CONFIG_FILE.into(), config(lora, base).into_bytes())])
}

/// [`CONFIG_FILE`]. Rank and alpha are written out: PEFT takes 8 for either where it is absent.
pub fn config(lora: &Lora, base: &str) -> String {
    let config = json!({
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": lora.rank,
        "lora_alpha": lora.alpha,
        "lora_dropout": 0.0,
        "target_modules": lora.targets.iter().map(|t| t.name()).collect::<Vec<_>>(),
        "bias": "none",
        "use_rslora": lora.rank_stabilised,
        "use_dora": lora.dora,
        "fan_in_fan_out": false,
        "init_lora_weights": true,
        "inference_mode": true,
        "modules_to_save": null,
    });
    format!("{config:#}\n")
}

fn refuse_unsupported(json: &Value) -> Result<()> {
    let refuse = |feature: String| {
        let remedy = "Use a LoRA, rsLoRA or DoRA adapter without it".to_string();
        Err(Error::Unsupported { feature: format!("{CONFIG_FILE}: {feature}"), remedy })
    };
    let peft_type = json["peft_type"].as_str().unwrap_or("LORA");
    if peft_type != "LORA" {
        return refuse(format!("peft_type {peft_type}"));
    }
    let bias = json["bias"].as_str().unwrap_or("none");
    if bias != "none" {
        return refuse(format!("bias {bias}"));
    }
    const ABSENT: [&str; 10] = [
        "alora_invocation_tokens",
        "fan_in_fan_out",
        "layer_replication",
        "lora_bias",
        "megatron_config",
        "modules_to_save",
        "target_parameters",
        "trainable_token_indices",
        "use_bdlora",
        "use_qalora",
    ];
    let is_set = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        _ => true,
    };
    if let Some(field) = ABSENT.into_iter().find(|field| is_set(&json[*field])) {
        return refuse(field.to_string());
    }
    // These change the base's weights, so that the adapter does not fit the base as it is.
    let init = json["init_lora_weights"].as_str().unwrap_or_default();
    if ["pissa", "olora", "corda", "loftq", "lora_ga"].iter().any(|name| init.starts_with(name)) {
        return refuse(format!("init_lora_weights {init}"));
    }
    Ok(())
}

fn number(json: &Value, field: &str, default: f64, least: f64) -> Result<f64> {
    match &json[field] {
        Value::Null => Ok(default),
        value => match value.as_f64() {
            Some(number) if number >= least && number <= 65_536.0 => Ok(number),
            _ => {
                let remedy = format!("Give a number from {least} to 65536");
                Err(invalid(CONFIG_FILE, field, &value.to_string(), &remedy))
            }
        },
    }
}

/// The linears that the tensors speak of.
fn targets(tensors: &Weights) -> Result<Vec<Target>> {
    let mut found = BTreeSet::new();
    for name in tensors.keys() {
        let linear = name.split_once(".lora_").map(|(linear, _)| linear);
        let last = linear.and_then(|linear| linear.rsplit('.').next());
        match Target::ALL.into_iter().find(|t| Some(t.name()) == last) {
            Some(target) => found.insert(target),
            None => {
                let feature = format!("{WEIGHTS_FILE}: tensor {name}");
                let remedy = "Use an adapter of the linear layers q_proj … down_proj".to_string();
                return Err(Error::Unsupported { feature, remedy });
            }
        };
    }
    if found.is_empty() {
        return Err(invalid(WEIGHTS_FILE, "tensors", "there are none", "Save the adapter again"));
    }
    Ok(found.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn model() -> LlamaConfig {
        let json = br#"{"hidden_size":4,"intermediate_size":6,"num_hidden_layers":2,"num_attention_heads":2,
            "num_key_value_heads":1,"vocab_size":5,"tie_word_embeddings":true}"#;
        LlamaConfig::from_json(json).unwrap()
    }

    fn lora(dora: bool) -> Lora {
        let targets = vec![Target::QProj, Target::DownProj];
        Lora { rank: 2, alpha: 3.0, targets, rank_stabilised: true, dora }
    }

    fn saved(dora: bool) -> (Vec<u8>, Vec<u8>) {
        let tensors = lora(dora).initial(&model(), 1);
        let mut files = files(&lora(dora), &tensors, "base").unwrap();
        (files.remove(1).1, files.remove(0).1)
    }

    #[test]
    fn what_is_written_is_read() {
        for dora in [false, true] {
            let (config, weights) = saved(dora);
            let adapter = read(&config, &weights, &model()).unwrap();
            assert_eq!(adapter.lora, lora(dora));
            assert_eq!(adapter.tensors, lora(dora).initial(&model(), 1));
        }
    }

    #[test]
    fn what_is_not_supported_is_named() {
        let (config, weights) = saved(false);
        let with = |field: &str, value: Value| {
            let mut json: Value = serde_json::from_slice(&config).unwrap();
            json[field] = value;
            read(json.to_string().as_bytes(), &weights, &model()).map(|_| ()).unwrap_err().to_string()
        };
        for (field, value) in [
            ("peft_type", json!("IA3")),
            ("bias", json!("all")),
            ("modules_to_save", json!(["lm_head"])),
            ("alpha_pattern", json!({"q_proj": "x"})),
            ("init_lora_weights", json!("pissa_niter_4")),
            ("r", json!(0)),
            ("lora_alpha", json!("x")),
        ] {
            let error = with(field, value);
            assert!(error.contains(field) && error.contains("adapter_config.json"), "{error}");
        }
        assert!(with("r", json!(3)).contains("shape"), "a rank that is not the tensors'");
        assert!(with("use_dora", json!(true)).contains("missing"));
    }

    #[test]
    fn tensors_of_another_model_are_named() {
        let (config, weights) = saved(false);
        let other = LlamaConfig { hidden_size: 8, ..model() };
        assert!(read(&config, &weights, &other).unwrap_err().to_string().contains("shape"));
        let fewer = LlamaConfig { num_hidden_layers: 1, ..model() };
        assert!(read(&config, &weights, &fewer).unwrap_err().to_string().contains("layers.1"));
        let more = LlamaConfig { num_hidden_layers: 3, ..model() };
        assert!(read(&config, &weights, &more).unwrap_err().to_string().contains("layers.2"));
    }

    proptest! {
        #[test]
        fn damaged_files_are_errors(
            in_config: bool, at in 0usize..4000, value: u8, cut in 0usize..4000, keep in 0usize..3,
        ) {
            let (mut config, mut weights) = saved(true);
            let bytes = if in_config { &mut config } else { &mut weights };
            let length = bytes.len();
            bytes[at % length] = value;
            if keep == 0 {
                bytes.truncate(length - cut % length);
            }
            let _ = read(&config, &weights, &model()); // an error or an adapter, never a panic
        }
    }
}
