//! Experiments: the runs that each is made of, and what is asked of them.

use serde::{Deserialize, Serialize};

use super::arm::ArmId;
use super::metric::Metric;
use super::settings::Settings;
use super::summary::SummaryArm;

/// How arms are made comparable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Fairness {
    /// The same learning rate.
    SameRate,
    /// Each arm's best learning rate, by held-out loss.
    BestRate,
    /// Where all arms have the same held-out loss, each at the rate that keeps most of those that get there, or at its best one.
    EqualLoss,
    /// Where all arms know as many of the facts that only the set states.
    EqualFacts,
}

impl Fairness {
    pub const ALL: [Self; 4] = [Self::SameRate, Self::BestRate, Self::EqualLoss, Self::EqualFacts];

    pub fn label(self) -> &'static str {
        match self {
            Self::SameRate => "same rate",
            Self::BestRate => "best rate",
            Self::EqualLoss => "equal held-out loss",
            Self::EqualFacts => "equally many new facts",
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
            Self::EqualFacts => {
                "Each arm is looked at where it has learned equally many new facts, at the rate that then keeps most of the old ones."
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
    /// Whether the conditions are, in order, the rates of a sweep: the questions are then about each arm's best
    /// rate, which only the runs reveal.
    pub is_sweep: bool,
    /// What is to be learned: it decides the best rate, and arms are compared where they learned the same.
    pub goal: Metric,
    pub doses: Doses,
    /// The condition whose borrowed answers are put to the counterfactual check.
    pub counterfactual: Option<usize>,
    /// None keeps figures alone.
    pub shown: Option<Shown>,
}

/// Arms that are measured once more after their last step, with each of these multiples of their change.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Doses {
    pub arms: Vec<ArmId>,
    pub strengths: Vec<f32>,
}

impl Doses {
    /// What weaker doses of an arm's change are called in a summary: they are compared like an arm.
    pub fn id(arm: &str) -> ArmId {
        format!("{arm}-dose")
    }

    /// The arm whose doses are called so.
    pub fn arm_of(&self, id: &str) -> Option<&ArmId> {
        self.arms.iter().find(|arm| Self::id(arm) == id)
    }
}

/// The run that a record keeps whole: the first seed's.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Shown {
    /// Index of its condition.
    pub condition: usize,
    /// Steps between the measurements that are kept of it; it is measured at least as often.
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
        let shown = Some(Shown { condition: 0, measure_every: settings.measure_every });
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
            goal: Metric::HeldoutLoss,
            doses: Doses::default(),
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
        if let Some(shown) = &mut self.shown {
            shown.measure_every = shown.measure_every.min(steps.max(1));
        }
    }

    /// All arms of its conditions, and the weaker doses of them, in order.
    pub fn arms(&self) -> Vec<SummaryArm> {
        let mut arms: Vec<SummaryArm> = Vec::new();
        for arm in self.conditions.iter().flat_map(|c| &c.settings.arms) {
            if arms.iter().all(|known| known.id != arm.id) {
                arms.push(SummaryArm { id: arm.id.clone(), label: arm.label.clone() });
            }
        }
        let dosed = arms.iter().filter(|arm| self.doses.arms.contains(&arm.id));
        let dose =
            |arm: &SummaryArm| SummaryArm { id: Doses::id(&arm.id), label: format!("{}, λΔW", arm.label) };
        let doses: Vec<SummaryArm> = dosed.map(dose).collect();
        [arms, doses].concat()
    }

    /// How arms are compared where they have learned the same.
    pub fn equal(&self) -> Fairness {
        if self.goal == Metric::RecallNew { Fairness::EqualFacts } else { Fairness::EqualLoss }
    }
}
