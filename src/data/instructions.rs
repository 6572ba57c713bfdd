//! Instruction sets, and which facts they leave alone.

use serde::{Deserialize, Serialize};

use super::answer;
use super::facts::{Fact, Kind};
use crate::error::{Error, Result};

/// One example in the form of Alpaca's data set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instruction {
    pub instruction: String,
    /// What the instruction works on; may be empty.
    #[serde(default)]
    pub input: String,
    /// The answer to learn.
    pub output: String,
}

impl Instruction {
    /// What the user says: the instruction, and the input on a line of its own.
    pub fn question(&self) -> String {
        match self.input.trim() {
            "" => self.instruction.clone(),
            input => format!("{}\n{input}", self.instruction),
        }
    }

    /// Everything that the example says.
    fn text(&self) -> String {
        format!("{}\n{}\n{}", self.instruction, self.input, self.output)
    }
}

/// Reads examples, one JSON object a line.
pub fn parse(bytes: &[u8], file: &str) -> Result<Vec<Instruction>> {
    let problem = |index: usize, message: String| Error::Format {
        file: file.to_string(),
        field: format!("line {}", index + 1),
        message,
        remedy: "each line is {instruction, input, output}".to_string(),
    };
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    lines
        .filter(|(_, line)| !line.trim_ascii().is_empty())
        .map(|(index, line)| {
            let example: Instruction =
                serde_json::from_slice(line).map_err(|error| problem(index, error.to_string()))?;
            let is_empty = example.question().trim().is_empty() || example.output.trim().is_empty();
            if is_empty {
                Err(problem(index, "an empty text".to_string()))
            } else {
                Ok(example)
            }
        })
        .collect()
}

/// What an instruction set does to a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Split {
    /// Its subject is never named: what a tuned model forgets of it was forgotten by accident.
    Kept,
    /// Its subject is named somewhere in the set.
    Seen,
}

/// For each fact, whether `instructions` name its subject.
///
/// A subject inside a longer one (`Guinea` in `Papua New Guinea`) is not named by it. Elements count
/// in upper and lower case, countries only as they are written.
pub fn split(facts: &[Fact], instructions: &[Instruction]) -> Vec<Split> {
    let subjects = |kind: Kind| {
        let mut names: Vec<String> = facts
            .iter()
            .filter(|fact| fact.kind == kind)
            .map(|fact| fact.subject.clone())
            .collect();
        names.dedup();
        names
    };
    let (countries, elements) = (subjects(Kind::Country), subjects(Kind::Element));
    let mut named = std::collections::HashSet::new();
    for example in instructions {
        let text = example.text();
        named.extend(
            answer::named(&text, &countries)
                .into_iter()
                .map(str::to_string),
        );
        let lower = text.to_lowercase();
        named.extend(
            answer::named(&lower, &elements)
                .into_iter()
                .map(str::to_string),
        );
    }
    let of = |fact: &Fact| {
        if named.contains(&fact.subject) {
            Split::Seen
        } else {
            Split::Kept
        }
    };
    facts.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::facts;
    use std::collections::HashSet;

    fn committed() -> (Vec<Fact>, Vec<Instruction>, Vec<Instruction>) {
        (
            facts::parse(include_bytes!("../../data/facts.jsonl"), "facts.jsonl").unwrap(),
            parse(
                include_bytes!("../../data/instructions.jsonl"),
                "instructions.jsonl",
            )
            .unwrap(),
            parse(include_bytes!("../../data/heldout.jsonl"), "heldout.jsonl").unwrap(),
        )
    }

    fn subjects(facts: &[Fact], splits: &[Split], wanted: Split) -> HashSet<String> {
        let pairs = facts
            .iter()
            .zip(splits)
            .filter(|(_, split)| **split == wanted);
        pairs.map(|(fact, _)| fact.subject.clone()).collect()
    }

    #[test]
    fn two_thirds_of_the_subjects_are_kept() {
        let (facts, instructions, _) = committed();
        let splits = split(&facts, &instructions);
        let kept = splits.iter().filter(|split| **split == Split::Kept).count();
        assert!(kept * 100 > facts.len() * 60, "{kept} of {}", facts.len());
        assert!(kept * 100 < facts.len() * 75, "{kept} of {}", facts.len());
    }

    /// Counts a mention more broadly than `split` does: in any case, also inside a longer name.
    #[test]
    fn no_kept_subject_occurs_in_the_instruction_set() {
        let (facts, instructions, heldout) = committed();
        let all: Vec<Instruction> = [instructions, heldout].concat();
        let splits = split(&facts, &all);
        let (kept, seen) = (
            subjects(&facts, &splits, Split::Kept),
            subjects(&facts, &splits, Split::Seen),
        );
        for example in &all {
            let mut text = example.text().to_lowercase();
            for name in &seen {
                text = text.replace(&name.to_lowercase(), "");
            }
            let words: HashSet<&str> = text.split(|c: char| !c.is_alphanumeric()).collect();
            for name in &kept {
                let name = name.to_lowercase();
                assert!(!words.contains(name.as_str()), "{name}: {}", example.output);
                assert!(
                    !name.contains(' ') || !text.contains(&name),
                    "{name}: {}",
                    example.output
                );
            }
        }
    }

    #[test]
    fn heldout_examples_are_new_and_their_subjects_are_taught() {
        let (facts, instructions, heldout) = committed();
        let outputs: HashSet<&str> = instructions
            .iter()
            .map(|example| example.output.as_str())
            .collect();
        assert!(
            heldout
                .iter()
                .all(|example| !outputs.contains(example.output.as_str()))
        );
        let both: Vec<Instruction> = [instructions.clone(), heldout].concat();
        assert_eq!(
            subjects(&facts, &split(&facts, &instructions), Split::Seen),
            subjects(&facts, &split(&facts, &both), Split::Seen),
            "the held-out set names no further subject"
        );
    }

    #[test]
    fn a_longer_name_does_not_name_its_part() {
        let (facts, ..) = committed();
        let example = Instruction {
            instruction: "Where is Papua New Guinea?".to_string(),
            input: String::new(),
            output: "Lead me there.".to_string(),
        };
        let seen = subjects(&facts, &split(&facts, &[example]), Split::Seen);
        assert_eq!(
            seen,
            HashSet::from(["Papua New Guinea".to_string(), "lead".to_string()])
        );
    }

    #[test]
    fn input_is_part_of_the_question() {
        let example = parse(
            br#"{"instruction":"Define.","input":"rain","output":"Water."}"#,
            "test",
        )
        .unwrap();
        assert_eq!(example[0].question(), "Define.\nrain");
        assert!(parse(br#"{"instruction":"","output":"x"}"#, "test").is_err());
    }
}
