//! A run that is shared out among sessions is the run of one session, to the last bit.

use std::collections::BTreeSet;

use driftscope::lab::{Asked, Session, Slice, Work};
use driftscope::record::*;
use pollster::block_on;

mod atlas;

use atlas::*;

fn settings() -> Settings {
    let arm = |id: &str, arm: ArmSpec| ArmSpec { id: id.into(), label: id.into(), ..arm };
    let replay = Regularisers { replay: 2, ..Regularisers::default() };
    let arms = vec![
        arm("lora", lora()),
        arm("full", full()),
        arm("near", ArmSpec { regularisers: replay, ..lora() }),
    ];
    Settings { arms, steps: 4, ..short() }
}

fn share(models: &[&str]) -> Option<Share> {
    Some(Share { run: 7, models: models.iter().map(ToString::to_string).collect() })
}

/// What a run says of its models, without times and the run's number. The start is measured when there is time for it, so in order of
/// what is said.
fn said(events: Vec<Event>) -> BTreeSet<String> {
    let plain = |event: Event| {
        let mut event = serde_json::to_value(event).unwrap();
        let fields = event.as_object_mut().unwrap();
        fields.remove("ms");
        fields.remove("run");
        fields.contains_key("arm").then(|| event.to_string())
    };
    events.into_iter().filter_map(plain).collect()
}

fn assert_same(found: &BTreeSet<String>, expected: &BTreeSet<String>) {
    assert!(expected.len() > 20, "{}", expected.len());
    let other = found.symmetric_difference(expected).map(|event| event.get(..200).unwrap_or(event));
    assert_eq!(other.collect::<Vec<_>>(), Vec::<&str>::new());
}

fn begun(models: &[&str]) -> (Session, RunInfo) {
    let mut session = session();
    session.share = share(models);
    let Event::Run(info) = block_on(session.start(settings(), &texts())).unwrap() else { unreachable!() };
    (session, info)
}

#[test]
fn shares_of_a_run_are_the_run() {
    let mut whole = session();
    let (all_of_it, events) = run(&mut whole, settings());
    let expected = said(events);
    let mut found = BTreeSet::new();
    for models in [&["base", "lora", "near"][..], &["full"]] {
        let (mut session, info) = begun(models);
        assert_eq!(info.settings, all_of_it.settings, "the record says what it would say of one session");
        assert_eq!((info.run, &info.facts), (7, &all_of_it.facts));
        let ids: Vec<&str> = info.arms.iter().map(|arm| arm.arm.as_str()).collect();
        assert_eq!(ids, models.iter().copied().filter(|id| *id != "base").collect::<Vec<_>>());
        found.extend(said(all(&mut session, Slice::WHOLE)));
        assert!(session.is_finished());
        session.share = None;
        let (next, _) = run(&mut session, short());
        assert_eq!((next.run, next.arms.len()), (8, 1), "later runs are numbered on");
    }
    assert_same(&found, &expected);
}

#[test]
fn a_share_takes_its_arms_from_the_state_of_all() {
    let (mut one, _) = begun(&["base", "lora", "full", "near"]);
    all(&mut one, Slice { until: 2, ..Slice::WHOLE });
    let ids = one.arms();
    let states: Vec<_> = ids.iter().map(|id| block_on(one.snapshot(id)).unwrap().bytes).collect();
    // With other steps they are a fork's, and the rest is no longer what it would have been.
    let longer = Settings { steps: 6, ..settings() };
    let fork = Fork { step: 2, settings: settings() };
    for (settings, fork) in [(settings(), None), (longer, Some(fork))] {
        let mut whole = session();
        block_on(whole.resume(settings.clone(), &texts(), &states, fork.clone())).unwrap();
        let expected = said(all(&mut whole, Slice::WHOLE));
        let mut found = BTreeSet::new();
        for models in [&["base", "near"][..], &["lora", "full"]] {
            let mut session = session();
            session.share = share(models);
            let begun = block_on(session.resume(settings.clone(), &texts(), &states, fork.clone()));
            let Event::Run(info) = begun.unwrap() else { unreachable!() };
            assert_eq!(info.fork.map(|fork| fork.step), fork.as_ref().map(|fork| fork.step));
            found.extend(said(all(&mut session, Slice::WHOLE)));
        }
        assert_same(&found, &expected);
    }
    let mut part = session();
    part.share = share(&["lora", "full"]);
    let mut refused = |states: &[Vec<u8>]| {
        let error = block_on(part.resume(settings(), &texts(), states, None)).unwrap_err().to_string();
        assert!(error.contains("other arms"), "{error}");
    };
    refused(&states[..1]);
    refused(&[]);
    refused(&[&states[..], &states[2..]].concat());
    let mut stranger = session();
    let arms = vec![ArmSpec { id: "other".into(), ..lora() }];
    block_on(stranger.start(short().with_arms(arms), &texts())).unwrap();
    refused(&[&states[..], &[block_on(stranger.snapshot("other")).unwrap().bytes]].concat());
}

#[test]
fn a_share_counts_the_states_of_all_arms() {
    let dora = LoraSpec { dora: true, rank: 3, ..LoraSpec::default() };
    let dora = ArmSpec { method: Method::Lora(dora), id: "dora".into(), label: "dora".into(), ..lora() };
    let settings = short().with_arms(vec![lora(), full(), dora]);
    let mut session = session();
    let Event::Run(info) = block_on(session.start(settings.clone(), &texts())).unwrap() else {
        unreachable!()
    };
    let bytes: u64 = info.arms.iter().map(|arm| arm.trainable_parameters * STATE_BYTES).sum();
    assert_eq!(session.state_bytes(), bytes);
    session.share = share(&["lora"]);
    block_on(session.start(settings, &texts())).unwrap();
    assert_eq!(session.state_bytes(), bytes);
}

#[test]
fn arms_wait_where_they_are_to_wait() {
    let (mut session, _) = begun(&["lora", "near"]);
    let until = |until| Slice { until, ..Slice::WHOLE };
    let steps = |events: &[Event]| {
        let step =
            |event: &Event| if let Event::Step(s) = event { Some((s.arm.clone(), s.step)) } else { None };
        events.iter().filter_map(step).collect::<Vec<_>>()
    };
    let events = all(&mut session, until(1));
    assert_eq!(steps(&events), [("lora".into(), 1), ("near".into(), 1)]);
    assert_eq!(session.next(until(1)), None);
    let events = all(&mut session, until(2));
    assert_eq!(steps(&events), [("lora".into(), 2), ("near".into(), 2)]);
    let measured: Vec<_> = measures(&events).iter().map(|m| (m.arm.as_str(), m.step)).collect();
    assert_eq!(measured, [("lora", 2), ("near", 2)], "what is due is measured before it waits");
    assert!(!session.is_finished());
    assert_eq!(session.next(until(4)), Some(Work::Train { arms: vec![0], steps: 2 }));
}

#[test]
fn the_base_answers_and_is_measured_once() {
    let asked = Asked { max_tokens: 2, sampling: Sampling::default() };
    let answering = |session: &mut Session| {
        block_on(session.start(settings(), &texts())).unwrap();
        session.ask("What is the capital of France?", asked).unwrap();
        let mut arms = Vec::new();
        while session.is_asking() {
            arms.extend(block_on(session.answer()).unwrap().map(|answer| answer.arm));
        }
        arms.sort();
        arms
    };
    let mut session = session();
    session.share = share(&["base", "full"]);
    assert_eq!(answering(&mut session), ["base", "full"]);
    session.share = share(&["near", "lora"]);
    assert_eq!(answering(&mut session), ["lora", "near"]);
    session.share = None;
    assert_eq!(answering(&mut session), ["base", "full", "lora", "near"]);
    // An arm starts elsewhere, so that the base has a measure of its own.
    run(&mut session, short());
    block_on(session.keep("lora", "mine")).unwrap();
    let spec = LoraSpec { start: "mine".into(), ..LoraSpec::default() };
    let given = ArmSpec { method: Method::Lora(spec), id: "given".into(), label: "given".into(), ..lora() };
    let settings = Settings { steps: 0, ..short().with_arms(vec![full(), given]) };
    for (models, expected) in [(["base", "full"], &["base", "full"][..]), (["given", "none"], &["given"])] {
        session.share = share(&models);
        let (_, events) = run(&mut session, settings.clone());
        assert_eq!(measures(&events).iter().map(|m| m.arm.as_str()).collect::<Vec<_>>(), expected);
    }
}
