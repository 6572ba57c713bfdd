//! Experiments end with their comparisons.

use driftscope::lab::{Experiment, Slice};
use driftscope::record::*;
use pollster::block_on;

use crate::atlas::{read, session, short, texts};

/// All of F4, one step long: its comparisons, the equal-loss rows, and no check where nothing was borrowed. Halfway it
/// is written down and goes on in a session of its own.
#[test]
fn an_experiment_ends_with_its_comparisons_though_it_was_interrupted() {
    let mut preset = Preset::by_name("f4").unwrap();
    preset.seeds = vec![1];
    for Condition { settings, .. } in &mut preset.conditions {
        let arms = settings.arms.iter().map(|arm| ArmSpec { warmup: 0, ..arm.clone() }).collect();
        let simplified = settings.simplified;
        *settings = Settings { simplified, steps: 1, measure_every: 1, ..short() }.with_arms(arms);
    }
    preset.shown = None;
    let mut experiment = Experiment::new(preset);
    let mut on = session();
    let mut runs = 0;
    while let Some(events) = block_on(experiment.advance(&mut on, &texts(), Slice::WHOLE)).unwrap() {
        let done = events.iter().filter(|event| matches!(event, Event::Done { .. })).count();
        runs += done;
        if runs == 2 && done == 1 {
            let json = serde_json::to_string(&experiment).unwrap();
            experiment = serde_json::from_str(&json).unwrap();
            on = session();
        }
    }
    assert!(runs >= 4 && experiment.position().done == runs, "{runs}");
    let summary = experiment.summary().unwrap();
    assert_eq!(summary.arms.iter().map(|arm| arm.label.as_str()).collect::<Vec<_>>(), ["LoRA", "Full"]);
    assert!(summary.rows.iter().any(|r| r.fairness == Some(Fairness::EqualLoss)));
    assert!(summary.comparisons.len() >= 6, "{}", summary.verdict);
    assert!(summary.comparisons.iter().all(|c| c.reading == Reading::OneSeed && !c.text.is_empty()));
}

/// Weaker doses of an arm's change are measured after its last step, from none of it to all, and compared like an arm.
#[test]
fn doses_are_compared_like_an_arm() {
    let mut preset = Preset::by_name("keepers").unwrap();
    preset.seeds = vec![1];
    preset.doses.strengths = vec![0.5];
    for Condition { settings, .. } in &mut preset.conditions {
        let arms = settings.arms.iter().filter(|arm| arm.id == "full" || arm.id == "lora");
        let arms = arms.map(|arm| ArmSpec { warmup: 0, ..arm.clone() }).collect();
        *settings = Settings { steps: 2, measure_every: 2, samples: 4, ..short() }.with_arms(arms);
    }
    let mut experiment = Experiment::new(preset);
    let mut on = session();
    while block_on(experiment.advance(&mut on, &texts(), Slice::WHOLE)).unwrap().is_some() {}
    let summary = experiment.summary().unwrap();
    let of =
        |arm: &str| -> Vec<&Checkpoint> { summary.checkpoints.iter().filter(|c| c.arm == arm).collect() };
    let (doses, full) = (of("full-dose"), of("full"));
    assert_eq!(doses.iter().map(|c| c.strength.unwrap()).collect::<Vec<_>>(), [0.0, 0.5, 1.0]);
    assert_eq!((doses[0].heldout_loss, doses[0].kl_task), (full[0].heldout_loss, Some(0.0)));
    assert_eq!((doses[2].heldout_loss, doses[2].kl_task), (full[1].heldout_loss, full[1].kl_task));
    let kl = |i: usize| doses[i].kl_task.unwrap();
    assert!(kl(1) > 0.0 && kl(1) < kl(2), "{doses:?}");
    let equal =
        |arm: &str| summary.rows.iter().any(|r| r.arm == arm && r.fairness == Some(Fairness::EqualLoss));
    assert!(equal("full-dose") && equal("full") && equal("lora"));
    assert!(summary.arms.iter().any(|arm| arm.id == "full-dose" && arm.label.contains('λ')));
    assert!(!summary.comparisons.is_empty(), "{summary:?}");
}

/// The rates that the findings are run at are those that the recorded sweep found.
#[test]
fn best_rates_are_the_sweeps() {
    let record: Record = serde_json::from_slice(&read("examples/lora-vs-full.json")).unwrap();
    let summary =
        record.events.iter().find_map(|e| if let Event::Summary(s) = e { Some(s) } else { None }).unwrap();
    let best = |arm: &str| {
        let rows = summary.rows.iter().filter(|r| r.arm == arm && r.lr > 0.0);
        let loss = |r: &&SummaryRow| r.figures[&Metric::HeldoutLoss].mean;
        rows.min_by(|a, b| loss(a).total_cmp(&loss(b))).unwrap().lr
    };
    assert_eq!((best("lora"), best("full")), BEST_RATES);
}
