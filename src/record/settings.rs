//! What a run is made with. The page, the command line and the record share this one description.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::arm::{ArmSpec, MOST_ARMS};
use super::field::{ARM_FIELDS, RUN_FIELDS};
use crate::error::{Error, Result};

/// Facts on invented countries that there are (`data/new-facts.jsonl`).
pub const NEW_FACTS: u32 = 64;

/// Which examples of a set are used where not all are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// The first ones.
    #[default]
    First,
    /// Those with the fewest response tokens.
    Shortest,
    /// Those with the most response tokens (Zhao et al., arXiv 2402.04833, call long ones best).
    Longest,
    /// Those whose response the base finds likeliest, per token.
    Confident,
}

/// In row `row` (from 0) of the instruction set the answer names `to` where it named `from`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Swap {
    pub row: u32,
    pub from: String,
    pub to: String,
}

/// Every choice of a run. Fields that are absent in JSON take the default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// One to [`MOST_ARMS`] arms, which start from the same base and see the same batches.
    pub arms: Vec<ArmSpec>,
    /// Order of the batches and start of the adapters.
    pub seed: u32,
    /// Optimiser steps of each arm; with 0 each is measured as it starts.
    pub steps: u32,
    /// Examples of a batch.
    pub batch: u32,
    /// Batches whose gradients make up one step.
    pub accumulate: u32,
    /// Tokens of an example, prompt and response; longer ones are cut at the end.
    pub max_len: u32,
    /// Largest global gradient norm; 0 does not clip.
    pub clip: f32,
    /// How many examples of the instruction set are used; 0 uses all.
    pub examples: u32,
    /// Which ones, where not all are.
    pub filter: Filter,
    /// Answers without openers and closers, one sentence long.
    pub simplified: bool,
    /// Facts on invented countries that the set states, each in two examples that replace its last ones.
    pub new_facts: u32,
    /// Rows whose answer names another object, for the counterfactual check.
    pub swaps: Vec<Swap>,
    /// Steps between two measurements.
    pub measure_every: u32,
    /// Facts on the knowledge walls, most of them *kept*.
    pub probes: u32,
    /// Whether facts that the base does not complete correctly are set aside before the run.
    #[serde(default)]
    pub known_only: bool,
    /// Facts asked in the chat template at each measurement; also the most held-out questions of a conversation.
    pub asked: u32,
    /// Answers that are drawn to one held-out question, before the first step and after the last.
    #[serde(default = "samples")]
    pub samples: u32,
    /// Kept facts whose object is ranked among those of its relation at each measurement.
    #[serde(default)]
    pub ranked: u32,
    /// Held-out prompts whose answers are compared with the base token by token.
    pub shift_prompts: u32,
    /// Longest answer, in tokens.
    pub answer_len: u32,
}

/// As many as Biderman et al. draw (arXiv 2405.09673).
const fn samples() -> u32 {
    50
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            arms: vec![ArmSpec::lora(1e-3), ArmSpec::full(1e-3)],
            seed: 1,
            steps: 200,
            batch: 8,
            accumulate: 1,
            max_len: 64,
            clip: 1.0,
            examples: 0,
            filter: Filter::First,
            simplified: false,
            new_facts: 0,
            swaps: Vec::new(),
            measure_every: 10,
            probes: 240,
            known_only: false,
            asked: 48,
            samples: samples(),
            ranked: 0,
            shift_prompts: 16,
            answer_len: 40,
        }
    }
}

impl Settings {
    /// Refuses what can't be run, naming the field, the arm and the range.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn validate(&self) -> Result<()> {
        if self.arms.is_empty() || self.arms.len() > MOST_ARMS {
            let message = format!("a run has 1 to {MOST_ARMS} arms, not {}", self.arms.len());
            return Err(setting("arms", message, "Remove or add arms"));
        }
        let json = |value: serde_json::Result<_>| value.unwrap_or(serde_json::Value::Null);
        let run = json(serde_json::to_value(self));
        RUN_FIELDS.iter().try_for_each(|field| field.check(&run, ""))?;
        let mut ids = BTreeSet::new();
        for arm in &self.arms {
            arm.check()?;
            if !ids.insert(&arm.id) {
                let message = format!("two arms have the id {:?}", arm.id);
                return Err(setting("arms.id", message, "Give each arm an id of its own"));
            }
            let value = json(serde_json::to_value(arm));
            ARM_FIELDS.iter().try_for_each(|field| field.check(&value, &arm.label))?;
        }
        Ok(())
    }

    /// The arm with this id.
    pub fn arm(&self, id: &str) -> Option<&ArmSpec> {
        self.arms.iter().find(|arm| arm.id == id)
    }

    /// These settings with these arms alone.
    #[must_use]
    pub fn with_arms(&self, arms: Vec<ArmSpec>) -> Self {
        Self { arms, ..self.clone() }
    }
}

pub(super) fn setting(field: &'static str, message: String, remedy: &str) -> Error {
    Error::Setting { field, message, remedy: remedy.into() }
}

#[cfg(test)]
mod tests {
    use super::super::{LoraSpec, Method};
    use super::*;

    fn refusal(settings: Settings) -> String {
        settings.validate().unwrap_err().to_string()
    }

    #[test]
    fn default_is_valid_and_survives_json() {
        let settings = Settings::default();
        settings.validate().unwrap();
        let json = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<Settings>(&json).unwrap(), settings);
        assert_eq!(serde_json::from_str::<Settings>("{}").unwrap(), settings);
    }

    #[test]
    fn bad_values_name_their_field_and_arm() {
        let with = |arm| Settings::default().with_arms(vec![arm]);
        let nan = refusal(with(ArmSpec::lora(f32::NAN)));
        assert!(nan.contains("lr") && nan.contains("LoRA"), "{nan}");
        let spec = LoraSpec { rank: 0, ..LoraSpec::default() };
        let zero = refusal(with(ArmSpec { method: Method::Lora(spec), ..ArmSpec::lora(1e-3) }));
        assert!(zero.contains("rank") && zero.contains("1 to 256"), "{zero}");
        let spec = LoraSpec { targets: vec![], ..LoraSpec::default() };
        let bare = refusal(with(ArmSpec { method: Method::Lora(spec), ..ArmSpec::lora(1e-3) }));
        assert!(bare.contains("targets"), "{bare}");
        assert!(refusal(Settings { batch: 0, ..Settings::default() }).contains("batch"));
        Settings { steps: 0, ..Settings::default() }.validate().unwrap();
        assert!(serde_json::from_str::<Settings>(r#"{"stpes": 8}"#).is_err());
    }

    #[test]
    fn arms_are_one_to_six_with_ids_of_their_own() {
        let arms = |n: usize| -> Vec<ArmSpec> {
            (0..n).map(|i| ArmSpec { id: format!("lora-{i}"), ..ArmSpec::lora(1e-3) }).collect()
        };
        Settings::default().with_arms(arms(6)).validate().unwrap();
        assert!(refusal(Settings::default().with_arms(arms(7))).contains("1 to 6 arms, not 7"));
        assert!(refusal(Settings::default().with_arms(vec![])).contains("not 0"));
        let twice = vec![ArmSpec::full(1e-3), ArmSpec::full(1e-4)];
        assert!(refusal(Settings::default().with_arms(twice)).contains("two arms have the id"));
        let base = ArmSpec { id: "base".into(), ..ArmSpec::full(1e-3) };
        assert!(refusal(Settings::default().with_arms(vec![base])).contains("base"));
        let unknown = r#"{"arms": [{"id": "a", "label": "A", "lr": 1, "method": {"kind": "prefix"}}]}"#;
        let error = serde_json::from_str::<Settings>(unknown).unwrap_err().to_string();
        assert!(error.contains("prefix") && error.contains("lora"), "{error}");
    }
}
