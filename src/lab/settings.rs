//! What a run is made with. The page, the command line and the record share this one description.

use serde::{Deserialize, Serialize};

use crate::data::variants::Filter;
use crate::error::{Error, Result};
use crate::train::schedule::{Decay, Schedule};
use crate::train::{Lora, Optimizer};

/// The seven linear layers of a Llama block, in the order the engine keeps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    QProj,
    KProj,
    VProj,
    OProj,
    GateProj,
    UpProj,
    DownProj,
}

impl Target {
    pub const ALL: [Self; 7] =
        [Self::QProj, Self::KProj, Self::VProj, Self::OProj, Self::GateProj, Self::UpProj, Self::DownProj];

    /// Hugging Face's name of the module.
    pub fn name(self) -> &'static str {
        match self {
            Self::QProj => "q_proj",
            Self::KProj => "k_proj",
            Self::VProj => "v_proj",
            Self::OProj => "o_proj",
            Self::GateProj => "gate_proj",
            Self::UpProj => "up_proj",
            Self::DownProj => "down_proj",
        }
    }
}

/// An arm of the experiment; `Base` is the untouched start that both are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArmName {
    Base,
    Lora,
    Full,
}

/// Learning-rate schedules of Hugging Face's `get_*_schedule_with_warmup`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    Constant,
    Linear,
    Cosine,
}

impl ScheduleKind {
    /// The rates of a run of `steps` steps that rise to `peak` in the first `warmup`.
    pub fn over(self, peak: f32, warmup: u32, steps: u32) -> Schedule {
        let decay = match self {
            Self::Constant => Decay::Constant,
            Self::Linear => Decay::Linear { floor: 0.0 },
            Self::Cosine => Decay::Cosine { floor: 0.0 },
        };
        Schedule { peak: f64::from(peak), warmup: warmup as usize, steps: steps as usize, decay }
    }
}

/// Facts on invented countries that there are (`data/new-facts.jsonl`).
pub const NEW_FACTS: u32 = 64;

/// In row `row` (from 0) of the instruction set the answer names `to` where it named `from`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Swap {
    pub row: u32,
    pub from: String,
    pub to: String,
}

/// Every choice of a run. Fields that are absent in JSON take the default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Arms that train, [`ArmName::Lora`] and / or [`ArmName::Full`].
    pub arms: Vec<ArmName>,
    /// Order of the batches and start of the adapters.
    pub seed: u32,
    /// Optimiser steps of each arm.
    pub steps: u32,
    /// Examples of a batch.
    pub batch: u32,
    /// Batches whose gradients make up one step.
    pub accumulate: u32,
    /// Tokens of an example, prompt and response; longer ones are cut at the end.
    pub max_len: u32,
    /// LoRA rank r.
    pub rank: u32,
    /// LoRA alpha; the update is scaled by alpha / r.
    pub alpha: f32,
    /// rsLoRA: the update is scaled by alpha / sqrt(r).
    pub rslora: bool,
    /// DoRA: rows of the adapted weights have trained lengths.
    pub dora: bool,
    /// Linear layers that LoRA adapts.
    pub targets: Vec<Target>,
    /// Peak learning rate of the LoRA arm.
    pub lr_lora: f32,
    /// Peak learning rate of the full arm.
    pub lr_full: f32,
    /// Steps of linear warm-up.
    pub warmup: u32,
    pub schedule: ScheduleKind,
    /// AdamW's decoupled weight decay, on all but norms.
    pub weight_decay: f32,
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
    /// Rows of pre-training text that each batch has beside its examples.
    pub replay: u32,
    /// NEFTune's alpha: noise on the embeddings while training; 0 adds none.
    pub neftune: f32,
    /// Full tuning: decay towards the base's weights (L2-SP) instead of zero, in multiples of the rate.
    pub pull: f32,
    /// Rows whose answer names another object, for the counterfactual check.
    pub swaps: Vec<Swap>,
    /// Steps between two measurements.
    pub measure_every: u32,
    /// Facts on the knowledge walls, most of them *kept*.
    pub probes: u32,
    /// Facts asked in the chat template at each measurement; also the most held-out questions of a conversation.
    pub asked: u32,
    /// Held-out prompts whose answers are compared with the base token by token.
    pub shift_prompts: u32,
    /// Longest answer, in tokens.
    pub answer_len: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            arms: vec![ArmName::Lora, ArmName::Full],
            seed: 1,
            steps: 200,
            batch: 8,
            accumulate: 1,
            max_len: 64,
            rank: 8,
            alpha: 16.0,
            rslora: false,
            dora: false,
            targets: Target::ALL.to_vec(),
            lr_lora: 1e-3,
            lr_full: 1e-3,
            warmup: 10,
            schedule: ScheduleKind::Constant,
            weight_decay: 0.0,
            clip: 1.0,
            examples: 0,
            filter: Filter::First,
            simplified: false,
            new_facts: 0,
            replay: 0,
            neftune: 0.0,
            pull: 0.0,
            swaps: Vec::new(),
            measure_every: 10,
            probes: 240,
            asked: 48,
            shift_prompts: 16,
            answer_len: 40,
        }
    }
}

impl Settings {
    /// Refuses values that cannot be run, naming the field and the range.
    pub fn validate(&self) -> Result<()> {
        let whole: [(&'static str, u32, u32, u32); 15] = [
            ("steps", self.steps, 1, 100_000),
            ("batch", self.batch, 1, 256),
            ("accumulate", self.accumulate, 1, 1024),
            ("max_len", self.max_len, 8, 2048),
            ("rank", self.rank, 1, 256),
            ("warmup", self.warmup, 0, 100_000),
            ("examples", self.examples, 0, 1_000_000),
            ("new_facts", self.new_facts, 0, NEW_FACTS),
            ("replay", self.replay, 0, 256),
            ("measure_every", self.measure_every, 1, 100_000),
            ("probes", self.probes, 1, 100_000),
            ("asked", self.asked, 0, 100_000),
            ("shift_prompts", self.shift_prompts, 1, 1024),
            ("answer_len", self.answer_len, 1, 512),
            ("seed", self.seed, 0, u32::MAX),
        ];
        for (field, value, low, high) in whole {
            check(field, f64::from(value), f64::from(low), f64::from(high))?;
        }
        let real: [(&'static str, f32, f64, f64); 7] = [
            ("alpha", self.alpha, 0.0, 1e4),
            ("lr_lora", self.lr_lora, 0.0, 10.0),
            ("lr_full", self.lr_full, 0.0, 10.0),
            ("weight_decay", self.weight_decay, 0.0, 10.0),
            ("clip", self.clip, 0.0, 1e6),
            ("neftune", self.neftune, 0.0, 1e3),
            ("pull", self.pull, 0.0, 1e4),
        ];
        for (field, value, low, high) in real {
            check(field, f64::from(value), low, high)?;
        }
        if self.targets.is_empty() && self.arms.contains(&ArmName::Lora) {
            return Err(Error::Setting {
                field: "targets",
                message: "LoRA has no layer to adapt".into(),
                remedy: "Choose at least one of q_proj … down_proj".into(),
            });
        }
        Ok(())
    }

    /// How the LoRA arm adapts the base.
    pub fn lora(&self) -> Lora {
        Lora {
            rank: self.rank as usize,
            alpha: self.alpha,
            targets: self.targets.clone(),
            rank_stabilised: self.rslora,
            dora: self.dora,
        }
    }

    /// The numbers of AdamW.
    pub fn optimizer(&self) -> Optimizer {
        Optimizer {
            weight_decay: self.weight_decay,
            max_norm: self.clip,
            pull: self.pull,
            neftune: self.neftune,
            seed: self.seed,
            ..Optimizer::default()
        }
    }

    /// Learning rate of an arm's step `index`, from 0.
    pub fn rate(&self, arm: ArmName, index: u32) -> f32 {
        let peak = if arm == ArmName::Lora { self.lr_lora } else { self.lr_full };
        self.schedule.over(peak, self.warmup, self.steps).rate(index as usize) as f32
    }
}

fn check(field: &'static str, value: f64, low: f64, high: f64) -> Result<()> {
    // Written so that NaN is refused too.
    if value >= low && value <= high {
        return Ok(());
    }
    Err(Error::Setting {
        field,
        message: format!("{value} is out of range"),
        remedy: format!("Use a value from {low} to {high}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_is_valid_and_survives_json() {
        let settings = Settings::default();
        settings.validate().unwrap();
        let json = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<Settings>(&json).unwrap(), settings);
        assert_eq!(serde_json::from_str::<Settings>("{}").unwrap(), settings);
    }

    #[test]
    fn bad_values_name_their_field() {
        let nan = Settings { lr_lora: f32::NAN, ..Settings::default() };
        assert!(nan.validate().unwrap_err().to_string().contains("lr_lora"));
        let zero = Settings { rank: 0, ..Settings::default() };
        assert!(zero.validate().unwrap_err().to_string().contains("rank"));
        assert!(serde_json::from_str::<Settings>(r#"{"rnak": 8}"#).is_err());
    }
}
