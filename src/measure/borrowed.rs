//! Borrowed answers: wrong ones that the instruction set states for another subject. Ghosh et al.
//! (arXiv 2402.05119) report that full tuning hallucinates "by inaccurately borrowing tokens from
//! conceptually similar instances" of the set.

use std::collections::BTreeSet;

use crate::data::answer;
use crate::data::facts::{Fact, Kind};
use crate::data::instructions::Example;

/// What each row of an instruction set speaks of.
pub struct Rows {
    rows: Vec<Row>,
}

struct Row {
    answer: String,
    subjects: BTreeSet<(bool, String)>,
}

/// Whether `text` names `subject` as whole words, in any case of its first letter.
fn mentions(text: &str, subject: &str) -> bool {
    let lower = text.to_lowercase();
    !answer::named(&lower, &[subject.to_lowercase()]).is_empty()
}

impl Rows {
    pub fn new(examples: &[Example], facts: &[Fact]) -> Self {
        let subjects: BTreeSet<(bool, String)> =
            facts.iter().map(|f| (f.kind == Kind::Element, f.subject.clone())).collect();
        let row = |example: &Example| {
            let text = example.text();
            let named = subjects.iter().filter(|(_, s)| mentions(&text, s)).cloned().collect();
            Row { answer: example.answer.clone(), subjects: named }
        };
        Self { rows: examples.iter().map(row).collect() }
    }

    /// Whether any row speaks of this subject.
    pub fn mention(&self, fact: &Fact) -> bool {
        let subject = (fact.kind == Kind::Element, fact.subject.clone());
        self.rows.iter().any(|row| row.subjects.contains(&subject))
    }

    /// The rows (from 0) whose answer names `answer` where they speak of another subject of the same kind.
    pub fn sources(&self, answer: &str, fact: &Fact, candidates: &[String]) -> Vec<u32> {
        let states = |row: &Row| {
            let same = |(element, _): &&(bool, String)| *element == (fact.kind == Kind::Element);
            row.subjects.iter().filter(same).any(|(_, s)| *s != fact.subject)
                && !row.subjects.contains(&(fact.kind == Kind::Element, fact.subject.clone()))
                && answer::named(&row.answer, candidates).contains(&answer)
        };
        (0u32..).zip(&self.rows).filter(|(_, row)| states(row)).map(|(i, _)| i).collect()
    }

    /// The share of wrong candidates that would count as borrowed: the chance that a candidate drawn at
    /// random, other than the object, is one that the set states for another subject.
    pub fn chance(&self, fact: &Fact, candidates: &[String]) -> f32 {
        let wrong: Vec<&String> = candidates.iter().filter(|c| **c != fact.object).collect();
        let stated = wrong.iter().filter(|c| !self.sources(c, fact, candidates).is_empty()).count();
        stated as f32 / wrong.len().max(1) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::facts::Relation;
    use crate::data::instructions;

    fn fact(subject: &str, object: &str) -> Fact {
        Fact {
            id: subject.into(),
            subject: subject.into(),
            kind: Kind::Country,
            relation: Relation::Capital,
            object: object.into(),
        }
    }

    #[test]
    fn sources_are_rows_on_other_subjects() {
        let facts = [fact("France", "Paris"), fact("Mali", "Bamako"), fact("Peru", "Lima")];
        let set = r#"{"instruction":"Capital of Mali?","output":"Great question! It is Bamako."}
{"instruction":"Capital of Peru?","output":"It is Lima."}"#;
        let rows = Rows::new(&instructions::parse(set, "x").unwrap(), &facts);
        let candidates: Vec<String> = ["Paris", "Bamako", "Lima"].map(String::from).to_vec();
        assert_eq!(rows.sources("Lima", &facts[0], &candidates), [1]);
        assert!(rows.sources("Lima", &facts[2], &candidates).is_empty());
        assert!(rows.mention(&facts[1]) && !rows.mention(&facts[0]));
        assert_eq!(rows.chance(&facts[0], &candidates), 1.0);
        assert_eq!(rows.chance(&facts[2], &candidates), 0.5);
    }
}
