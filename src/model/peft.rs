//! LoRA adapters as PEFT keeps them: `adapter_model.safetensors` and `adapter_config.json`.

use serde_json::json;

use crate::train::Lora;

/// adapter_config.json. Rank and alpha are written out: PEFT takes 8 for either where it is absent.
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
        "use_dora": false,
        "fan_in_fan_out": false,
        "init_lora_weights": true,
        "inference_mode": true,
        "modules_to_save": null,
    });
    format!("{config:#}\n")
}
