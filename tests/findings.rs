//! Sessions and experiments on Atlas, a few steps long: every change to data and method runs, arms are a list, and
//! what the presets ask for is measured.

mod atlas;

use std::collections::BTreeMap;
use std::rc::Rc;

use atlas::{all, full, lora, measures, read, run, session, session_on, short, texts};
use driftscope::engine::Backend;
use driftscope::error::Error;
use driftscope::gpu::Gpu;
use driftscope::lab::{Answer, Asked, Dose, Experiment, Session, Slice, Subject, Work};
use driftscope::model::tokenizer::Message;
use driftscope::record::*;
use pollster::block_on;

/// The start of both arms, measured after `steps` steps of each.
fn start_after(steps: u32) -> Vec<Event> {
    let mut session = session();
    let settings = short().with_arms(vec![lora(), full()]);
    block_on(session.start(Settings { measure_every: 10, steps: 10, ..settings }, &texts())).unwrap();
    let slice = Slice { steps, ..Slice::WHOLE };
    if steps > 0 {
        assert_eq!(session.next(slice), Some(Work::Train { arms: vec![0], steps }));
        block_on(session.advance(slice)).unwrap();
    }
    assert_eq!(session.next(Slice::NO_STEP), Some(Work::MeasureStart));
    let mut events = all(&mut session, Slice::NO_STEP);
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
    let events = start_after(0);
    let measures = measures(&events);
    assert_eq!(measures.iter().map(|m| m.arm.as_str()).collect::<Vec<_>>(), ["lora", "full"]);
    for measure in measures {
        let shift = &measure.shift;
        assert_eq!((measure.step, shift.kl, shift.unshifted), (0, 0.0, shift.n), "{measure:?}");
    }
    let json = |events: &[Event]| serde_json::to_string(events).unwrap();
    assert_eq!(json(&events), json(&start_after(2)));
}

/// Atlas knows nearly all of its facts: the others are set aside, and the objects of those that stay are the likeliest.
#[test]
fn unknown_facts_are_set_aside_and_known_objects_rank_first() {
    let settings = Settings { known_only: true, ranked: 8, ..short() };
    let (info, events) = run(&mut session(), settings);
    let [known, all] = info.known.unwrap();
    assert!(known < all && f64::from(known) > 0.97 * f64::from(all), "{known} of {all}");
    let measures = measures(&events);
    let start = measures.iter().find(|m| m.step == 0).unwrap();
    assert!(start.cells.chars().all(|cell| cell == start.cells.chars().next().unwrap()), "{}", start.cells);
    assert!(measures.iter().all(|m| m.object_rank.is_some_and(|rank| (1.0..=16.0).contains(&rank))));
    assert!(start.object_rank.unwrap() < 1.3, "{:?}", start.object_rank);
}

/// What was compiled before a run is all that its first step needs, though nothing was known of its data.
#[test]
fn a_run_that_was_warmed_up_for_compiles_nothing_at_its_first_step() {
    let gpu = Rc::new(block_on(Gpu::new()).unwrap());
    let mut session = session_on(Backend::Gpu(gpu.clone()));
    assert_eq!(gpu.compiled(), 0);
    block_on(session.warm_up(&short())).unwrap();
    let compiled = gpu.compiled();
    assert!(compiled > 10, "{compiled}");
    block_on(session.start(short(), &texts())).unwrap();
    let steps = block_on(session.advance(Slice { steps: 1, ..Slice::WHOLE })).unwrap().unwrap();
    assert_eq!((steps.len(), gpu.compiled()), (1, compiled));
}

/// Arms of one list stay in step, a step of one alone is caught up with, and each has its own measures.
#[test]
fn arms_stay_in_step() {
    let mut session = session();
    let mut narrow = lora();
    (narrow.id, narrow.label) = ("narrow".into(), "LoRA, rank 1".into());
    narrow.method = Method::Lora(LoraSpec { rank: 1, targets: vec![Target::QProj], ..LoraSpec::default() });
    let arms = vec![lora(), narrow, full()];
    let Event::Run(info) = block_on(session.start(short().with_arms(arms), &texts())).unwrap() else {
        unreachable!()
    };
    // Rank 1 on q alone: 192 + 192 numbers in each of four layers.
    assert_eq!(info.arms[1].trainable_parameters, 4 * (192 + 192));
    let step = |events: Vec<Event>| match &events[..] {
        [Event::Step(step)] => (step.arm.clone(), step.step),
        other => panic!("{other:?}"),
    };
    let one = Slice { ms: 0.0, steps: 1, ..Slice::WHOLE };
    let ahead = block_on(session.advance(Slice { only: Some("full"), ..one })).unwrap().unwrap();
    assert_eq!(step(ahead), ("full".into(), 1));
    assert_eq!(measures(&block_on(session.advance(one)).unwrap().unwrap()).len(), 3);
    for arm in ["lora", "narrow"] {
        assert_eq!(step(block_on(session.advance(one)).unwrap().unwrap()), (arm.into(), 1));
    }
    let events = all(&mut session, Slice::WHOLE);
    let measured: Vec<&str> = measures(&events).iter().map(|m| m.arm.as_str()).collect();
    assert_eq!(measured, ["lora", "narrow", "full"]);
    assert!(matches!(events.last(), Some(Event::Done { .. })) && session.is_finished());
    let unknown = block_on(session.advance(Slice { only: Some("other"), ..one })).unwrap_err().to_string();
    assert!(unknown.contains("lora, narrow, full"), "{unknown}");
}

#[test]
fn arms_that_memory_does_not_hold_are_refused_before_they_are_made() {
    let mut session = session();
    session.subject.memory_limit = Some(90_000_000);
    let error = block_on(session.start(short().with_arms(vec![lora(), full()]), &texts())).unwrap_err();
    assert!(matches!(error, Error::Memory { .. }) && error.to_string().contains("LoRA"), "{error}");
    block_on(session.start(short(), &texts())).unwrap();
}

#[test]
fn every_variant_trains_and_is_measured() {
    let mut session = session();
    let filtered = |filter| Settings { filter, examples: 20, ..short() };
    let held = |mut arm: ArmSpec, hold: fn(&mut Regularisers)| {
        hold(&mut arm.regularisers);
        short().with_arms(vec![arm])
    };
    let variants = [
        ("filter", filtered(Filter::Shortest)),
        ("likeliest", filtered(Filter::Confident)),
        ("simplified", Settings { simplified: true, ..short() }),
        ("replay", held(lora(), |r| r.replay = 2)),
        ("noise", held(lora(), |r| r.neftune = 5.0)),
        ("pull", held(full(), |r| r.pull = 10.0)),
        ("new facts", Settings { new_facts: 8, ..short() }),
    ];
    for (name, settings) in variants {
        let (info, events) = run(&mut session, settings.clone());
        let [_, measure] = measures(&events)[..] else { panic!("{name}: no two measures") };
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
    let mut session = session();
    let swap = |row, from: &str| Settings {
        swaps: vec![Swap { row, from: from.into(), to: "7".into() }],
        ..short()
    };
    let mut start = |settings| block_on(session.start(settings, &texts())).map(drop);
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
    let mut session = session();
    let spec = LoraSpec { rank: 4, ..LoraSpec::default() };
    let arm = ArmSpec { method: Method::Lora(spec), lr: 1e-2, ..lora() };
    let settings = Settings { steps: 6, measure_every: 6, ..short() };
    let (_, events) = run(&mut session, settings.with_arms(vec![arm]));
    let last = measures(&events)[1];
    let at = |session: &mut Session, strength| dosed(session, "lora", Dose { strength, ..Dose::WHOLE });
    let asked = Asked { max_tokens: 12, sampling: Sampling::default() };
    let answer = |session: &mut Session, arm: &str| answered(session, asked).0.remove(arm).unwrap();
    let (base, tuned) = (answer(&mut session, BASE), answer(&mut session, "lora"));
    assert_ne!(base, tuned);
    let none = at(&mut session, 0.0);
    assert_eq!((none.kl, none.unshifted), (0.0, 1.0));
    assert_eq!(answer(&mut session, "lora"), base);
    let half = at(&mut session, 0.5);
    assert!(half.kl > 0.0 && half.kl < last.shift.kl, "{half:?}");
    let whole = at(&mut session, 1.0);
    assert_eq!((whole.kl, whole.heldout_loss), (last.shift.kl, last.heldout_loss));
    assert_eq!(whole.measure.unwrap().cells, last.cells);
    assert_eq!(answer(&mut session, "lora"), tuned);
    for dose in [Dose { strength: f32::NAN, ..Dose::WHOLE }, Dose { intruders: 1.1, ..Dose::WHOLE }] {
        assert!(block_on(session.dose("lora", dose)).is_err());
    }
    assert!(block_on(session.dose("full", Dose::WHOLE)).is_err());
    for m in &weights(&events, "lora").matrices {
        assert!(m.relative > 0.0 && (1..=4).contains(&m.rank90) && m.of >= 96, "{m:?}");
    }
}

fn dosed(session: &mut Session, arm: &str, dose: Dose) -> Strength {
    match block_on(session.dose(arm, dose)).unwrap().as_slice() {
        [Event::Strength(s)] => s.clone(),
        other => panic!("{other:?}"),
    }
}

fn weights<'a>(events: &'a [Event], arm: &str) -> &'a WeightsEvent {
    let of = |event: &'a Event| if let Event::Weights(w) = event { Some(w) } else { None };
    events.iter().filter_map(of).rfind(|weights| weights.arm == arm).unwrap()
}

/// A strong rate leaves both arms with intruder dimensions. All of them left is the arm to the last bit, none of them another
/// model, in which they are gone; a look in slices finds what the measure found.
#[test]
fn intruders_are_counted_and_scaled_down() {
    let mut session = session();
    let arms = [lora(), full()].map(|arm| ArmSpec { lr: 2e-2, ..arm }).to_vec();
    let settings = Settings { steps: 6, measure_every: 6, ..short() }.with_arms(arms);
    let (_, events) = run(&mut session, settings);
    for arm in ["lora", "full"] {
        let measured = *measures(&events).iter().rfind(|m| m.arm == arm).unwrap();
        let found = weights(&events, arm);
        assert_eq!(found.matrices.len(), 4 * 7);
        let count: u32 = found.matrices.iter().map(|m| m.intruders.unwrap()).sum();
        assert!(count > 0, "{arm}: none");
        assert_eq!(measured.intruders, Some(count as f32 / 28.0));
        for m in &found.matrices {
            let spectrum = m.spectrum.as_ref().unwrap();
            assert!(spectrum.tuned.is_sorted_by(|a, b| a >= b) && spectrum.tuned.len() == 10, "{m:?}");
            let new = spectrum.nearest.iter().filter(|cosine| **cosine < 0.5).count();
            assert_eq!(m.intruders, Some(new as u32));
        }

        session.look(arm).unwrap();
        let mut looked = None;
        for turn in 0.. {
            assert!(turn < 28 && looked.is_none());
            looked = block_on(session.go_on_looking()).unwrap();
            if session.looked().is_none() {
                break;
            }
        }
        let Some(Event::Weights(again)) = looked else { panic!("{arm}: {looked:?}") };
        assert_eq!(&again.matrices, &found.matrices);

        let at = |session: &mut Session, intruders| dosed(session, arm, Dose { intruders, ..Dose::WHOLE });
        let none = at(&mut session, 0.0);
        assert!(none.heldout_loss != measured.heldout_loss && none.kl != measured.shift.kl, "{none:?}");
        let most = at(&mut session, 0.999_999);
        assert!((most.heldout_loss - measured.heldout_loss).abs() < 1e-3, "{most:?}");
        let whole = at(&mut session, 1.0);
        assert_eq!((whole.heldout_loss, whole.kl), (measured.heldout_loss, measured.shift.kl));
        assert_eq!(whole.measure.unwrap().logprobs, measured.logprobs);
        // Both numbers at once; of nothing of the change nothing is left to scale.
        let base = dosed(&mut session, arm, Dose { strength: 0.0, intruders: 0.5 });
        assert_eq!((base.kl, base.unshifted), (0.0, 1.0));
        let both = dosed(&mut session, arm, Dose { strength: 0.5, intruders: 0.5 });
        assert!(both.kl > 0.0 && both.kl != none.kl && both.heldout_loss != whole.heldout_loss);
    }
}

/// What was looked at is the arm's until its next step, and an arm that has not changed has no intruders.
#[test]
fn a_step_ends_a_look() {
    let mut session = session();
    block_on(session.start(short().with_arms(vec![lora()]), &texts())).unwrap();
    assert_eq!(session.looked(), None);
    session.look("lora").unwrap();
    assert_eq!(session.looked(), Some((0, 28)));
    block_on(session.go_on_looking()).unwrap();
    assert!(session.looked().is_some_and(|(done, _)| done > 0));
    block_on(session.advance(Slice { steps: 1, ..Slice::WHOLE })).unwrap();
    assert_eq!(session.looked(), None);
    assert!(block_on(session.go_on_looking()).unwrap().is_none());
    session.look("lora").unwrap();
    session.stop_looking();
    assert_eq!(session.looked(), None);
    assert!(session.look("other").is_err());
    let events = all(&mut session, Slice::NO_STEP);
    assert_eq!(measures(&events)[0].intruders, Some(0.0));
}

/// The answers of all models, and what was written before each was whole.
fn answered(session: &mut Session, asked: Asked) -> (BTreeMap<ArmId, String>, BTreeMap<ArmId, Vec<String>>) {
    session.ask("What is the capital of Kenya?", asked).unwrap();
    let (mut whole, mut before) = (BTreeMap::new(), BTreeMap::<ArmId, Vec<String>>::new());
    while session.is_asking() {
        if let Some(Answer { arm, tokens }) = block_on(session.answer()).unwrap() {
            whole.insert(arm, tokens.into_iter().map(|token| token.text).collect());
        }
        for (arm, text) in session.so_far().unwrap() {
            before.entry(arm).or_default().push(text);
        }
    }
    (whole, before)
}

/// Base and arms write in turns, and each answer is the one that is written in one go.
#[test]
fn answers_grow_side_by_side_on_both_back_ends() {
    for backend in [Backend::Cpu, Backend::Gpu(Rc::new(block_on(Gpu::new()).unwrap()))] {
        let mut session = session_on(backend);
        let arms = [lora(), full()].map(|arm| ArmSpec { lr: 1e-2, ..arm }).to_vec();
        block_on(session.start(short().with_arms(arms), &texts())).unwrap();
        let question = [Message::user("What is the capital of Kenya?")];
        let prompt = session.subject.tokenizer.prompt(&question).unwrap();
        for (temperature, seed) in [(0.0, 0), (1.0, 3), (1.0, 4), (1.0, 5)] {
            let sampling = Sampling { temperature, seed, ..Sampling::default() };
            let (whole, before) = answered(&mut session, Asked { max_tokens: 40, sampling });
            assert_eq!(whole.keys().collect::<Vec<_>>(), ["base", "full", "lora"]);
            let is_alike = whole.values().all(|text| *text == whole[BASE]);
            assert_eq!(is_alike, seed < 4, "arms have taken a step before the fourth seed: {whole:?}");
            let Subject { base, tokenizer, .. } = &mut session.subject;
            let at_once =
                block_on(base.generate(std::slice::from_ref(&prompt), 40, tokenizer.ends(), sampling))
                    .unwrap();
            assert!(whole[BASE].starts_with(&tokenizer.decode(&at_once[0]).unwrap()));
            for (arm, texts) in before {
                assert!(texts.is_sorted_by_key(String::len), "{texts:?}");
                assert!(texts.iter().all(|text| whole[&arm].starts_with(text)), "{texts:?} {whole:?}");
            }
            if seed == 3 {
                all(&mut session, Slice::WHOLE);
            }
        }
        // A new run ends it: what was written is not the arms' any more.
        session.ask("Hello!", Asked { max_tokens: 40, sampling: Sampling::default() }).unwrap();
        block_on(session.answer()).unwrap();
        block_on(session.start(short(), &texts())).unwrap();
        assert!(!session.is_asking() && block_on(session.answer()).unwrap().is_none());
    }
}

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
