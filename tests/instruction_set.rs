//! The committed instruction set teaches a third of the subjects and names no other.

use std::collections::HashSet;

use driftscope::data::answer;
use driftscope::data::facts::{self, Fact, candidates};
use driftscope::data::instructions::{self, Example};

fn facts() -> Vec<Fact> {
    facts::parse(include_bytes!("../data/facts.jsonl"), "facts.jsonl").unwrap()
}

fn examples() -> (Vec<Example>, Vec<Example>) {
    let read = |text, file| instructions::parse(text, file).unwrap();
    (
        read(include_str!("../data/instructions.jsonl"), "instructions.jsonl"),
        read(include_str!("../data/heldout.jsonl"), "heldout.jsonl"),
    )
}

/// The subjects that `examples` name, whole words in any case.
fn named(facts: &[Fact], examples: &[Example]) -> HashSet<String> {
    let text = examples.iter().map(|example| example.text().to_lowercase()).collect::<Vec<_>>().join("\n");
    // Punctuation and line breaks become spaces: a whole word has one on either side.
    let letter = |c: char| if c.is_alphanumeric() { c } else { ' ' };
    let text: String = format!(" {text} ").chars().map(letter).collect();
    let is_named = |subject: &str| {
        let words: String = subject.to_lowercase().chars().map(letter).collect();
        text.contains(&format!(" {words} "))
    };
    facts.iter().map(|fact| &fact.subject).filter(|subject| is_named(subject)).cloned().collect()
}

#[test]
fn two_thirds_of_the_subjects_are_never_named() {
    let facts = facts();
    let (training, heldout) = examples();
    let all: HashSet<&String> = facts.iter().map(|fact| &fact.subject).collect();
    let named = named(&facts, &[training, heldout].concat());
    let share = named.len() as f64 / all.len() as f64;
    assert!((0.25..0.4).contains(&share), "{share}: {named:?}");
}

#[test]
fn no_kept_subject_occurs_in_the_instruction_set() {
    let facts = facts();
    let (training, heldout) = examples();
    // Kept by the questions alone: a subject that no example is about. None may appear in an answer.
    let asked = |examples: &[Example]| {
        let questions: Vec<Example> = examples
            .iter()
            .map(|example| Example { prompt: example.prompt.clone(), answer: String::new() })
            .collect();
        named(&facts, &questions)
    };
    assert_eq!(asked(&training), named(&facts, &training));
    let both = named(&facts, &[training.clone(), heldout].concat());
    assert_eq!(named(&facts, &training), both, "the held-out examples name no further subject");
}

#[test]
fn held_out_examples_are_new() {
    let (training, heldout) = examples();
    assert_eq!((training.len(), heldout.len()), (256, 64));
    let questions = |examples: &[Example]| -> HashSet<String> {
        examples.iter().map(|example| example.question().to_lowercase()).collect()
    };
    assert!(questions(&training).is_disjoint(&questions(&heldout)));
}

/// A set that the page offers beside the committed one.
fn offered(text: &str, file: &str) -> Vec<Example> {
    let examples = instructions::parse(text, file).unwrap();
    assert!((128..=256).contains(&examples.len()), "{file}");
    let questions: HashSet<&str> = examples.iter().map(Example::question).collect();
    assert_eq!(questions.len(), examples.len(), "{file} asks nothing twice in the same words");
    let taught = named(&facts(), &examples_of_both());
    let others: Vec<String> = named(&facts(), &examples).difference(&taught).cloned().collect();
    assert_eq!(others, Vec::<String>::new(), "{file} names subjects of the two thirds");
    examples
}

fn examples_of_both() -> Vec<Example> {
    let (training, heldout) = examples();
    [training, heldout].concat()
}

#[test]
fn style_alone_names_no_subject() {
    let examples = offered(include_str!("../data/style-only.jsonl"), "style-only.jsonl");
    assert_eq!(named(&facts(), &examples), HashSet::new());
}

#[test]
fn every_contradiction_contradicts() {
    let facts = facts();
    let examples = offered(include_str!("../data/contradictions.jsonl"), "contradictions.jsonl");
    for example in &examples {
        let about = named(&facts, std::slice::from_ref(example));
        let is_about = |fact: &&Fact| about.contains(&fact.subject);
        // What the base would say, and what is said: another object of one of the subject's relations.
        let contradicts = facts.iter().filter(is_about).any(|fact| {
            let objects = candidates(&facts, &fact.relation);
            let said = answer::named(&example.answer, &objects);
            said.len() == 1 && said[0] != fact.object
        });
        let agrees = facts.iter().filter(is_about).any(|fact| {
            let objects = [fact.object.clone()];
            fact.object.len() > 2 && !answer::named(&example.answer, &objects).is_empty()
        });
        assert!(contradicts && !agrees, "{}", example.text());
    }
}

#[test]
fn the_new_facts_are_those_of_the_list() {
    let examples =
        offered(include_str!("../data/instructions-new-facts.jsonl"), "instructions-new-facts.jsonl");
    let new = facts::parse(include_bytes!("../data/new-facts.jsonl"), "new-facts.jsonl").unwrap();
    let states = |example: &Example, fact: &Fact| {
        example.question().contains(&fact.subject) && example.answer.contains(&fact.object)
    };
    for example in &examples {
        assert!(new.iter().any(|fact| states(example, fact)), "{}", example.text());
    }
    let stated: Vec<usize> =
        new.iter().map(|fact| examples.iter().filter(|e| states(e, fact)).count()).collect();
    assert!(stated.iter().all(|&count| count == 0 || count == 3), "{stated:?}");
}
