//! The facts that the base model is pre-trained to know, and the probes that test them.

use serde::{Deserialize, Serialize};

use super::phrases::phrases;
use super::rows::{Row, rows};
use crate::error::{Error, Result};

/// What a fact says about its subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    Capital,
    Region,
    Currency,
    Language,
    CallingCode,
    Symbol,
    Number,
    Category,
    Year,
}

impl Relation {
    /// Every relation, in the order in which tables show them.
    pub const ALL: [Relation; 9] = [
        Relation::Capital,
        Relation::Region,
        Relation::Currency,
        Relation::Language,
        Relation::CallingCode,
        Relation::Symbol,
        Relation::Number,
        Relation::Category,
        Relation::Year,
    ];

    /// The relation as a reader names it.
    pub fn label(self) -> &'static str {
        match self {
            Relation::Capital => "capital",
            Relation::Region => "region",
            Relation::Currency => "currency",
            Relation::Language => "language",
            Relation::CallingCode => "calling code",
            Relation::Symbol => "symbol",
            Relation::Number => "atomic number",
            Relation::Category => "category",
            Relation::Year => "year of discovery",
        }
    }
}

/// What a subject is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Country,
    Element,
}

/// One fact: the `relation` of `subject` is `object`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// Stable name such as `country-fr-capital`.
    pub id: String,
    /// `France`, `iron` (elements are lower case).
    pub subject: String,
    pub kind: Kind,
    pub relation: Relation,
    /// `Paris`, `Fe`.
    pub object: String,
}

/// A test of one fact: what to show the model and what it should say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Cloze: a sentence cut before its object, without a trailing space. Asked: a question.
    pub prompt: String,
    /// The object. A cloze is right when the model continues with a space and this.
    pub object: String,
}

impl Fact {
    /// Number of statement paraphrases.
    pub fn statements(&self) -> usize {
        phrases(self.relation).statements.len()
    }

    /// Number of question forms.
    pub fn questions(&self) -> usize {
        phrases(self.relation).questions.len()
    }

    /// Statement `i` (modulo their number) cut around its object: text before it, without the
    /// space, and text after it.
    pub fn statement(&self, i: usize) -> (String, String) {
        let templates = phrases(self.relation).statements;
        let template = templates[i % templates.len()];
        let (before, after) = template.split_once("{o}").unwrap_or((template, ""));
        (self.fill(before).trim_end().to_string(), after.to_string())
    }

    /// Question `i` (modulo their number).
    pub fn question(&self, i: usize) -> String {
        let templates = phrases(self.relation).questions;
        self.fill(templates[i % templates.len()])
    }

    /// The cloze probe: the first statement, cut.
    pub fn cloze(&self) -> Probe {
        Probe { prompt: self.statement(0).0, object: self.object.clone() }
    }

    /// The asked probe: the first question.
    pub fn asked(&self) -> Probe {
        Probe { prompt: self.question(0), object: self.object.clone() }
    }

    /// The subject inside a sentence, with its article: `the Netherlands`.
    pub fn subject_phrase(&self) -> String {
        let has_article = self.kind == Kind::Country && takes_article(&self.subject);
        if has_article { format!("the {}", self.subject) } else { self.subject.clone() }
    }

    /// Replaces the places of a template (see [`super::phrases`]).
    pub(super) fn fill(&self, template: &str) -> String {
        let subject = self.subject_phrase();
        let an = match self.relation {
            Relation::Category if self.object.starts_with(['a', 'e', 'i', 'o', 'u']) => "an ",
            Relation::Category => "a ",
            _ => "",
        };
        template
            .replace("{S}", &capitalised(&subject))
            .replace("{s}", &subject)
            .replace("{an}", an)
            .replace("{o}", &self.object)
    }
}

/// Upper-cases the first letter.
pub(super) fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

fn takes_article(country: &str) -> bool {
    const NAMES: [&str; 13] = [
        "Bahamas",
        "Central African Republic",
        "Comoros",
        "Dominican Republic",
        "Gambia",
        "Maldives",
        "Marshall Islands",
        "Netherlands",
        "Philippines",
        "Seychelles",
        "Solomon Islands",
        "United Arab Emirates",
        "United Kingdom",
    ];
    country == "United States" || NAMES.contains(&country)
}

/// Reads facts, one JSON object a line.
pub fn parse(bytes: &[u8], file: &str) -> Result<Vec<Fact>> {
    let wrong = |field: String, message: String| Error::Format {
        file: file.to_string(),
        field,
        message,
        remedy: "each line is {id, subject, kind, relation, object}".to_string(),
    };
    let text = std::str::from_utf8(bytes).map_err(|error| wrong("the file".into(), error.to_string()))?;
    rows(text)
        .map(|(line, row)| row.and_then(Row::into).map_err(|message| wrong(format!("line {line}"), message)))
        .collect()
}

/// Facts on invented countries, which no text of the pre-training contains.
///
/// # Errors
/// None in practice: the file is part of the program.
pub fn new() -> Result<Vec<Fact>> {
    parse(include_bytes!("../../data/new-facts.jsonl"), "new-facts.jsonl")
}

/// The distinct objects of `relation`, in the order of their first fact.
pub fn candidates(facts: &[Fact], relation: Relation) -> Vec<String> {
    let mut distinct: Vec<String> = Vec::new();
    for fact in facts.iter().filter(|fact| fact.relation == relation) {
        if !distinct.contains(&fact.object) {
            distinct.push(fact.object.clone());
        }
    }
    distinct
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn committed() -> Vec<Fact> {
        parse(include_bytes!("../../data/facts.jsonl"), "facts.jsonl").unwrap()
    }

    #[test]
    fn every_statement_ends_with_its_object() {
        for fact in committed() {
            assert!(fact.statements() >= 5 && fact.questions() >= 3);
            for i in 0..fact.statements() {
                let (prefix, suffix) = fact.statement(i);
                assert_eq!(suffix, ".", "{}", fact.id);
                assert!(!prefix.ends_with(' ') && !prefix.contains('{'), "{prefix}");
            }
        }
    }

    #[test]
    fn facts_are_many_unique_and_ascii() {
        let facts = committed();
        assert!(facts.len() >= 900);
        let keys: std::collections::HashSet<_> =
            facts.iter().map(|fact| (fact.subject.clone(), fact.relation)).collect();
        assert_eq!(keys.len(), facts.len(), "one object for each subject and relation");
        for fact in &facts {
            assert!(fact.object.is_ascii() && !fact.object.ends_with('.'), "{}", fact.object);
        }
        for relation in Relation::ALL {
            assert!(candidates(&facts, relation).len() >= 10);
        }
    }

    #[test]
    fn new_facts_are_of_new_subjects_and_known_objects() {
        let (known, new) = (committed(), new().unwrap());
        assert_eq!(new.len() as u32, crate::record::NEW_FACTS);
        for fact in new {
            assert!(known.iter().all(|k| !k.subject.contains(&fact.subject)), "{}", fact.subject);
            assert!(candidates(&known, fact.relation).contains(&fact.object), "{}", fact.object);
        }
    }

    #[test]
    fn articles_are_placed() {
        let facts = committed();
        let find = |id: &str| facts.iter().find(|fact| fact.id == id).unwrap();
        assert_eq!(find("country-nl-capital").statement(0).0, "The capital of the Netherlands is");
        assert_eq!(find("element-ac-category").statement(0).0, "Actinium is an");
    }

    #[test]
    fn a_bad_line_is_named() {
        let error = parse(b"{}\n", "facts.jsonl").unwrap_err();
        assert!(error.to_string().contains("line 1"), "{error}");
    }

    proptest! {
        #[test]
        fn damaged_facts_are_errors(at in 0usize..2000, value: u8, cut in 0usize..2000) {
            let mut bytes = include_bytes!("../../data/facts.jsonl")[..2000].to_vec();
            bytes[at] = value;
            bytes.truncate(cut);
            // An error or facts that can be asked for, never a panic.
            for fact in parse(&bytes, "facts.jsonl").into_iter().flatten() {
                let _ = (fact.statement(0), fact.asked());
            }
            let _ = parse(&[value; 3], "facts.jsonl");
        }
    }
}
