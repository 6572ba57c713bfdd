//! The paper's five findings.

use super::BEST_RATES;
use super::{FULL, LORA, PLAIN, RICH, SAME_RATE, arms, best, both_rates, condition, preset, same, side};
use crate::record::arm::{ArmSpec, LoraSpec, Method, Regularisers};
use crate::record::metric::Metric;
use crate::record::preset::{Condition, Expect, Fairness, Preset, Question, Set};
use crate::record::settings::{Filter, Settings};

const SIMPLE: &str = "simplified answers";
const PLAIN_FULL: &str = "plain full tuning";
const PULLED: &str = "full tuning, L2 to the base";

pub(super) fn f1() -> Preset {
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
            [1, 40],
        )
    }
}

pub(super) fn f2() -> Preset {
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
            [0, 40],
        )
    }
}

pub(super) fn f3() -> Preset {
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
            [2, 40],
        )
    }
}

pub(super) fn f4() -> Preset {
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

pub(super) fn f5() -> Preset {
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
            [0, 100],
        )
    }
}
