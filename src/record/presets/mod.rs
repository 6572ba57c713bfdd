//! The experiments by name, as data. A new one is a function here and its line in [`Preset::all`].

mod capacity;
mod findings;
mod harder;
mod keeping;
mod pretrained;
mod rates;

use super::arm::{ArmSpec, LoraSpec, Method};
use super::metric::Metric;
use super::preset::{Condition, Doses, Expect, Fairness, Preset, Question, Set, Shown, Side};
use super::settings::{NEW_FACTS, Settings};

/// LoRA's and full tuning's best learning rates: those of the lowest held-out loss in the sweep `lora-vs-full`.
/// A test compares them with the recorded sweep.
pub const BEST_RATES: (f32, f32) = (3e-4, 3e-5);

/// A rate that both arms have in common where the claim is put to the same rate: between the two best ones,
/// where the sweep shows both arms learning.
const SAME_RATE: f32 = 1e-3;

const RICH: &str = "as they are";
const PLAIN: &str = "plain LoRA";

const LORA: &str = "lora";
const FULL: &str = "full";

impl Preset {
    /// Every experiment, in the page's order.
    pub fn all() -> Vec<Self> {
        vec![
            findings::f1(),
            findings::f2(),
            findings::f3(),
            findings::f4(),
            findings::f5(),
            rates::sweep(),
            harder::harder(),
            capacity::ranks(),
            capacity::places(),
            keeping::near_base(),
            keeping::keepers(),
            keeping::keepers_of_facts(),
            pretrained::pretrained(),
            keeping::keepers_of_pretrained(),
        ]
    }

    pub fn by_name(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|preset| preset.name == name)
    }
}

fn condition(label: &str, fairness: Option<Fairness>, settings: Settings) -> Condition {
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
fn preset(name: &str, short: &str, title: &str, claim: &str, shown: [u32; 2]) -> Preset {
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
        goal: Metric::HeldoutLoss,
        doses: Doses::default(),
        counterfactual: None,
        shown: Some(Shown { condition: condition as usize, measure_every }),
    }
}

/// LoRA of this rank, whose update is scaled by 16 / rank: then the best rate hardly moves with the rank.
fn of_rank(rank: u32, lr: f32) -> ArmSpec {
    let spec = LoraSpec { rank, ..LoraSpec::default() };
    ArmSpec {
        id: format!("lora-{rank}"),
        label: format!("LoRA r {rank}"),
        method: Method::Lora(spec),
        ..ArmSpec::lora(lr)
    }
}

/// Measured every 50 steps, with few questions: most of what a measurement takes is answers.
fn few_questions(arms: Vec<ArmSpec>, steps: u32) -> Settings {
    Settings { arms, steps, measure_every: 50, asked: 16, shift_prompts: 8, ..Settings::default() }
}

/// Half of the set's rows state facts on invented countries, whose objects the base knows of others.
fn with_new_facts(settings: Settings) -> Settings {
    Settings { new_facts: NEW_FACTS, ..settings }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is looked up in the runs: equal learning, and of a sweep the best rates.
    fn is_derived(preset: &Preset, fairness: Option<Fairness>) -> bool {
        fairness == Some(preset.equal()) || preset.is_sweep && fairness == Some(Fairness::BestRate)
    }

    #[test]
    fn presets_are_valid_and_ask_of_what_they_run() {
        for preset in Preset::all() {
            let name = &preset.name;
            assert_eq!(Preset::by_name(name).unwrap().title, preset.title);
            assert!(preset.shown.is_none_or(|shown| shown.condition < preset.conditions.len()));
            for c in &preset.conditions {
                c.settings.validate().unwrap();
            }
            for side in preset.questions.iter().flat_map(|q| [&q.a, &q.b]) {
                let is_run = preset.conditions.iter().any(|c| {
                    c.label == side.condition
                        && preset.arms().iter().any(|arm| arm.id == side.arm)
                        && (c.fairness == side.fairness || is_derived(&preset, side.fairness))
                });
                assert!(is_run, "{name}: {side:?}");
            }
            let json = serde_json::to_string(&preset).unwrap();
            serde_json::from_str::<Preset>(&json).unwrap();
        }
        assert!(Preset::by_name("f6").is_none());
    }
}
