//! The experiments by name, as data. A new one is a function here and its line in [`Preset::all`].

use super::arm::{ArmSpec, LoraSpec, Method, Regularisers};
use super::metric::Metric;
use super::preset::{Condition, Expect, Fairness, Preset, Question, Set, Shown, Side};
use super::pretrained::pretrained;
use super::settings::{Filter, Settings};

/// LoRA's and full tuning's best learning rates: those of the lowest held-out loss in the sweep `lora-vs-full`.
/// A test compares them with the recorded sweep.
pub const BEST_RATES: (f32, f32) = (3e-4, 3e-5);

/// A rate that both arms have in common where the claim is put to the same rate: between the two best ones,
/// where the sweep shows both arms learning.
const SAME_RATE: f32 = 1e-3;

pub(super) const RICH: &str = "as they are";
const SIMPLE: &str = "simplified answers";
const PLAIN: &str = "plain LoRA";
const PLAIN_FULL: &str = "plain full tuning";
const PULLED: &str = "full tuning, L2 to the base";

const LORA: &str = "lora";
const FULL: &str = "full";

impl Preset {
    /// Every experiment, in the page's order.
    pub fn all() -> Vec<Self> {
        vec![f1(), f2(), f3(), f4(), f5(), sweep(), near_base(), pretrained()]
    }

    pub fn by_name(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|preset| preset.name == name)
    }
}

pub(super) fn condition(label: &str, fairness: Option<Fairness>, settings: Settings) -> Condition {
    Condition { label: label.into(), fairness, settings }
}

fn side(label: &str, fairness: Option<Fairness>, arm: &str) -> Side {
    Side { condition: label.into(), fairness, arm: arm.into() }
}

/// LoRA and full tuning at these rates, measured every 20 steps.
fn at_rates((lora, full): (f32, f32)) -> Settings {
    Settings {
        arms: vec![ArmSpec::lora(lora), ArmSpec::full(full)],
        measure_every: 20,
        ..Settings::default()
    }
}

fn best() -> Settings {
    at_rates(BEST_RATES)
}

fn same() -> Settings {
    at_rates((SAME_RATE, SAME_RATE))
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
        a: side(label, Some(fairness), LORA),
        b: side(label, Some(fairness), FULL),
        other: None,
        expect,
    })
    .into()
}

/// Three seeds on the small set; `shown` are the kept run's condition and its steps between measurements.
pub(super) fn preset(name: &str, short: &str, title: &str, claim: &str, shown: [u32; 2]) -> Preset {
    let [condition, measure_every] = shown;
    Preset {
        name: name.into(),
        short: short.into(),
        title: title.into(),
        claim: claim.into(),
        model: None,
        set: Set::Small,
        conditions: Vec::new(),
        seeds: vec![1, 2, 3],
        questions: Vec::new(),
        is_sweep: false,
        counterfactual: None,
        shown: Shown { condition: condition as usize, measure_every },
    }
}

fn sweep() -> Preset {
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
            [5, 10],
        )
    }
}

fn f1() -> Preset {
    let mut questions = arms(RICH, Metric::Kl, Expect::Higher);
    questions.extend(arms(RICH, Metric::Unshifted, Expect::Lower));
    // As Lin et al. report of tuned models: the drift is in the first words.
    let lora = side(RICH, Some(Fairness::BestRate), LORA);
    let (a, b) = (lora.clone(), lora);
    questions.push(Question {
        metric: Metric::KlEarly,
        a,
        b,
        other: Some(Metric::KlLate),
        expect: Expect::Lower,
    });
    Preset {
        conditions: both_rates(RICH, |s| s).into(),
        questions,
        ..preset(
            "f1",
            "F1",
            "Does LoRA keep the token distribution of pre-training?",
            "LoRA preserves the pre-training token distribution, full tuning doesn't.",
            [1, 20],
        )
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
        set: Set::Large,
        conditions: sizes.map(run).into(),
        questions: vec![
            question(LORA, 16, Metric::HeldoutLoss, Same),
            question(LORA, 256, Metric::HeldoutLoss, Same),
            question(LORA, 16, Metric::Conversation, Same),
            question(LORA, 16, Metric::Kl, Same),
            question(FULL, 16, Metric::HeldoutLoss, Lower),
        ],
        ..preset(
            "f2",
            "F2",
            "Does a larger instruction set help LoRA?",
            "Scaling the data set is ineffective for LoRA.",
            [0, 20],
        )
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
    for (fairness, arm) in [(best_rate, LORA), (best_rate, FULL), (same_rate, LORA)] {
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
            let [a, b] = [LORA, FULL].map(|arm| at(64, fairness, arm));
            questions.push(Question { metric, a, b, other: None, expect: Expect::Higher });
        }
    }
    for arm in [LORA, FULL] {
        questions.push(Question {
            metric: Metric::RecallCloze,
            a: at(0, same_rate, arm),
            b: at(64, same_rate, arm),
            other: None,
            expect: Expect::Lower,
        });
    }
    Preset {
        conditions: vec![
            new(0, same(), same_rate),
            new(16, same(), same_rate),
            new(64, same(), same_rate),
            new(0, best(), best_rate),
            new(64, best(), best_rate),
        ],
        questions,
        ..preset(
            "f3",
            "F3",
            "Does LoRA learn style or knowledge?",
            "LoRA mainly learns response initiation and style, not knowledge.",
            [2, 20],
        )
    }
}

fn f4() -> Preset {
    let mut conditions: Vec<Condition> = both_rates(RICH, |s| s).into();
    conditions.extend(both_rates(SIMPLE, |s| Settings { simplified: true, ..s }));
    let mut questions = arms(RICH, Metric::RecallCloze, Expect::Lower);
    questions.extend(arms(RICH, Metric::Borrowed, Expect::Higher));
    let full = |label| side(label, Some(Fairness::SameRate), FULL);
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
        counterfactual: Some(0),
        conditions,
        questions,
        ..preset(
            "f4",
            "F4",
            "Does full tuning forget facts and make others up?",
            "Full tuning degrades knowledge and raises hallucination, by borrowing from the instruction set.",
            [0, 20],
        )
    }
}

fn f5() -> Preset {
    use Filter::{Confident, First, Longest, Shortest};
    let (lora_rate, full_rate) = BEST_RATES;
    let run = |arm: ArmSpec| Settings { arms: vec![arm], measure_every: 100, ..Settings::default() };
    let lora = || run(ArmSpec::lora(lora_rate));
    let some = |filter: Filter| Settings { filter, examples: 64, ..lora() };
    let held = |mut arm: ArmSpec, hold: fn(&mut Regularisers)| {
        hold(&mut arm.regularisers);
        run(arm)
    };
    let variant = |spec: LoraSpec| run(ArmSpec { method: Method::Lora(spec), ..ArmSpec::lora(lora_rate) });
    let methods: Vec<(&str, Settings)> = vec![
        (PLAIN, lora()),
        ("NEFTune, alpha 5", held(ArmSpec::lora(lora_rate), |r| r.neftune = 5.0)),
        ("the first 64 examples", some(First)),
        ("the 64 shortest", some(Shortest)),
        ("the 64 longest", some(Longest)),
        ("the 64 likeliest to the base", some(Confident)),
        (SIMPLE, Settings { simplified: true, ..lora() }),
        ("replay, 2 rows a batch", held(ArmSpec::lora(lora_rate), |r| r.replay = 2)),
        ("rsLoRA", variant(LoraSpec { rslora: true, ..LoraSpec::default() })),
        ("DoRA", variant(LoraSpec { dora: true, ..LoraSpec::default() })),
        (PLAIN_FULL, run(ArmSpec::full(full_rate))),
        (PULLED, held(ArmSpec::full(full_rate), |r| r.pull = 1000.0)),
    ];
    let arm = |label: &str| if label.contains("full tuning") { FULL } else { LORA };
    let mut questions = Vec::new();
    for (label, _) in methods.iter().filter(|(label, _)| *label != PLAIN) {
        for metric in [Metric::Conversation, Metric::RecallCloze] {
            questions.push(Question {
                metric,
                a: side(PLAIN, Some(Fairness::BestRate), LORA),
                b: side(label, Some(Fairness::BestRate), arm(label)),
                other: None,
                expect: Expect::NotHigher,
            });
        }
    }
    let mut conditions: Vec<Condition> =
        methods.into_iter().map(|(l, s)| condition(l, Some(Fairness::BestRate), s)).collect();
    // Where full tuning forgets: can the pull to the base keep it from that?
    for (label, settings) in [
        (PLAIN, run(ArmSpec::lora(SAME_RATE))),
        (PLAIN_FULL, run(ArmSpec::full(SAME_RATE))),
        (PULLED, held(ArmSpec::full(SAME_RATE), |r| r.pull = 30.0)),
    ] {
        conditions.push(condition(label, Some(Fairness::SameRate), settings));
    }
    for metric in [Metric::Conversation, Metric::RecallCloze] {
        let [a, b] =
            [(PLAIN, LORA), (PULLED, FULL)].map(|(label, arm)| side(label, Some(Fairness::SameRate), arm));
        questions.push(Question { metric, a, b, other: None, expect: Expect::NotHigher });
    }
    Preset {
        conditions,
        questions,
        ..preset(
            "f5",
            "F5",
            "Do popular methods beat plain LoRA?",
            "Popular methods don't beat simple LoRA.",
            [0, 20],
        )
    }
}

/// Full tuning at a rate where it forgets, with a growing penalty on its distance from the base, beside LoRA.
fn near_base() -> Preset {
    let near = |c: f32| {
        let id = if c == 0.0 { FULL.to_string() } else { format!("full-kl-{}", (c * 100.0).round()) };
        let label = if c == 0.0 { "Full".to_string() } else { format!("Full, KL {c}") };
        let regularisers = Regularisers { kl_to_base: c, ..Regularisers::default() };
        ArmSpec { id, label, regularisers, ..ArmSpec::full(SAME_RATE) }
    };
    let mut arms: Vec<ArmSpec> = [0.0, 0.05, 0.1, 0.3, 1.0].map(near).into();
    let mut questions = Vec::new();
    let at = |arm: &str| side(RICH, Some(Fairness::SameRate), arm);
    for (metric, expect) in [(Metric::RecallCloze, Expect::Higher), (Metric::HeldoutLoss, Expect::NotHigher)]
    {
        for arm in &arms[1..] {
            questions.push(Question { metric, a: at(FULL), b: at(&arm.id), other: None, expect });
        }
    }
    arms.push(ArmSpec::lora(SAME_RATE));
    let settings = Settings { arms, measure_every: 20, ..Settings::default() };
    Preset {
        conditions: vec![condition(RICH, Some(Fairness::SameRate), settings)],
        questions,
        ..preset(
            "kl-to-base",
            "KL",
            "Does a penalty on the distance from the base keep full tuning from forgetting?",
            "A KL penalty keeps what full tuning forgets, and costs no learning.",
            [0, 40],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_valid_and_ask_of_what_they_run() {
        for preset in Preset::all() {
            let name = &preset.name;
            assert_eq!(Preset::by_name(name).unwrap().title, preset.title);
            assert!(preset.shown.condition < preset.conditions.len());
            for c in &preset.conditions {
                c.settings.validate().unwrap();
            }
            for side in preset.questions.iter().flat_map(|q| [&q.a, &q.b]) {
                let is_run = preset.conditions.iter().any(|c| {
                    c.label == side.condition
                        && c.settings.arm(&side.arm).is_some()
                        // Equal loss is looked up in the runs at the best rates.
                        && (c.fairness == side.fairness
                            || side.fairness == Some(Fairness::EqualLoss) && c.fairness == Some(Fairness::BestRate))
                });
                assert!(is_run, "{name}: {side:?}");
            }
            let json = serde_json::to_string(&preset).unwrap();
            serde_json::from_str::<Preset>(&json).unwrap();
        }
        assert!(Preset::by_name("f6").is_none());
    }
}
