//! What keeps full tuning from forgetting.

use super::pretrained::{SMOLLM2, large_model, lora_of};
use super::{FULL, LORA, RICH, SAME_RATE, condition, few_questions, preset, side, with_new_facts};
use crate::record::arm::{ArmSpec, Regularisers};
use crate::record::metric::Metric;
use crate::record::preset::{Doses, Expect, Fairness, Preset, Question};
use crate::record::settings::Settings;

/// Full tuning at a rate where it forgets, with a growing penalty on its distance from the base, beside LoRA.
pub(super) fn near_base() -> Preset {
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
            [0, 100],
        )
    }
}

const REMEDIES_KEEP_MORE: &str =
    "A penalty, replay, a pull to the base, a weaker dose and LoRA each keep more than plain full tuning.";

/// Full tuning and LoRA at one rate, far above full tuning's best.
fn at_same_rate() -> [ArmSpec; 2] {
    [ArmSpec::full(SAME_RATE), ArmSpec::lora(SAME_RATE)]
}

/// Full tuning at a rate where it forgets, with one remedy each, and weaker doses of its whole change; compared where all have
/// learned equally much.
pub(super) fn keepers() -> Preset {
    let settings = |arms| Settings { measure_every: 10, ..few_questions(arms, 80) };
    let asked = preset(
        "keepers",
        "Keepers",
        "What keeps knowledge, where all have learned the instructions equally well?",
        REMEDIES_KEEP_MORE,
        [0, 10],
    );
    remedies(at_same_rate(), 30.0, asked, settings)
}

/// The same where new facts are to be learned.
pub(super) fn keepers_of_facts() -> Preset {
    let settings = |arms| with_new_facts(Settings { measure_every: 10, ..few_questions(arms, 100) });
    let asked = preset(
        "keepers-facts",
        "Keepers, new facts",
        "What keeps knowledge, where all have learned as many new facts?",
        REMEDIES_KEEP_MORE,
        [0, 10],
    );
    remedies(at_same_rate(), 30.0, Preset { goal: Metric::RecallNew, ..asked }, settings)
}

/// The same with a model that was pre-trained on the web, at rates where it forgets half of what it knows; in fewer steps, so the pull
/// is stronger.
pub(super) fn keepers_of_pretrained() -> Preset {
    let settings =
        |arms| Settings { steps: 24, measure_every: 6, probes: 48, samples: 8, ..large_model(arms) };
    let lora = ArmSpec { id: LORA.into(), label: "LoRA r 16".into(), ..lora_of(16, 1e-3) };
    let asked = preset(
        "keepers-pretrained",
        "Keepers, pretrained",
        "What keeps knowledge of a model that was pre-trained on the web, where all have learned the instructions equally well?",
        REMEDIES_KEEP_MORE,
        [0, 6],
    );
    let asked = Preset { model: Some(SMOLLM2.into()), seeds: vec![1, 2], ..asked };
    remedies([ArmSpec::full(1e-4), lora], 300.0, asked, settings)
}

/// Plain full tuning, with one remedy each and in weaker doses, and LoRA. `pull`: times the rate.
fn remedies(
    [full, lora]: [ArmSpec; 2],
    pull: f32,
    preset: Preset,
    settings: impl Fn(Vec<ArmSpec>) -> Settings,
) -> Preset {
    let with = |id: &str, label: &str, regularisers: Regularisers| ArmSpec {
        id: format!("full-{id}"),
        label: format!("Full, {label}"),
        regularisers,
        ..full.clone()
    };
    let none = Regularisers::default();
    let kept = [
        with("kl", "KL 1", Regularisers { kl_to_base: 1.0, ..none }),
        with("replay", "replay 4", Regularisers { replay: 4, ..none }),
        with("pull", &format!("pull {pull}"), Regularisers { pull, ..none }),
    ];
    let doses = Doses { arms: vec![FULL.into()], strengths: vec![0.1, 0.2, 0.3, 0.45, 0.7] };
    let mut against: Vec<String> = kept.iter().map(|arm| arm.id.clone()).collect();
    against.extend([Doses::id(FULL), LORA.into()]);
    let equal = preset.equal();
    let equal = |arm: &str| side(RICH, Some(equal), arm);
    let questions = [Metric::RecallCloze, Metric::KlTask].into_iter().flat_map(|metric| {
        let expect = if metric == Metric::KlTask { Expect::Lower } else { Expect::Higher };
        let ask = |arm: &String| Question { metric, a: equal(FULL), b: equal(arm), other: None, expect };
        against.iter().map(ask).collect::<Vec<_>>()
    });
    let arms = [vec![full], kept.to_vec(), vec![lora]].concat();
    Preset {
        questions: questions.collect(),
        conditions: vec![condition(RICH, Some(Fairness::SameRate), settings(arms))],
        doses,
        shown: None,
        ..preset
    }
}
