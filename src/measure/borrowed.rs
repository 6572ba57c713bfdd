//! Borrowed answers: wrong ones that the instruction set states for another subject. Ghosh et al.
//! (arXiv 2402.05119) report that full tuning hallucinates "by inaccurately borrowing tokens from
//! conceptually similar instances" of the set.

use std::collections::{BTreeMap, BTreeSet};

use crate::data::answer;
use crate::data::facts::{Fact, Kind, Relation, objects};
use crate::data::instructions::Example;

/// What each row of an instruction set speaks of.
pub struct Rows {
    rows: Vec<Row>,
}

/// A subject, distinguished from one of another kind that has the same name (mercury, the element).
type Subject = (Option<Kind>, String);

struct Row {
    subjects: BTreeSet<Subject>,
    /// The objects that the row's answer names, by relation.
    objects: BTreeMap<Relation, BTreeSet<String>>,
}

fn subject(fact: &Fact) -> Subject {
    (fact.kind, fact.subject.clone())
}

impl Row {
    /// Whether the row does not mention this subject but does mention another of the same kind. For a subject of no
    /// kind only the first is asked.
    fn is_on_others(&self, own: &Subject) -> bool {
        let is_alike = own.0.is_none() || self.subjects.iter().any(|s| s.0 == own.0);
        is_alike && !self.subjects.contains(own)
    }

    /// The objects of a relation that the row's answer names.
    fn objects(&self, relation: &Relation) -> impl Iterator<Item = &String> {
        self.objects.get(relation).into_iter().flatten()
    }
}

impl Rows {
    pub fn new(examples: &[Example], facts: &[Fact]) -> Self {
        let subjects: BTreeSet<Subject> = facts.iter().map(subject).collect();
        // In lower case: a subject may begin a sentence.
        let names: Vec<(String, &Subject)> = subjects.iter().map(|s| (s.1.to_lowercase(), s)).collect();
        let lists = objects(facts);
        let row = |example: &Example| {
            let text = example.text().to_lowercase();
            let mentioned = names.iter().filter(|(name, _)| {
                text.contains(name.as_str()) && !answer::named(&text, std::slice::from_ref(name)).is_empty()
            });
            let objects = lists.iter().map(|(relation, list)| {
                let named = answer::named(&example.answer, list).into_iter().map(String::from);
                (relation.clone(), named.collect())
            });
            Row { subjects: mentioned.map(|(_, s)| (*s).clone()).collect(), objects: objects.collect() }
        };
        Self { rows: examples.iter().map(row).collect() }
    }

    /// Whether any row speaks of this fact's subject; of a fact that is a question, whether any row asks it.
    pub fn mention(&self, fact: &Fact) -> bool {
        let own = subject(fact);
        self.rows.iter().any(|row| row.subjects.contains(&own))
    }

    /// The rows (from 0) whose answer names `object` where they do not speak of this fact's subject, and where that is of a
    /// kind, speak of another of the same kind.
    pub fn sources(&self, object: &str, fact: &Fact) -> Vec<u32> {
        let own = subject(fact);
        let states = |row: &Row| row.objects(&fact.relation).any(|o| o == object) && row.is_on_others(&own);
        (0u32..).zip(&self.rows).filter(|(_, row)| states(row)).map(|(i, _)| i).collect()
    }

    /// The share of wrong candidates that would count as borrowed: the chance that a candidate drawn at
    /// random, other than the object, is one that the set states for another subject.
    pub fn chance(&self, fact: &Fact, candidates: &[String]) -> f32 {
        let own = subject(fact);
        let on_others = self.rows.iter().filter(|row| row.is_on_others(&own));
        let stated: BTreeSet<&String> = on_others.flat_map(|row| row.objects(&fact.relation)).collect();
        let wrong = || candidates.iter().filter(|c| **c != fact.object);
        wrong().filter(|c| stated.contains(c)).count() as f32 / wrong().count().max(1) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{facts, instructions};

    fn fact(subject: &str, object: &str) -> Fact {
        let row = serde_json::json!({ "subject": subject, "kind": "country", "relation": "capital", "object": object });
        facts::read(&row.to_string()).unwrap().remove(0)
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

    /// A visitor's subjects have no known kind: any row that names the object but not the subject is a source.
    #[test]
    fn own_facts_are_borrowed_from_rows_without_their_subject() {
        let own = r#"{"subject":"Moby Dick","relation":"author","object":"Melville"}
{"subject":"Emma","relation":"author","object":"Austen"}
{"question":"Who wrote Emma?","answer":"Austen","relation":"author"}
{"question":"Who wrote Ulysses?","answer":"Joyce","relation":"author"}"#;
        let facts = facts::read(own).unwrap();
        let set = r#"{"instruction":"who wrote Emma?","output":"Jane Austen did."}
{"instruction":"Name a writer","output":"Melville, for one."}"#;
        let rows = Rows::new(&instructions::parse(set, "x").unwrap(), &facts);
        let seen: Vec<bool> = facts.iter().map(|fact| rows.mention(fact)).collect();
        assert_eq!(seen, [false, true, true, false], "Emma is mentioned, and the question about it asked");
        assert_eq!(rows.sources("Austen", &facts[0]), [0]);
        assert_eq!(rows.sources("Melville", &facts[1]), [1], "no subject is needed");
        assert!(rows.sources("Austen", &facts[2]).is_empty());
        let candidates: Vec<String> = ["Melville", "Austen", "Joyce"].map(String::from).to_vec();
        assert_eq!((rows.chance(&facts[3], &candidates), rows.chance(&facts[0], &candidates)), (1.0, 0.5));
    }
}
