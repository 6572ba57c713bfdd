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
    /// What was to be learned; held-out loss in older records.
    #[serde(default = "heldout_loss")]
    pub goal: Metric,
    /// All runs in their course.
    #[serde(default)]
    pub checkpoints: Vec<Checkpoint>,
    /// How much each arm can learn and keep at the same time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frontiers: Vec<Frontier>,
    /// How well facts lost follow from a divergence, over all arms, rates, seeds and steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fits: Vec<Fit>,
    /// Of a sweep over rates: where each arm's held-out loss is lowest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub optima: Vec<Optimum>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counterfactual: Vec<Counterfactual>,
}

const fn heldout_loss() -> Metric {
    Metric::HeldoutLoss
}

/// The checkpoints of an arm that no other of its checkpoints beats in both, what is learned and what is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Frontier {
    pub arm: ArmId,
    /// What a seed's checkpoints dominate: learned since the start (nats of held-out loss, or the share of new facts) times
    /// the share of facts kept. Over the seeds.
    pub area: Spread,
    pub seeds: u32,
    /// `[goal, recall_cloze]` of all seeds together, in the order of what is learned.
    pub corners: Vec<[f32; 2]>,
}

/// Least squares of `lost = c0 + c1 x + c2 x²`, where x is a divergence in nats per token and lost a share of the kept facts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Fit {
    pub metric: Metric,
    pub coefficients: [f32; 3],
    /// Share of the variance that it explains.
    pub r2: f32,
    /// Checkpoints.
    pub n: u32,
}

/// The rate of the lowest held-out loss at the end, by a parabola over the logarithm of the rate through the best one and its
/// neighbours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Optimum {
    pub arm: ArmId,
    pub rate: Interval,
    /// The first arm's best rate divided by this one's, seed by seed; none for the first arm.
    pub ratio: Option<Interval>,
    pub seeds: u32,
}

/// A geometric mean over seeds with its 95 % interval (Student); all three the same for a single seed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Interval {
    pub mean: f32,
    pub low: f32,
    pub high: f32,
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
    /// How probable a difference of at least this size is if there is none (Welch, two-sided).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<f32>,
    /// The same for all comparisons of the experiment together (Holm).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_holm: Option<f32>,
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
    /// KL(tuned || base) on the arm's own answers.
    pub kl: f32,
    /// KL(base || tuned) on the new task; not in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kl_task: Option<f32>,
    /// Share of the facts that only the set states, asked; where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recall_new: Option<f32>,
    /// What the change was multiplied by, where that is not 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strength: Option<f32>,
}

impl Checkpoint {
    /// How much of `goal` has been learned: more is better. None where it was not measured.
    pub fn learned(&self, goal: Metric) -> Option<f64> {
        let value = if goal == Metric::RecallNew { self.recall_new? } else { self.heldout_loss };
        value.is_finite().then(|| goal.learned(f64::from(value)))
    }
}
