//! Experiments: the runs that each is made of, and what is asked of them.

use serde::{Deserialize, Serialize};

use super::arm::ArmId;
use super::metric::Metric;
use super::settings::Settings;

/// How arms are made comparable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Fairness {
    /// The same learning rate.
    SameRate,
    /// Each arm's best learning rate, by held-out loss.
    BestRate,
    /// Where all arms, at their best rates, have the same held-out loss.
    EqualLoss,
}

impl Fairness {
    pub const ALL: [Self; 3] = [Self::SameRate, Self::BestRate, Self::EqualLoss];

    pub fn label(self) -> &'static str {
        match self {
            Self::SameRate => "same rate",
            Self::BestRate => "best rate",
            Self::EqualLoss => "equal held-out loss",
        }
    }

    pub fn help(self) -> &'static str {
        match self {
            Self::SameRate => "All arms train at one rate, whether it suits them or not.",
            Self::BestRate => {
                "Each arm trains at the rate that gave it the lowest held-out loss in the sweep."
            }
            Self::EqualLoss => {
                "Each arm is looked at where it has learned the instructions equally well, at its best rate."
            }
        }
    }
}

/// An instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Set {
    /// `instructions.jsonl`, 256 examples.
    Small,
    /// `instructions-1024.jsonl`, which begins with them.
    Large,
}

impl Set {
    /// Its file under `data`.
    pub fn file(self) -> &'static str {
        match self {
            Self::Small => "data/instructions.jsonl",
            Self::Large => "data/instructions-1024.jsonl",
        }
    }
}

/// A named experiment over conditions and seeds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Preset {
    pub name: String,
    /// On its card: "F1".
    pub short: String,
    pub title: String,
    /// The paper's finding, in a sentence; empty where nothing is claimed.
    pub claim: String,
    /// The model that it is for; none for Atlas.
    pub model: Option<String>,
    pub set: Set,
    pub conditions: Vec<Condition>,
    pub seeds: Vec<u32>,
    pub questions: Vec<Question>,
    /// Whether the conditions are one after another the rates of a sweep: then the questions are asked of each arm's
    /// best rate, which only the runs tell.
    pub is_sweep: bool,
    /// The condition whose borrowed answers are put to the counterfactual check.
    pub counterfactual: Option<usize>,
    pub shown: Shown,
}

/// The run that a record keeps whole: the first seed's.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Shown {
    /// Index of its condition.
    pub condition: usize,
    /// Steps between its measurements.
    pub measure_every: u32,
}

/// What a run is made with, seeds aside.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Condition {
    pub label: String,
    /// Where it stands for one way to compare the arms.
    pub fairness: Option<Fairness>,
    pub settings: Settings,
}

/// What the claim says of `b - a`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expect {
    Higher,
    Lower,
    /// No difference, or `b` is lower.
    NotHigher,
    /// No difference.
    Same,
}

/// One arm in one condition: its label, and how it is compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Side {
    pub condition: String,
    pub fairness: Option<Fairness>,
    pub arm: ArmId,
}

/// A comparison that the claim makes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Question {
    pub metric: Metric,
    pub a: Side,
    pub b: Side,
    /// Another figure of `b`, where two figures of one arm are compared.
    pub other: Option<Metric>,
    pub expect: Expect,
}

impl Preset {
    /// One condition, of which nothing is claimed: the arms as they are given.
    pub fn of_arms(settings: Settings, seeds: u32) -> Self {
        let shown = Shown { condition: 0, measure_every: settings.measure_every };
        Self {
            name: "arms".into(),
            short: "Arms".into(),
            title: "Arms from the same start on the same batches".into(),
            claim: String::new(),
            model: None,
            set: Set::Small,
            conditions: vec![Condition { label: "as they are".into(), fairness: None, settings }],
            seeds: (1..=seeds).collect(),
            questions: Vec::new(),
            is_sweep: false,
            counterfactual: None,
            shown,
        }
    }

    /// No runs of its own: for a check of another run.
    pub fn of_check() -> Self {
        Self { name: "check".into(), conditions: Vec::new(), ..Self::of_arms(Settings::default(), 0) }
    }

    /// With `steps` steps in every run.
    pub fn shorten(&mut self, steps: u32) {
        for Condition { settings, .. } in &mut self.conditions {
            (settings.steps, settings.measure_every) = (steps, settings.measure_every.min(steps.max(1)));
        }
        self.shown.measure_every = self.shown.measure_every.min(steps.max(1));
    }
}
