//! Rates: each arm at many of them.

use super::{RICH, at_rates, condition, preset};
use crate::record::preset::{Fairness, Preset};
use crate::record::settings::Settings;

pub(super) fn sweep() -> Preset {
    let run = |rate: f32| {
        let settings = at_rates((rate, rate));
        condition(RICH, Some(Fairness::SameRate), Settings { measure_every: settings.steps, ..settings })
    };
    Preset {
        conditions: [1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3].map(run).into(),
        is_sweep: true,
        ..preset(
            "lora-vs-full",
            "Sweep",
            "LoRA against full tuning, from the same start on the same batches",
            "Full tuning drifts further from the base and forgets more than LoRA.",
            [5, 40],
        )
    }
}
