//! Borrowed answers: wrong ones that the instruction set states for another subject. Ghosh et al.
//! (arXiv 2402.05119) report that full tuning hallucinates "by inaccurately borrowing tokens from
//! conceptually similar instances" of the set.

use std::collections::{BTreeMap, BTreeSet};

use crate::data::answer;
use crate::data::facts::{Fact, Kind, Relation, candidates};
use crate::data::instructions::Example;

/// What each row of an instruction set speaks of.
pub struct Rows {
    rows: Vec<Row>,
}

/// A subject, distinguished from one of the other kind that has the same name (mercury, the element).
type Subject = (bool, String);

struct Row {
    subjects: BTreeSet<Subject>,
    /// The objects that the row's answer names, by relation.
    objects: BTreeMap<Relation, BTreeSet<String>>,
}

fn subject(fact: &Fact) -> Subject {
    (fact.kind == Kind::Element, fact.subject.clone())
}

impl Row {
    /// Whether the row speaks of another subject of the same kind, and says nothing of this one.
    fn is_on_others(&self, own: &Subject) -> bool {
        self.subjects.iter().any(|s| s.0 == own.0) && !self.subjects.contains(own)
    }

    /// The objects of a relation that the row's answer names.
    fn objects(&self, relation: Relation) -> impl Iterator<Item = &String> {
        self.objects.get(&relation).into_iter().flatten()
    }
}

impl Rows {
    pub fn new(examples: &[Example], facts: &[Fact]) -> Self {
        let subjects: BTreeSet<Subject> = facts.iter().map(subject).collect();
        // In lower case: a subject may begin a sentence.
        let names: Vec<(String, &Subject)> = subjects.iter().map(|s| (s.1.to_lowercase(), s)).collect();
        let lists = Relation::ALL.map(|relation| (relation, candidates(facts, relation)));
        let row = |example: &Example| {
            let text = example.text().to_lowercase();
            let mentioned = names.iter().filter(|(name, _)| {
                text.contains(name.as_str()) && !answer::named(&text, std::slice::from_ref(name)).is_empty()
            });
            let objects = lists.iter().map(|(relation, list)| {
                let named = answer::named(&example.answer, list).into_iter().map(String::from);
                (*relation, named.collect())
            });
            Row { subjects: mentioned.map(|(_, s)| (*s).clone()).collect(), objects: objects.collect() }
        };
        Self { rows: examples.iter().map(row).collect() }
    }

    /// Whether any row speaks of this fact's subject.
    pub fn mention(&self, fact: &Fact) -> bool {
        let own = subject(fact);
        self.rows.iter().any(|row| row.subjects.contains(&own))
    }

    /// The rows (from 0) whose answer names `object` where they speak of another subject of the same kind.
    pub fn sources(&self, object: &str, fact: &Fact) -> Vec<u32> {
        let own = subject(fact);
        let states = |row: &Row| row.objects(fact.relation).any(|o| o == object) && row.is_on_others(&own);
        (0u32..).zip(&self.rows).filter(|(_, row)| states(row)).map(|(i, _)| i).collect()
    }

    /// The share of wrong candidates that would count as borrowed: the chance that a candidate drawn at
    /// random, other than the object, is one that the set states for another subject.
    pub fn chance(&self, fact: &Fact, candidates: &[String]) -> f32 {
        let own = subject(fact);
        let on_others = self.rows.iter().filter(|row| row.is_on_others(&own));
        let stated: BTreeSet<&String> = on_others.flat_map(|row| row.objects(fact.relation)).collect();
        let wrong = || candidates.iter().filter(|c| **c != fact.object);
        wrong().filter(|c| stated.contains(c)).count() as f32 / wrong().count().max(1) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        assert_eq!(rows.sources("Lima", &facts[0]), [1]);
        assert!(rows.sources("Lima", &facts[2]).is_empty());
        assert!(rows.mention(&facts[1]) && !rows.mention(&facts[0]));
        assert_eq!(rows.chance(&facts[0], &candidates), 1.0);
        assert_eq!(rows.chance(&facts[2], &candidates), 0.5);
    }
}
