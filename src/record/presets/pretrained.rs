//! The experiment for a model that was pre-trained on the web.

use super::{RICH, condition, of_rank, preset};
use crate::record::arm::{ArmSpec, LoraSpec, Method, Regularisers};
use crate::record::preset::{Fairness, Preset};
use crate::record::settings::Settings;

pub(super) const SMOLLM2: &str = "SmolLM2-135M-Instruct";

/// What a model of 135 million parameters can be put to on two cores.
pub(super) fn large_model(arms: Vec<ArmSpec>) -> Settings {
    Settings {
        arms,
        steps: 32,
        batch: 4,
        max_len: 48,
        measure_every: 32,
        probes: 64,
        known_only: true,
        asked: 8,
        ranked: 16,
        shift_prompts: 4,
        answer_len: 24,
        ..Settings::default()
    }
}

/// LoRA of this rank, scaled by 2.
pub(super) fn lora_of(r: u32, rate: f32) -> ArmSpec {
    let spec = LoraSpec { rank: r, alpha: 2.0 * r as f32, ..LoraSpec::default() };
    ArmSpec { method: Method::Lora(spec), ..of_rank(r, rate) }
}

/// A model that was pre-trained on the web, on the facts that it knows: LoRA of two ranks, full tuning, and full tuning that
/// is held near the base, each at three rates, LoRA's ten times the others' as its best rates are.
pub(super) fn pretrained() -> Preset {
    let run = |[rate, full]: [f32; 2]| {
        let regularisers = Regularisers { kl_to_base: 0.3, ..Regularisers::default() };
        let near = ArmSpec {
            id: "full-kl".into(),
            label: "Full, KL 0.3".into(),
            regularisers,
            ..ArmSpec::full(full)
        };
        let arms = vec![lora_of(4, rate), lora_of(16, rate), ArmSpec::full(full), near];
        condition(RICH, Some(Fairness::SameRate), large_model(arms))
    };
    Preset {
        model: Some(SMOLLM2.into()),
        conditions: [[2e-4, 2e-5], [1e-3, 1e-4], [5e-3, 5e-4]].map(run).into(),
        is_sweep: true,
        seeds: vec![1, 2],
        ..preset(
            "pretrained",
            "Pretrained",
            "LoRA against full tuning of a model that was pre-trained on the web",
            "Full tuning drifts further from the base and forgets more than LoRA.",
            [1, 16],
        )
    }
}
