//! How much an adapter has to learn with, and where it sits.

use super::{FULL, RICH, condition, few_questions, of_rank, preset, side, with_new_facts};
use crate::record::arm::{ArmSpec, LoraSpec, Method, Target};
use crate::record::metric::Metric;
use crate::record::preset::{Expect, Fairness, Preset, Question};

/// LoRA's rates beside full tuning's, a tenth: around the best ones for learning new facts.
const RATES: [[f32; 2]; 2] = [[1e-3, 1e-4], [3e-3, 3e-4]];

fn sweep(arms: impl Fn([f32; 2]) -> Vec<ArmSpec>) -> Preset {
    let run = |rates| condition(RICH, None, with_new_facts(few_questions(arms(rates), 200)));
    Preset {
        conditions: RATES.map(run).into(),
        is_sweep: true,
        goal: Metric::RecallNew,
        shown: None,
        ..preset("", "", "", "", [0, 50])
    }
}

/// Each of `others` against `first`: new facts at the best rates, and kept ones where all know as many new ones.
fn against(first: &str, others: &[&str], new: Expect, kept: Expect) -> Vec<Question> {
    let ask = |other: &str, fairness, metric, expect| {
        let [a, b] = [first, other].map(|arm| side(RICH, Some(fairness), arm));
        Question { metric, a, b, other: None, expect }
    };
    let both = |other: &&str| {
        [
            ask(other, Fairness::BestRate, Metric::RecallNew, new),
            ask(other, Fairness::EqualFacts, Metric::RecallCloze, kept),
        ]
    };
    others.iter().flat_map(both).collect()
}

pub(super) fn ranks() -> Preset {
    let arms = |[rate, full]: [f32; 2]| {
        let mut arms: Vec<ArmSpec> = [1, 4, 16, 64].map(|rank| of_rank(rank, rate)).into();
        arms.push(ArmSpec::full(full));
        arms
    };
    Preset {
        name: "ranks".into(),
        short: "Ranks".into(),
        title: "Does capacity matter? LoRA of rank 1 to 64, and full tuning, learn new facts".into(),
        claim: "A lower rank learns fewer new facts and keeps more of the old ones.".into(),
        questions: against("lora-1", &["lora-4", "lora-16", "lora-64", FULL], Expect::Higher, Expect::Lower),
        ..sweep(arms)
    }
}

pub(super) fn places() -> Preset {
    use Target::{DownProj, GateProj, KProj, OProj, QProj, UpProj, VProj};
    let arms = |[rate, _]: [f32; 2]| {
        let at = |id: &str, label: &str, targets: &[Target]| {
            let method = Method::Lora(LoraSpec { targets: targets.into(), ..LoraSpec::default() });
            ArmSpec { id: id.into(), label: label.into(), method, ..ArmSpec::lora(rate) }
        };
        vec![
            at("all", "LoRA, all", &Target::ALL),
            at("attention", "LoRA, attention", &[QProj, KProj, VProj, OProj]),
            at("mlp", "LoRA, MLP", &[GateProj, UpProj, DownProj]),
        ]
    };
    Preset {
        name: "places".into(),
        short: "Places".into(),
        title: "Where must LoRA sit? Attention, MLP, or all layers".into(),
        claim: "All layers learn most, attention alone least; what is kept does not depend on the place."
            .into(),
        questions: against("all", &["attention", "mlp"], Expect::Lower, Expect::Same),
        ..sweep(arms)
    }
}
