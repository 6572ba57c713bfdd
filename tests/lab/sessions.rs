//! Every change to data and method runs, arms are a list, and what a session is asked for is measured.

use std::rc::Rc;

use driftscope::engine::Backend;
use driftscope::error::Error;
use driftscope::gpu::Gpu;
use driftscope::lab::{Asked, Slice, Subject, Work};
use driftscope::model::tokenizer::Message;
use driftscope::record::*;
use pollster::block_on;

use crate::answered;
use crate::atlas::{all, full, lora, measures, run, session, session_on, short, texts};

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
