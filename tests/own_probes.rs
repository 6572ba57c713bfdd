//! A visitor's own facts: what the base says to them, and runs that are tested with them.

#[expect(dead_code, reason = "the sessions of the findings' tests, of which not all is used here")]
mod atlas;

use atlas::*;
use driftscope::lab::{Experiment, Probing, Session, Slice, Texts};
use driftscope::record::*;
use pollster::block_on;

/// Four facts of two relations; nobody knows the third.
const FACTS: &str = r#"{"subject":"Peru","relation":"capital","object":"Lima"}
{"subject":"Kenya","relation":"capital","object":"Nairobi","sentence":"The capital city of Kenya is called {o}."}
{"subject":"Atlantis","relation":"capital","object":"Poseidonis"}
{"subject":"iron","relation":"symbol","object":"Fe"}"#;

fn started(session: &mut Session, settings: Settings, probes: &str) -> driftscope::error::Result<RunInfo> {
    let texts = Texts { probes: probes.into(), ..texts() };
    block_on(session.start(settings, &texts)).map(|event| match event {
        Event::Run(info) => info,
        _ => unreachable!(),
    })
}

fn probed(session: &mut Session, probes: &str) -> Vec<BaseAnswer> {
    let mut probing = Probing::new(1, probes, &session.subject).unwrap();
    let mut answers = Vec::new();
    while probing.progress().0 < probing.progress().1 {
        let from = probing.progress().0;
        let more = block_on(session.probe(&mut probing)).unwrap();
        assert_eq!((from, probing.progress().0), (answers.len(), answers.len() + more.len()));
        answers.extend(more);
    }
    assert!(block_on(session.probe(&mut probing)).unwrap().is_empty());
    answers
}

#[test]
fn the_base_is_asked_first_and_what_it_does_not_know_is_set_aside() {
    let mut session = session();
    let answers = probed(&mut session, FACTS);
    let right: Vec<bool> = answers.iter().map(|answer| answer.right).collect();
    assert_eq!(right, [true, true, false, true], "{answers:?}");
    assert_eq!((answers[0].cloze.as_str(), answers[0].rank), ("Lima", Some([1, 3])));
    assert_eq!(answers[3].rank, None, "there is no other symbol");
    assert!(answers[0].asked.as_ref().unwrap().right);
    let info = started(&mut session, Settings { known_only: true, ..short() }, FACTS).unwrap();
    assert_eq!(info.known, Some([3, 4]));
    assert!(info.facts.iter().all(|fact| fact.subject != "Atlantis"));
    assert!(info.facts.iter().any(|fact| fact.cloze == "The capital city of Kenya is called"));
    let none = started(&mut session, Settings { known_only: true, ..short() }, FACTS.lines().nth(2).unwrap());
    assert!(none.unwrap_err().to_string().contains("none of the 1 facts"));
    // Another set is asked anew.
    let built_in = started(&mut session, Settings { known_only: true, ..short() }, "").unwrap();
    assert_eq!(built_in.known.unwrap()[1], 1408);
}

#[test]
fn a_run_is_tested_with_own_facts() {
    let mut session = session();
    let mut arm = lora();
    arm.regularisers.replay = 2;
    let settings = Settings { ranked: 2, new_facts: 2, ..short() }.with_arms(vec![arm]);
    let info = started(&mut session, settings, FACTS).unwrap();
    assert_eq!(info.facts.len(), 4 + 2);
    let new: Vec<&WallFact> = info.facts.iter().filter(|fact| fact.split == Split::New).collect();
    assert_eq!(new.len(), 2, "new facts stay those of the settings");
    let events = all(&mut session, Slice::WHOLE);
    let [start, end] = measures(&events)[..] else { panic!("no two measures") };
    assert_eq!(start.cells.len(), 6);
    let tested: u32 = start.recall.iter().filter(|row| row.form == RecallForm::Cloze).map(|row| row.n).sum();
    assert_eq!(tested, 6);
    assert_eq!(end.step, 2);
    assert!(end.heldout_loss.is_finite());
}

/// The rows that a borrowed answer of one's own facts comes from are changed, and the arm trained again is asked the same facts.
#[test]
fn borrowed_answers_to_own_facts_are_checked() {
    let mut session = session();
    let capitals = text("data/facts.jsonl")
        .lines()
        .filter(|line| line.contains("-capital"))
        .map(own)
        .collect::<Vec<_>>();
    let texts = Texts { probes: capitals.join("\n"), ..texts() };
    let arm = ArmSpec { lr: 1e-2, ..full() };
    let settings =
        Settings { steps: 24, measure_every: 24, probes: 120, asked: 0, ..short() }.with_arms(vec![arm]);
    let Event::Run(info) = block_on(session.start(settings, &texts)).unwrap() else { unreachable!() };
    let events = all(&mut session, Slice::WHOLE);
    let end = measures(&events)[1];
    assert!(end.errors.borrowed > 0, "{:?}", end.errors);
    let mut check = Experiment::of_check(&session, "full").expect("rows that could be changed");
    let mut events = Vec::new();
    while let Some(more) = block_on(check.advance(&mut session, &texts, Slice::WHOLE)).unwrap() {
        events.extend(more);
    }
    let found =
        events.iter().find_map(|e| if let Event::Counterfactual(found) = e { Some(found) } else { None });
    assert!(found.unwrap().swapped.n > 0);
    let again = events.iter().find_map(|e| if let Event::Run(info) = e { Some(info) } else { None }).unwrap();
    let subjects = |info: &RunInfo| info.facts.iter().map(|fact| fact.subject.clone()).collect::<Vec<_>>();
    assert_eq!(subjects(again), subjects(&info));
}

/// A built-in fact as one of a visitor's: no kind, and a relation of any name.
fn own(line: &str) -> String {
    let mut fact: serde_json::Value = serde_json::from_str(line).unwrap();
    let fields = fact.as_object_mut().unwrap();
    fields.remove("kind");
    fields.insert("relation".into(), "capital city".into());
    fact.to_string()
}

/// Few facts, all in one part of them, and nothing that a held-out question asks for.
#[test]
fn one_question_and_its_answer_is_enough() {
    let mut session = session();
    let pair = r#"{"question":"What is 3.14 called?","answer":"pi"}"#;
    let seen = r#"{"question":"What is the symbol of iron?","answer":"Fe."}"#;
    for (probes, split) in [(pair, Split::Kept), (seen, Split::Seen)] {
        let instructions =
            texts().instructions + r#"{"instruction":"what is the symbol of iron?","output":"Fe"}"#;
        let texts = Texts { probes: probes.into(), instructions, ..texts() };
        let settings = Settings { ranked: 4, asked: 1, ..short() };
        let Event::Run(info) = block_on(session.start(settings, &texts)).unwrap() else { unreachable!() };
        let [fact] = &info.facts[..] else { panic!("{:?}", info.facts) };
        assert_eq!((fact.relation.as_str(), fact.split), ("answer", split));
        assert!(fact.cloze.starts_with("Question: What is ") && fact.cloze.ends_with("\nAnswer:"));
        let events = all(&mut session, Slice::WHOLE);
        for measure in measures(&events) {
            assert_eq!(measure.cells.len(), 1);
            let values = Metric::values(measure);
            assert!(values.values().all(|value| value.is_finite()), "{values:?}");
            assert!(!values.contains_key(&Metric::Conversation), "no held-out question asks for it");
        }
    }
}

#[test]
fn what_can_not_be_tested_is_refused_by_line() {
    let mut session = session();
    let error =
        |session: &mut Session, probes: &str| started(session, short(), probes).unwrap_err().to_string();
    let bad =
        error(&mut session, "{\"subject\":\"a\",\"relation\":\"r\",\"object\":\"b\"}\n{\"question\":\"c\"}");
    assert!(bad.starts_with("probes: line 2: it has no answer. Each line is "), "{bad}");
    let long = format!(r#"{{"question":"{}","answer":"b"}}"#, "a ".repeat(600));
    let both = format!("{}\n{long}", FACTS.lines().next().unwrap());
    let too_long = error(&mut session, &both);
    assert!(too_long.starts_with("probes: line 2: it takes ") && too_long.contains("Shorten"), "{too_long}");
    let answers = probed(&mut session, &both);
    assert!(
        answers[0].right && answers[1].refused.as_ref().unwrap().contains("longer than the"),
        "{answers:?}"
    );
}
