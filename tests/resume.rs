//! A run that goes on from its state takes the steps that would have followed, to the last bit.

#[expect(dead_code, reason = "the sessions of the findings' tests, of which not all is used here")]
mod atlas;

use atlas::*;
use driftscope::lab::{Session, Slice};
use driftscope::record::*;
use pollster::block_on;

/// Every kind of arm, and a batch that depends on the step.
fn settings() -> Settings {
    let replayed = Regularisers { replay: 2, kl_to_base: 0.1, ..Regularisers::default() };
    let arm = |id: &str, arm: ArmSpec| ArmSpec { id: id.into(), label: id.into(), ..arm };
    Settings {
        arms: vec![
            arm("lora", lora()),
            arm("full", full()),
            arm(
                "dora",
                ArmSpec { method: Method::Lora(LoraSpec { dora: true, ..LoraSpec::default() }), ..lora() },
            ),
            arm("near", ArmSpec { regularisers: replayed, ..full() }),
        ],
        steps: 6,
        measure_every: 2,
        ..short()
    }
}

/// Two arms, where their kind does not matter.
fn two() -> Settings {
    Settings { arms: vec![lora(), full()], ..settings() }
}

/// What the run says from here to its end, without times.
fn rest(session: &mut Session) -> Vec<serde_json::Value> {
    let mut events = Vec::new();
    while let Some(more) = block_on(session.advance(Slice::WHOLE)).unwrap() {
        events.extend(more);
    }
    let json = events.into_iter().filter(|event| !matches!(event, Event::Done { .. }));
    let mut json: Vec<_> = json.map(|event| serde_json::to_value(event).unwrap()).collect();
    for event in &mut json {
        let fields = event.as_object_mut().unwrap();
        fields.remove("ms");
        fields.remove("run");
    }
    json
}

/// Advances until the last arm has taken `step` steps and its measure is done, if one is due there.
fn until(session: &mut Session, step: u32) {
    let last = session.arms().pop().unwrap();
    loop {
        let events = block_on(session.advance(Slice { ms: 0.0, ..Slice::WHOLE })).unwrap().unwrap();
        let is_there = |event: &Event| matches!(event, Event::Measure(m) if m.step == step && m.arm == last);
        let is_step = |event: &Event| matches!(event, Event::Step(s) if s.step == step && s.arm == last);
        if events.iter().any(|event| is_there(event) || (step % 2 == 1 && is_step(event))) {
            return;
        }
    }
}

/// The state of every arm.
fn states(session: &mut Session) -> Vec<Vec<u8>> {
    let arms = session.arms();
    arms.iter().map(|arm| block_on(session.snapshot(arm)).unwrap().bytes).collect()
}

/// A run that has come to `step`, and the states of its arms there.
fn stopped(settings: Settings, step: u32) -> (Session, Vec<Vec<u8>>) {
    let mut session = session();
    block_on(session.start(settings, &texts())).unwrap();
    until(&mut session, step);
    let states = states(&mut session);
    (session, states)
}

#[test]
fn a_resumed_run_is_the_uninterrupted_one() {
    for step in [2, 3] {
        let (mut session, states) = stopped(settings(), step);
        let expected = rest(&mut session);
        assert!(expected.len() > 12, "{}", expected.len());
        let mut other = atlas::session();
        block_on(other.resume(settings(), &texts(), &states, None)).unwrap();
        assert_eq!(rest(&mut other), expected, "from step {step}");
    }
}

/// Arms whose states are of different steps: those that lag catch up, and each goes its own way as before.
#[test]
fn arms_may_stop_at_different_steps() {
    let (mut session, mut states) = stopped(two(), 2);
    until(&mut session, 4);
    states[0] = block_on(session.snapshot("lora")).unwrap().bytes;
    let expected = rest(&mut session);
    let mut other = atlas::session();
    block_on(other.resume(two(), &texts(), &states, None)).unwrap();
    let resumed = rest(&mut other);
    let of = |events: &[serde_json::Value], arm: &str| {
        events.iter().filter(|e| e["arm"] == arm && e["step"].as_u64() > Some(4)).cloned().collect::<Vec<_>>()
    };
    for arm in ["lora", "full"] {
        assert!(!of(&expected, arm).is_empty());
        assert_eq!(of(&resumed, arm), of(&expected, arm), "{arm}");
    }
    let steps = |arm: &str| resumed.iter().filter(|e| e["arm"] == arm && e["type"] == "step").count();
    assert_eq!((steps("lora"), steps("full")), (2, 4));
}

/// From a step on with another rate: the arm whose rate stays goes on as before, the other doesn't, and the record says it.
#[test]
fn a_fork_goes_on_with_other_settings() {
    let (mut session, states) = stopped(two(), 2);
    let expected = rest(&mut session);
    let mut changed = two();
    changed.arms[0].lr *= 0.1;
    let mut other = atlas::session();
    let fork = Fork { step: 2, settings: two() };
    let begun = block_on(other.resume(changed, &texts(), &states, Some(fork))).unwrap();
    let Event::Run(info) = begun else { panic!("{begun:?}") };
    assert_eq!(info.fork.unwrap().step, 2);
    let forked = rest(&mut other);
    let losses = |events: &[serde_json::Value], arm: &str| {
        let steps = events.iter().filter(|e| e["arm"] == arm && e["type"] == "step");
        steps.map(|e| e["loss"].as_f64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(losses(&forked, "full"), losses(&expected, "full"));
    let (before, after) = (losses(&expected, "lora"), losses(&forked, "lora"));
    assert_eq!(before[0], after[0], "the loss is that before the update");
    assert!(before[1..].iter().zip(&after[1..]).all(|(a, b)| a != b));
}

#[test]
fn a_state_of_another_run_or_a_damaged_one_is_refused_and_the_run_stays() {
    let (mut session, all) = stopped(settings(), 2);
    let mut refused = |settings: Settings, states: &[Vec<u8>], why: &str| {
        let error = block_on(session.resume(settings, &texts(), states, None)).unwrap_err().to_string();
        assert!(error.contains(why) && error.contains("egin the run anew"), "{error}");
    };
    let but_first = |state: &[u8]| [&[state.to_vec()], &all[1..]].concat();
    refused(settings(), &but_first(&all[0][..all[0].len() / 2]), "run.safetensors");
    refused(settings(), &but_first(b"hello"), "run.safetensors");
    refused(settings(), &all[1..], "other arms");
    refused(settings(), &but_first(&all[1]), "other arms");
    refused(short(), &all, "other arms");
    refused(Settings { probes: 8, ..settings() }, &all, "other facts");
    refused(Settings { steps: 1, measure_every: 1, ..settings() }, &all, "step 2 already");
    let mut wider = settings();
    wider.arms[0].method = Method::Lora(LoraSpec { rank: 4, ..LoraSpec::default() });
    refused(wider, &all, "another shape");
    assert_eq!(states(&mut session), all);
}
