//! What several runs show together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::arm::ArmId;
use super::counterfactual::Counterfactual;
use super::metric::{Metric, Spread};
use super::preset::Fairness;

/// Figures over several seeds, one row per condition and arm.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Summary {
    /// The experiment's name; empty in older records.
    #[serde(default)]
    pub preset: String,
    pub title: String,
    /// What the paper says.
    #[serde(default)]
    pub claim: String,
    /// All arms of the runs, in order.
    pub arms: Vec<SummaryArm>,
    pub rows: Vec<SummaryRow>,
    /// Put to the claim, one by one.
    #[serde(default)]
    pub comparisons: Vec<Comparison>,
    /// What the figures say about the claim, made from the figures.
    pub verdict: String,
    /// All runs in their course.
    #[serde(default)]
    pub checkpoints: Vec<Checkpoint>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counterfactual: Vec<Counterfactual>,
}

/// An arm as a summary names it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SummaryArm {
    pub id: ArmId,
    pub label: String,
}

/// Means and spreads over `seeds` at the end of training, or where [`Fairness`] says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SummaryRow {
    /// What is done to the data or the method.
    pub condition: String,
    #[serde(default)]
    pub fairness: Option<Fairness>,
    pub arm: ArmId,
    pub lr: f32,
    pub seeds: u32,
    pub figures: BTreeMap<Metric, Spread>,
}

/// Two figures, their difference `b - a`, and what it says about the claim.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Comparison {
    pub fairness: Option<Fairness>,
    pub a: ComparedSide,
    pub b: ComparedSide,
    pub difference: f32,
    /// Half width of the 95 % interval of the difference (Welch); needs two seeds a side.
    pub margin: Option<f32>,
    /// How much two seeds of the same side differ on average.
    pub noise: Option<f32>,
    pub reading: Reading,
    /// All of it as a sentence.
    pub text: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ComparedSide {
    pub condition: String,
    pub arm: ArmId,
    pub metric: Metric,
    /// Seeds.
    pub n: u32,
    pub spread: Spread,
}

/// A difference counts when it is larger than its interval and than the noise floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    Supports,
    Contradicts,
    NoDifference,
    /// Too few seeds to tell.
    OneSeed,
}

impl Reading {
    pub const ALL: [Self; 4] = [Self::Supports, Self::Contradicts, Self::NoDifference, Self::OneSeed];

    pub fn label(self) -> &'static str {
        match self {
            Self::Supports => "agrees with the claim",
            Self::Contradicts => "speaks against the claim",
            Self::NoDifference => "no difference beyond the spread over seeds",
            Self::OneSeed => "a direction only",
        }
    }

    /// Beside the word, so that colour never stands alone.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Supports => "✓",
            Self::Contradicts => "✗",
            Self::NoDifference => "=",
            Self::OneSeed => "?",
        }
    }
}

/// One measure of one run, for the curve of learning against forgetting.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Checkpoint {
    pub condition: String,
    pub fairness: Option<Fairness>,
    pub arm: ArmId,
    pub lr: f32,
    pub seed: u32,
    pub step: u32,
    pub heldout_loss: f32,
    pub recall_cloze: f32,
    pub kl: f32,
}
