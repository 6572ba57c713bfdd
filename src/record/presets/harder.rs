//! A task on which a fair comparison has something to show.

use super::{FULL, LORA, RICH, condition, few_questions, preset, side, with_new_facts};
use crate::record::arm::ArmSpec;
use crate::record::metric::Metric;
use crate::record::preset::{Expect, Fairness, Preset, Question};

/// New facts that compete with known ones for the same objects, until they are learned: at the best rates both arms keep nearly
/// every fact of the built-in set, which then shows nothing.
pub(super) fn harder() -> Preset {
    let run = |[lora, full]: [f32; 2]| {
        let arms = vec![ArmSpec::lora(lora), ArmSpec::full(full)];
        condition(RICH, None, with_new_facts(few_questions(arms, 300)))
    };
    let ask = |fairness, metric, expect| {
        let [a, b] = [LORA, FULL].map(|arm| side(RICH, Some(fairness), arm));
        Question { metric, a, b, other: None, expect }
    };
    use Expect::{Higher, Lower};
    Preset {
        conditions: [[6e-4, 5e-5], [1e-3, 1e-4], [2e-3, 2e-4]].map(run).into(),
        is_sweep: true,
        goal: Metric::RecallNew,
        seeds: (1..=5).collect(),
        shown: None,
        questions: vec![
            ask(Fairness::BestRate, Metric::RecallNew, Higher),
            ask(Fairness::BestRate, Metric::RecallCloze, Lower),
            ask(Fairness::BestRate, Metric::Diversity, Lower),
            ask(Fairness::EqualFacts, Metric::RecallCloze, Lower),
            ask(Fairness::EqualFacts, Metric::Borrowed, Higher),
            ask(Fairness::EqualFacts, Metric::RecallNewCloze, Higher),
            ask(Fairness::EqualFacts, Metric::Kl, Higher),
        ],
        ..preset(
            "harder",
            "Harder",
            "Does LoRA forget less where both have learned as many new facts?",
            "LoRA learns less and forgets less.",
            [0, 50],
        )
    }
}
