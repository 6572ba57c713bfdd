//! The experiments on Atlas, a few steps long: every change to data and method runs, and what the presets ask for
//! is measured.

use std::fs;
use std::path::PathBuf;
use std::rc::Rc;

use driftscope::data::facts;
use driftscope::data::variants::Filter;
use driftscope::engine::Backend;
use driftscope::gpu::Gpu;
use driftscope::lab::{
    ArmName, BEST_RATES, Event, Experiment, Fairness, Lab, Measure, Metric, Preset, Reading, Record,
    Settings, Swap,
};
use driftscope::model::config::LlamaConfig;
use driftscope::model::tokenizer::Tokenizer;
use driftscope::model::weights;
use pollster::block_on;

fn read(path: &str) -> Vec<u8> {
    fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn text(path: &str) -> String {
    String::from_utf8(read(path)).unwrap()
}

fn lab() -> Lab {
    lab_on(Backend::Cpu)
}

fn lab_on(backend: Backend) -> Lab {
    let config = LlamaConfig::from_json(&read("models/atlas/config.json")).unwrap();
    let mut tensors = weights::read(&read("models/atlas/model.safetensors"), "model.safetensors").unwrap();
    weights::fit(&mut tensors, &config, "model.safetensors").unwrap();
    let settings = read("models/atlas/tokenizer_config.json");
    let tokenizer =
        Tokenizer::from_bytes(&read("models/atlas/tokenizer.json"), Some(&settings), None, None).unwrap();
    let facts = facts::parse(&read("data/facts.jsonl"), "facts.jsonl").unwrap();
    let base = backend.load(&config, tensors).unwrap();
    Lab::new("Atlas".into(), tokenizer, facts, base, backend)
}

/// Two steps of one arm, few probes.
fn short() -> Settings {
    Settings {
        arms: vec![ArmName::Lora],
        steps: 2,
        measure_every: 2,
        warmup: 0,
        probes: 16,
        asked: 8,
        shift_prompts: 4,
        answer_len: 24,
        ..Settings::default()
    }
}

/// Trains a run to its end and measures it there.
fn run(lab: &mut Lab, settings: Settings) -> (Event, Vec<Measure>) {
    let (instructions, heldout) = (text("data/instructions.jsonl"), text("data/heldout.jsonl"));
    let info = block_on(lab.start(settings, &instructions, &heldout)).unwrap();
    let mut measures = Vec::new();
    while !lab.is_done() {
        let arms = lab.open_arms(None);
        block_on(lab.train(&arms, 1)).unwrap();
        if lab.needs_start() {
            block_on(lab.measure_start()).unwrap();
        }
        for arm in arms.into_iter().filter(|arm| lab.is_due(*arm)).collect::<Vec<_>>() {
            for event in block_on(lab.measure(arm)).unwrap() {
                if let Event::Measure(measure) = event {
                    measures.push(measure);
                }
            }
        }
    }
    (Event::Run(info), measures)
}

/// The start of both arms, measured behind so many steps.
fn start_behind(steps: u32) -> Vec<Event> {
    let mut lab = lab();
    let settings = Settings { arms: vec![ArmName::Lora, ArmName::Full], ..short() };
    let (instructions, heldout) = (text("data/instructions.jsonl"), text("data/heldout.jsonl"));
    block_on(lab.start(settings, &instructions, &heldout)).unwrap();
    let arms = lab.open_arms(None);
    assert!(block_on(lab.measure(ArmName::Lora)).is_err());
    for _ in 0..steps {
        block_on(lab.train(&arms, 1)).unwrap();
    }
    let mut events = block_on(lab.measure_start()).unwrap();
    assert!(!lab.needs_start());
    for event in &mut events {
        match event {
            Event::Measure(measure) => measure.ms = 0.0,
            Event::Text(_) => (),
            other => panic!("{other:?}"),
        }
    }
    events
}

#[test]
fn the_start_is_the_base_however_late_it_is_measured() {
    let events = start_behind(0);
    let measures: Vec<&Measure> =
        events.iter().filter_map(|e| if let Event::Measure(m) = e { Some(m) } else { None }).collect();
    assert_eq!(measures.iter().map(|m| m.arm).collect::<Vec<_>>(), [ArmName::Lora, ArmName::Full]);
    for measure in measures {
        let shift = &measure.shift;
        assert_eq!((measure.step, shift.kl, shift.unshifted), (0, 0.0, shift.n), "{measure:?}");
    }
    let json = |events: &[Event]| serde_json::to_string(events).unwrap();
    assert_eq!(json(&events), json(&start_behind(2)));
}

/// What was compiled before a run is all that its first step needs, though nothing was known of its data.
#[test]
fn a_run_that_was_warmed_up_for_compiles_nothing_at_its_first_step() {
    let gpu = Rc::new(block_on(Gpu::new()).unwrap());
    let mut lab = lab_on(Backend::Gpu(gpu.clone()));
    assert_eq!(gpu.compiled(), 0);
    block_on(lab.warm_up(&short())).unwrap();
    let compiled = gpu.compiled();
    assert!(compiled > 10, "{compiled}");
    block_on(lab.start(short(), &text("data/instructions.jsonl"), &text("data/heldout.jsonl"))).unwrap();
    let steps = block_on(lab.train(&[ArmName::Lora], 1)).unwrap();
    assert_eq!((steps.len(), gpu.compiled()), (1, compiled));
}

#[test]
fn every_variant_trains_and_is_measured() {
    let mut lab = lab();
    let filtered = |filter| Settings { filter, examples: 20, ..short() };
    let variants = [
        ("filter", filtered(Filter::Shortest)),
        ("likeliest", filtered(Filter::Confident)),
        ("simplified", Settings { simplified: true, ..short() }),
        ("replay", Settings { replay: 2, ..short() }),
        ("noise", Settings { neftune: 5.0, ..short() }),
        ("pull", Settings { pull: 10.0, arms: vec![ArmName::Full], ..short() }),
        ("new facts", Settings { new_facts: 8, ..short() }),
    ];
    for (name, settings) in variants {
        let (info, measures) = run(&mut lab, settings.clone());
        let Event::Run(info) = info else { unreachable!() };
        let [measure] = &measures[..] else { panic!("{name}: {} measures", measures.len()) };
        assert!(measure.heldout_loss.is_finite(), "{name}");
        let values = Metric::values(measure);
        assert!(
            values.contains_key(&Metric::Conversation) && values.contains_key(&Metric::KlStyle),
            "{name}"
        );
        assert_eq!(values.contains_key(&Metric::RecallNew), name == "new facts");
        assert_eq!(info.added.len(), if name == "new facts" { 16 } else { 0 });
        assert_eq!(info.examples, if settings.examples > 0 { settings.examples } else { 256 }, "{name}");
    }
}

#[test]
fn a_swap_must_name_what_its_row_states() {
    let mut lab = lab();
    let (instructions, heldout) = (text("data/instructions.jsonl"), text("data/heldout.jsonl"));
    let swap = |row, from: &str| Settings {
        swaps: vec![Swap { row, from: from.into(), to: "7".into() }],
        ..short()
    };
    let mut start = |settings| block_on(lab.start(settings, &instructions, &heldout)).map(drop);
    start(swap(1, "65")).unwrap();
    for (row, from) in [(1, "66"), (9999, "65")] {
        let error = start(swap(row, from)).unwrap_err().to_string();
        assert!(error.contains("swaps") && error.contains(&row.to_string()), "{error}");
    }
    let error = start(Settings { new_facts: 64, examples: 100, ..short() }).unwrap_err().to_string();
    assert!(error.contains("new_facts"), "{error}");
}

/// None of the change is the base, all of it the arm, and LoRA's change has no more directions than its rank.
#[test]
fn strength_goes_from_the_base_to_the_arm() {
    let mut lab = lab();
    let settings = Settings { rank: 4, lr_lora: 1e-2, steps: 6, measure_every: 6, ..short() };
    let (_, measures) = run(&mut lab, settings);
    let at = |lab: &mut Lab, strength| match block_on(lab.strength(ArmName::Lora, strength)).unwrap() {
        Event::Strength(s) => s,
        other => panic!("{other:?}"),
    };
    let (none, whole) = (at(&mut lab, 0.0), at(&mut lab, 1.0));
    assert_eq!((none.kl, none.unshifted), (0.0, 1.0));
    assert!((whole.kl / measures[0].shift.kl - 1.0).abs() < 1e-2, "{whole:?}");
    assert!((whole.heldout_loss / measures[0].heldout_loss - 1.0).abs() < 1e-3, "{whole:?}");
    assert!(block_on(lab.strength(ArmName::Lora, f32::NAN)).is_err());
    assert!(block_on(lab.strength(ArmName::Full, 1.0)).is_err());
    let Event::Weights(changed) = block_on(lab.weights(ArmName::Lora)).unwrap() else { panic!("no weights") };
    assert_eq!(changed.matrices.len(), 4 * 7);
    for m in &changed.matrices {
        assert!(m.relative > 0.0 && (1..=4).contains(&m.rank90) && m.of >= 96, "{m:?}");
    }
}

/// All of F4, one step long: its comparisons, the equal-loss rows, and no check where nothing was borrowed.
#[test]
fn an_experiment_ends_with_its_comparisons() {
    let mut lab = lab();
    let mut preset = Preset::by_name("f4").unwrap();
    preset.seeds = vec![1];
    for c in &mut preset.conditions {
        c.settings = Settings {
            lr_lora: c.settings.lr_lora,
            lr_full: c.settings.lr_full,
            simplified: c.settings.simplified,
            arms: vec![ArmName::Lora, ArmName::Full],
            steps: 1,
            measure_every: 1,
            ..short()
        };
    }
    preset.shown.1 = 1;
    let mut experiment = Experiment::new(preset);
    let mut runs = 0;
    while let Some(planned) = experiment.next(&lab) {
        let (info, measures) = run(&mut lab, planned.settings);
        experiment.take(&info);
        measures.into_iter().for_each(|m| drop(experiment.take(&Event::Measure(m))));
        experiment.take(&Event::Done { run: 1, seconds: 0.0 });
        runs += 1;
    }
    assert!(runs >= 4 && experiment.done == runs, "{runs}");
    let summary = experiment.summary().unwrap();
    assert!(summary.rows.iter().any(|r| r.fairness == Some(Fairness::EqualLoss)));
    assert!(summary.comparisons.len() >= 6, "{}", summary.verdict);
    assert!(summary.comparisons.iter().all(|c| c.reading == Reading::OneSeed && !c.text.is_empty()));
}

/// The rates that the findings are run at are those that the recorded sweep found.
#[test]
fn best_rates_are_the_sweeps() {
    let record: Record = serde_json::from_slice(&read("examples/lora-vs-full.json")).unwrap();
    let summary =
        record.events.iter().find_map(|e| if let Event::Summary(s) = e { Some(s) } else { None }).unwrap();
    let best = |arm| {
        let rows = summary.rows.iter().filter(|r| r.arm == arm && r.lr > 0.0);
        let loss = |r: &&driftscope::lab::SummaryRow| r.figures[&Metric::HeldoutLoss].mean;
        rows.min_by(|a, b| loss(a).total_cmp(&loss(b))).unwrap().lr
    };
    assert_eq!((best(ArmName::Lora), best(ArmName::Full)), BEST_RATES);
}
