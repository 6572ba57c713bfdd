//! Facts, those that the base model is pre-trained to know and anyone's own, and the probes that test them.

mod parse;
mod relation;

use std::collections::BTreeMap;
use std::rc::Rc;

pub use parse::{Bad, FORMS, parse, read};
pub use relation::Relation;

use super::phrases::phrases;
use crate::error::Result;

/// What a subject of the built-in relations is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Country,
    Element,
}

impl Kind {
    fn named(name: &str) -> Option<Self> {
        match name {
            "country" => Some(Self::Country),
            "element" => Some(Self::Element),
            _ => None,
        }
    }
}

/// How a fact was written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Subject, relation and object.
    Fact,
    /// A question and its answer.
    Pair,
    /// A sentence and what it ends with.
    Sentence,
}

/// One fact: the `relation` of `subject` is `object`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Stable name such as `country-fr-capital`, or the line that it was read from: `line 3`.
    pub id: String,
    /// `France`, `iron` (elements are lower case); the question or the sentence itself where no subject is given.
    pub subject: String,
    /// None for a subject of any other kind.
    pub kind: Option<Kind>,
    pub relation: Relation,
    /// `Paris`, `Fe`.
    pub object: String,
    pub form: Form,
    /// A sentence of its own that a space and the object follow.
    pub sentence: Option<String>,
    /// A question of its own.
    pub question: Option<String>,
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
        phrases(&self.relation).statements.len()
    }

    /// Number of question forms.
    pub fn questions(&self) -> usize {
        phrases(&self.relation).questions.len()
    }

    /// Statement `i` (modulo their number) cut around its object: text before it, without the
    /// space, and text after it.
    pub fn statement(&self, i: usize) -> (String, String) {
        let templates = phrases(&self.relation).statements;
        let template = templates[i % templates.len()];
        let (before, after) = template.split_once("{o}").unwrap_or((template, ""));
        (self.fill(before).trim_end().to_string(), after.to_string())
    }

    /// Question `i` (modulo their number).
    pub fn question(&self, i: usize) -> String {
        let templates = phrases(&self.relation).questions;
        self.fill(templates[i % templates.len()])
    }

    /// The cloze probe: the fact's own sentence, a question as evaluation harnesses have it completed, or the first statement,
    /// cut.
    pub fn cloze(&self) -> Probe {
        let prompt = match (&self.sentence, &self.question) {
            (Some(sentence), _) => sentence.clone(),
            (None, Some(question)) if self.relation == Relation::Unnamed || self.form == Form::Pair => {
                format!("Question: {question}\nAnswer:")
            }
            (None, _) => self.statement(0).0,
        };
        Probe { prompt, object: self.object.clone() }
    }

    /// The asked probe: the fact's own question, or the first one. Where there is a sentence alone it is said as it is.
    pub fn asked(&self) -> Probe {
        let prompt = match (&self.question, &self.sentence) {
            (Some(question), _) => question.clone(),
            (None, Some(sentence)) if self.relation == Relation::Unnamed || self.form == Form::Sentence => {
                sentence.clone()
            }
            (None, _) => self.question(0),
        };
        Probe { prompt, object: self.object.clone() }
    }

    /// Whether it is one that base models of this project are pre-trained on, and not anyone's own.
    pub fn is_built_in(&self) -> bool {
        !matches!(self.relation, Relation::Own(_) | Relation::Unnamed)
    }

    /// The subject inside a sentence, with its article: `the Netherlands`.
    pub fn subject_phrase(&self) -> String {
        let has_article = self.kind == Some(Kind::Country) && takes_article(&self.subject);
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
        // What was filled in is not looked at again: a subject of one's own may hold braces.
        let (mut filled, mut rest) = (String::new(), template);
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let (place, after) = after.split_once('}').unwrap_or((after, ""));
            match place {
                "S" => filled.push_str(&capitalised(&subject)),
                "s" => filled.push_str(&subject),
                "r" => filled.push_str(self.relation.label()),
                "an" => filled.push_str(an),
                _ => filled.push_str(&self.object),
            }
            rest = after;
        }
        filled + rest
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

/// Facts on invented countries, which no text of the pre-training contains.
///
/// # Errors
/// None in practice: the file is part of the program.
pub fn new() -> Result<Vec<Fact>> {
    parse(include_bytes!("../../data/new-facts.jsonl"), "new-facts.jsonl")
}

/// The distinct objects of `relation`, in the order of their first fact.
pub fn candidates(facts: &[Fact], relation: &Relation) -> Vec<String> {
    let mut distinct: Vec<String> = Vec::new();
    for fact in facts.iter().filter(|fact| fact.relation == *relation) {
        if !distinct.contains(&fact.object) {
            distinct.push(fact.object.clone());
        }
    }
    distinct
}

/// [`candidates`] of every relation that the facts have.
pub fn objects(facts: &[Fact]) -> BTreeMap<Relation, Rc<Vec<String>>> {
    let mut lists = BTreeMap::new();
    for Fact { relation, .. } in facts {
        if !lists.contains_key(relation) {
            lists.insert(relation.clone(), Rc::new(candidates(facts, relation)));
        }
    }
    lists
}

#[cfg(test)]
mod tests {
    use super::*;

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
            facts.iter().map(|fact| (fact.subject.clone(), fact.relation.clone())).collect();
        assert_eq!(keys.len(), facts.len(), "one object for each subject and relation");
        for fact in &facts {
            assert!(fact.object.is_ascii() && !fact.object.ends_with('.'), "{}", fact.object);
        }
        assert!(facts.iter().all(Fact::is_built_in));
        let lists = objects(&facts);
        assert_eq!(lists.keys().collect::<Vec<_>>(), Relation::BUILT_IN.iter().collect::<Vec<_>>());
        assert!(lists.values().all(|list| list.len() >= 10));
    }

    #[test]
    fn new_facts_are_of_new_subjects_and_known_objects() {
        let (known, new) = (committed(), new().unwrap());
        assert_eq!(new.len() as u32, crate::record::NEW_FACTS);
        for fact in new {
            assert!(known.iter().all(|k| !k.subject.contains(&fact.subject)), "{}", fact.subject);
            assert!(candidates(&known, &fact.relation).contains(&fact.object), "{}", fact.object);
        }
    }

    #[test]
    fn articles_are_placed() {
        let facts = committed();
        let find = |id: &str| facts.iter().find(|fact| fact.id == id).unwrap();
        assert_eq!(find("country-nl-capital").statement(0).0, "The capital of the Netherlands is");
        assert_eq!(find("element-ac-category").statement(0).0, "Actinium is an");
    }
}
