//! The committed instruction set teaches a third of the subjects and names no other.

use std::collections::HashSet;

use driftscope::data::facts::{self, Fact};
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
