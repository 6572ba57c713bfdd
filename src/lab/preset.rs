//! Experiments by name: the runs that each is made of, and what is asked of them.

use serde::{Deserialize, Serialize};

use super::metric::Metric;
use super::settings::{ArmName, Settings};
use crate::data::variants::Filter;

/// LoRA's and full tuning's best learning rates: those of the lowest held-out loss in the sweep `lora-vs-full`.
/// A test compares them with the recorded sweep.
pub const BEST_RATES: (f32, f32) = (3e-4, 3e-5);

/// A rate that both arms have in common where the claim is put to the same rate: between the two best ones,
/// where the sweep shows both arms learning.
const SAME_RATE: f32 = 1e-3;

/// How two arms are made comparable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fairness {
    /// The same learning rate.
    SameRate,
    /// Each arm's best learning rate, by held-out loss.
    BestRate,
    /// Where both arms, at their best rates, have the same held-out loss.
    EqualLoss,
}

impl Fairness {
    pub fn label(self) -> &'static str {
        match self {
            Self::SameRate => "same rate",
            Self::BestRate => "best rate",
            Self::EqualLoss => "equal held-out loss",
        }
    }
}

/// An instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Set {
    /// `instructions.jsonl`, 256 examples.
    Small,
    /// `instructions-1024.jsonl`, which begins with them.
    Large,
}

/// A named experiment over conditions and seeds.
#[derive(Clone, Debug)]
pub struct Preset {
    pub name: &'static str,
    pub title: &'static str,
    /// The paper's finding, in a sentence.
    pub claim: &'static str,
    pub set: Set,
    pub conditions: Vec<Condition>,
    pub seeds: Vec<u32>,
    pub questions: Vec<Question>,
    /// Whether borrowed answers are put to the counterfactual check, in this condition.
    pub counterfactual: Option<usize>,
    /// The condition whose first run is kept whole, with a measure in so many steps.
    pub shown: (usize, u32),
}

/// What a run is made with, seeds aside.
#[derive(Clone, Debug)]
pub struct Condition {
    pub label: String,
    /// Where it stands for one way to compare the arms.
    pub fairness: Option<Fairness>,
    pub settings: Settings,
}

/// What the claim says of `b - a`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    Higher,
    Lower,
    /// `b` is not better, where more is better.
    NotHigher,
    /// No difference.
    Same,
}

/// One arm in one condition: its label, and how it is compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    pub condition: String,
    pub fairness: Option<Fairness>,
    pub arm: ArmName,
}

/// A comparison that the claim makes.
#[derive(Clone, Debug)]
pub struct Question {
    pub metric: Metric,
    pub a: Side,
    pub b: Side,
    /// Another figure of `b`, where two figures of one arm are compared.
    pub other: Option<Metric>,
    pub expect: Expect,
}

const RICH: &str = "as they are";
const SIMPLE: &str = "simplified answers";
const PLAIN: &str = "plain LoRA";
const PLAIN_FULL: &str = "plain full tuning";
const PULLED: &str = "full tuning, L2 to the base";

fn condition(label: &str, fairness: Option<Fairness>, settings: Settings) -> Condition {
    Condition { label: label.into(), fairness, settings }
}

fn side(label: &str, fairness: Option<Fairness>, arm: ArmName) -> Side {
    Side { condition: label.into(), fairness, arm }
}

fn best() -> Settings {
    Settings { lr_lora: BEST_RATES.0, lr_full: BEST_RATES.1, measure_every: 20, ..Settings::default() }
}

fn same() -> Settings {
    Settings { lr_lora: SAME_RATE, lr_full: SAME_RATE, measure_every: 20, ..Settings::default() }
}

/// Both arms at the same rate and at each one's best.
fn both_rates(label: &str, change: impl Fn(Settings) -> Settings) -> [Condition; 2] {
    [
        condition(label, Some(Fairness::SameRate), change(same())),
        condition(label, Some(Fairness::BestRate), change(best())),
    ]
}

/// Full tuning (b) against LoRA (a), in every way to compare them.
fn arms(label: &str, metric: Metric, expect: Expect) -> Vec<Question> {
    let all = [Fairness::SameRate, Fairness::BestRate, Fairness::EqualLoss];
    all.map(|fairness| Question {
        metric,
        a: side(label, Some(fairness), ArmName::Lora),
        b: side(label, Some(fairness), ArmName::Full),
        other: None,
        expect,
    })
    .into()
}

impl Preset {
    pub const NAMES: [&'static str; 6] = ["lora-vs-full", "f1", "f2", "f3", "f4", "f5"];

    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "lora-vs-full" => Some(sweep()),
            "f1" => Some(f1()),
            "f2" => Some(f2()),
            "f3" => Some(f3()),
            "f4" => Some(f4()),
            "f5" => Some(f5()),
            _ => None,
        }
    }
}

impl Preset {
    /// No runs of its own: for a check of the lab's run.
    pub fn check() -> Self {
        Self {
            name: "check",
            title: "Counterfactual check",
            conditions: Vec::new(),
            seeds: Vec::new(),
            ..sweep()
        }
    }
}

fn sweep() -> Preset {
    let run = |rate: f32| {
        let settings = Settings { lr_lora: rate, lr_full: rate, ..Settings::default() };
        condition(RICH, Some(Fairness::SameRate), Settings { measure_every: settings.steps, ..settings })
    };
    let rates = [1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3];
    Preset {
        name: "lora-vs-full",
        title: "LoRA against full tuning, from the same start on the same batches",
        claim: "Full tuning drifts further from the base and forgets more than LoRA.",
        set: Set::Small,
        conditions: rates.map(run).into(),
        seeds: vec![1, 2, 3],
        questions: Vec::new(), // of the best rates, which only the runs tell
        counterfactual: None,
        shown: (5, 10),
    }
}

fn f1() -> Preset {
    let mut questions = arms(RICH, Metric::Kl, Expect::Higher);
    questions.extend(arms(RICH, Metric::Unshifted, Expect::Lower));
    // As Lin et al. report of tuned models: the drift is in the first words.
    let lora = side(RICH, Some(Fairness::BestRate), ArmName::Lora);
    let (a, b) = (lora.clone(), lora);
    questions.push(Question {
        metric: Metric::KlEarly,
        a,
        b,
        other: Some(Metric::KlLate),
        expect: Expect::Lower,
    });
    Preset {
        name: "f1",
        title: "Does LoRA keep the token distribution of pre-training?",
        claim: "LoRA preserves the pre-training token distribution, full tuning doesn't.",
        set: Set::Small,
        conditions: both_rates(RICH, |s| s).into(),
        seeds: vec![1, 2, 3],
        questions,
        counterfactual: None,
        shown: (1, 20),
    }
}

fn f2() -> Preset {
    let sizes = [16, 64, 256, 1024];
    let label = |size: u32| format!("{size} examples");
    let run = |examples: u32| {
        let settings = Settings { examples, measure_every: 50, ..best() };
        condition(&label(examples), Some(Fairness::BestRate), settings)
    };
    let question = |arm, from: u32, metric, expect| Question {
        metric,
        a: side(&label(from), Some(Fairness::BestRate), arm),
        b: side(&label(1024), Some(Fairness::BestRate), arm),
        other: None,
        expect,
    };
    use Expect::{Lower, Same};
    Preset {
        name: "f2",
        title: "Does a larger instruction set help LoRA?",
        claim: "Scaling the data set is ineffective for LoRA.",
        set: Set::Large,
        conditions: sizes.map(run).into(),
        seeds: vec![1, 2, 3],
        questions: vec![
            question(ArmName::Lora, 16, Metric::HeldoutLoss, Same),
            question(ArmName::Lora, 256, Metric::HeldoutLoss, Same),
            question(ArmName::Lora, 16, Metric::Conversation, Same),
            question(ArmName::Lora, 16, Metric::Kl, Same),
            question(ArmName::Full, 16, Metric::HeldoutLoss, Lower),
        ],
        counterfactual: None,
        shown: (0, 20),
    }
}

fn f3() -> Preset {
    let label = |facts: u32| match facts {
        0 => "no new facts".to_string(),
        n => format!("{n} new facts, {} % of the rows", 2 * n * 100 / 256),
    };
    let new = |facts: u32, settings: Settings, fairness| {
        let settings = Settings { new_facts: facts, measure_every: 50, ..settings };
        condition(&label(facts), Some(fairness), settings)
    };
    let at = |facts: u32, fairness, arm| side(&label(facts), Some(fairness), arm);
    let (best_rate, same_rate) = (Fairness::BestRate, Fairness::SameRate);
    let mut questions = Vec::new();
    for (fairness, arm) in
        [(best_rate, ArmName::Lora), (best_rate, ArmName::Full), (same_rate, ArmName::Lora)]
    {
        questions.push(Question {
            metric: Metric::ShiftedOpener,
            a: at(64, fairness, arm),
            b: at(64, fairness, arm),
            other: Some(Metric::ShiftedFact),
            expect: Expect::Lower,
        });
    }
    for fairness in [same_rate, best_rate] {
        for metric in [Metric::RecallNew, Metric::RecallNewCloze] {
            let [a, b] = [ArmName::Lora, ArmName::Full].map(|arm| at(64, fairness, arm));
            questions.push(Question { metric, a, b, other: None, expect: Expect::Higher });
        }
    }
    for arm in [ArmName::Lora, ArmName::Full] {
        questions.push(Question {
            metric: Metric::RecallCloze,
            a: at(0, same_rate, arm),
            b: at(64, same_rate, arm),
            other: None,
            expect: Expect::Lower,
        });
    }
    Preset {
        name: "f3",
        title: "Does LoRA learn style or knowledge?",
        claim: "LoRA mainly learns response initiation and style, not knowledge.",
        set: Set::Small,
        conditions: vec![
            new(0, same(), same_rate),
            new(16, same(), same_rate),
            new(64, same(), same_rate),
            new(0, best(), best_rate),
            new(64, best(), best_rate),
        ],
        seeds: vec![1, 2, 3],
        questions,
        counterfactual: None,
        shown: (2, 20),
    }
}

fn f4() -> Preset {
    let mut conditions: Vec<Condition> = both_rates(RICH, |s| s).into();
    conditions.extend(both_rates(SIMPLE, |s| Settings { simplified: true, ..s }));
    let mut questions = arms(RICH, Metric::RecallCloze, Expect::Lower);
    questions.extend(arms(RICH, Metric::Borrowed, Expect::Higher));
    let full = |label| side(label, Some(Fairness::SameRate), ArmName::Full);
    questions.push(Question {
        metric: Metric::BorrowedByChance,
        a: full(RICH),
        b: full(RICH),
        other: Some(Metric::BorrowedOfErrors),
        expect: Expect::Higher,
    });
    questions.push(Question {
        metric: Metric::RecallCloze,
        a: full(RICH),
        b: full(SIMPLE),
        other: None,
        expect: Expect::Higher,
    });
    Preset {
        name: "f4",
        title: "Does full tuning forget facts and make others up?",
        claim: "Full tuning degrades knowledge and raises hallucination, by borrowing from the instruction set.",
        set: Set::Small,
        conditions,
        seeds: vec![1, 2, 3],
        questions,
        counterfactual: Some(0),
        shown: (0, 20),
    }
}

fn f5() -> Preset {
    use Filter::{Confident, First, Longest, Shortest};
    let lora = Settings { arms: vec![ArmName::Lora], measure_every: 100, ..best() };
    let full = Settings { arms: vec![ArmName::Full], measure_every: 100, ..best() };
    let some = |filter: Filter| Settings { filter, examples: 64, ..lora.clone() };
    let methods: Vec<(&str, Settings)> = vec![
        (PLAIN, lora.clone()),
        ("NEFTune, alpha 5", Settings { neftune: 5.0, ..lora.clone() }),
        ("the first 64 examples", some(First)),
        ("the 64 shortest", some(Shortest)),
        ("the 64 longest", some(Longest)),
        ("the 64 likeliest to the base", some(Confident)),
        (SIMPLE, Settings { simplified: true, ..lora.clone() }),
        ("replay, 2 rows a batch", Settings { replay: 2, ..lora.clone() }),
        ("rsLoRA", Settings { rslora: true, ..lora.clone() }),
        ("DoRA", Settings { dora: true, ..lora.clone() }),
        (PLAIN_FULL, full.clone()),
        (PULLED, Settings { pull: 1000.0, ..full.clone() }),
    ];
    let arm = |label: &str| if label.contains("full tuning") { ArmName::Full } else { ArmName::Lora };
    let mut questions = Vec::new();
    for (label, _) in methods.iter().filter(|(label, _)| *label != PLAIN) {
        for metric in [Metric::Conversation, Metric::RecallCloze] {
            questions.push(Question {
                metric,
                a: side(PLAIN, Some(Fairness::BestRate), ArmName::Lora),
                b: side(label, Some(Fairness::BestRate), arm(label)),
                other: None,
                expect: Expect::NotHigher,
            });
        }
    }
    let mut conditions: Vec<Condition> =
        methods.into_iter().map(|(l, s)| condition(l, Some(Fairness::BestRate), s)).collect();
    // Where full tuning forgets: can the pull to the base keep it from that?
    let fast = |arm, pull| Settings { arms: vec![arm], measure_every: 100, pull, ..same() };
    for (label, settings) in [
        (PLAIN, fast(ArmName::Lora, 0.0)),
        (PLAIN_FULL, fast(ArmName::Full, 0.0)),
        (PULLED, fast(ArmName::Full, 30.0)),
    ] {
        conditions.push(condition(label, Some(Fairness::SameRate), settings));
    }
    for metric in [Metric::Conversation, Metric::RecallCloze] {
        let [a, b] = [(PLAIN, ArmName::Lora), (PULLED, ArmName::Full)]
            .map(|(label, arm)| side(label, Some(Fairness::SameRate), arm));
        questions.push(Question { metric, a, b, other: None, expect: Expect::NotHigher });
    }
    Preset {
        name: "f5",
        title: "Do popular methods beat plain LoRA?",
        claim: "Popular methods don't beat simple LoRA.",
        set: Set::Small,
        conditions,
        seeds: vec![1, 2, 3],
        questions,
        counterfactual: None,
        shown: (0, 20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_valid_and_ask_of_what_they_run() {
        for name in Preset::NAMES {
            let preset = Preset::by_name(name).unwrap();
            assert_eq!(preset.name, name);
            assert!(preset.shown.0 < preset.conditions.len());
            for c in &preset.conditions {
                c.settings.validate().unwrap();
            }
            for side in preset.questions.iter().flat_map(|q| [&q.a, &q.b]) {
                let is_run = preset.conditions.iter().any(|c| {
                    c.label == side.condition
                        && c.settings.arms.contains(&side.arm)
                        // Equal loss is looked up in the runs at the best rates.
                        && (c.fairness == side.fairness
                            || side.fairness == Some(Fairness::EqualLoss) && c.fairness == Some(Fairness::BestRate))
                });
                assert!(is_run, "{name}: {side:?}");
            }
        }
        assert!(Preset::by_name("f6").is_none());
    }
}
