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

fn begin(session: &mut Session) {
    block_on(session.start(settings(), &texts())).unwrap();
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

/// Advances until an arm has taken `step` steps and its measure is done, if one is due there.
fn until(session: &mut Session, step: u32) {
    loop {
        let events = block_on(session.advance(Slice { ms: 0.0, ..Slice::WHOLE })).unwrap().unwrap();
        let is_there =
            |event: &Event| matches!(event, Event::Measure(m) if m.step == step && m.arm == "near");
        let is_step = |event: &Event| matches!(event, Event::Step(s) if s.step == step && s.arm == "near");
        if events.iter().any(|event| is_there(event) || (step % 2 == 1 && is_step(event))) {
            return;
        }
    }
}

#[test]
fn a_resumed_run_is_the_uninterrupted_one() {
    for step in [2, 3] {
        let mut session = session();
        begin(&mut session);
        until(&mut session, step);
        let (_, state) = block_on(session.snapshot()).unwrap();
        let expected = rest(&mut session);
        assert!(expected.len() > 12, "{}", expected.len());
        let mut other = atlas::session();
        block_on(other.resume(settings(), &texts(), &state)).unwrap();
        assert_eq!(rest(&mut other), expected, "from step {step}");
    }
}

#[test]
fn a_state_of_another_run_or_a_damaged_one_is_refused_and_the_run_stays() {
    let mut session = session();
    begin(&mut session);
    until(&mut session, 2);
    let (run, state) = block_on(session.snapshot()).unwrap();
    let mut refused = |settings: Settings, state: &[u8], why: &str| {
        let error = block_on(session.resume(settings, &texts(), state)).unwrap_err().to_string();
        assert!(error.contains(why) && error.contains("Begin the run anew"), "{error}");
    };
    refused(settings(), &state[..state.len() / 2], "run.safetensors");
    refused(settings(), b"hello", "run.safetensors");
    refused(short(), &state, "other arms");
    refused(Settings { probes: 8, ..settings() }, &state, "other facts");
    refused(Settings { steps: 1, measure_every: 1, ..settings() }, &state, "further than the run goes");
    assert_eq!(block_on(session.snapshot()).unwrap(), (run, state));
}
