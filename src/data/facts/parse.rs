//! Facts as people write them down: subject, relation and object; a question and its answer; a sentence and what ends it.

use std::collections::HashMap;

use super::{Fact, Form, Kind, Relation};
use crate::data::rows::{Row, rows};
use crate::error::{Error, Result};

/// The forms of a line, for errors and help.
pub const FORMS: &str =
    r#"{"subject", "relation", "object"}, {"question", "answer"} or {"prompt", "answer"}"#;

/// What fields are called, the usual name first.
const OBJECTS: [&str; 2] = ["object", "answer"];
const ANSWERS: [&str; 2] = ["answer", "object"];
const SENTENCES: [&str; 3] = ["sentence", "cloze", "prompt"];

/// Letters of an object. What takes longer to say is not recalled word by word.
const LONGEST_OBJECT: usize = 200;

/// A line that is no fact, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// From 1.
    pub line: usize,
    /// A clause such as "it has no object".
    pub why: String,
}

/// Reads facts, one JSON object a line; `file` names them in errors.
///
/// # Errors
/// [`Error::Format`] with the first line that is none, and also where there is no line at all.
pub fn parse(bytes: &[u8], file: &str) -> Result<Vec<Fact>> {
    let wrong = |field: String, message: String| Error::Format {
        file: file.to_string(),
        field,
        message,
        remedy: format!("Each line is {FORMS}"),
    };
    let text = std::str::from_utf8(bytes).map_err(|error| wrong("the file".into(), error.to_string()))?;
    let facts = read(text).map_err(|Bad { line, why }| wrong(format!("line {line}"), why))?;
    if facts.is_empty() { Err(wrong("line 1".into(), "there is no fact".into())) } else { Ok(facts) }
}

/// The facts of a text. Two that give a subject different objects of one relation cannot both be right.
///
/// # Errors
/// The first line that is no fact, or that contradicts one before it.
pub fn read(text: &str) -> std::result::Result<Vec<Fact>, Bad> {
    let mut facts: Vec<Fact> = Vec::new();
    let mut known: HashMap<(String, Relation), (usize, String)> = HashMap::new();
    for (line, row) in rows(text) {
        let bad = |why| Bad { line, why };
        let fact = row.and_then(|row| fact(&row, line)).map_err(bad)?;
        let key = (fact.subject.clone(), fact.relation.clone());
        let (first, object) = known.entry(key).or_insert_with(|| (line, fact.object.clone()));
        if *object != fact.object {
            let (subject, relation) = (&fact.subject, fact.relation.label());
            return Err(bad(format!(
                "line {first} gives {subject:?} another {relation}, {object:?}; keep one of them"
            )));
        }
        facts.push(fact);
    }
    Ok(facts)
}

fn fact(row: &Row, line: usize) -> std::result::Result<Fact, String> {
    let filled = |names: &[&str]| match row.text(names)? {
        Some(text) if text.trim().is_empty() => Err(format!("its {} is empty", names[0])),
        text => Ok(text),
    };
    let (subject, question) = (filled(&["subject"])?, filled(&["question"])?);
    let (sentence, relation) = (filled(&SENTENCES)?, filled(&["relation"])?);
    let form = match () {
        () if subject.is_some() => Form::Fact,
        () if question.is_some() => Form::Pair,
        () if sentence.is_some() => Form::Sentence,
        () => return Err("it has no subject, no question and no prompt".into()),
    };
    let objects = if form == Form::Fact { OBJECTS } else { ANSWERS };
    let object = filled(&objects)?.ok_or_else(|| format!("it has no {}", objects[0]))?;
    if object.chars().count() > LONGEST_OBJECT {
        return Err(format!(
            "its {} has more than {LONGEST_OBJECT} letters; use a word or a few",
            objects[0]
        ));
    }
    if form == Form::Fact && relation.is_none() && sentence.is_none() && question.is_none() {
        return Err("it has a subject and no relation".into());
    }
    let kind = row.text(&["kind"])?.and_then(|kind| Kind::named(&kind));
    let built_in = relation.as_deref().filter(|_| kind.is_some()).and_then(Relation::built_in);
    let sentence = sentence.map(|sentence| cut(&sentence)).transpose()?;
    // A question without a subject is about what it asks for.
    let subject = subject.or_else(|| question.clone()).or_else(|| sentence.clone()).unwrap_or_default();
    Ok(Fact {
        id: row.text(&["id"])?.unwrap_or_else(|| format!("line {line}")),
        subject,
        kind,
        relation: built_in.or_else(|| relation.map(Relation::Own)).unwrap_or(Relation::Unnamed),
        object,
        form,
        sentence,
        question,
    })
}

/// A sentence up to where its object stands.
fn cut(sentence: &str) -> std::result::Result<String, String> {
    let Some((before, after)) = sentence.split_once("{o}") else { return Ok(sentence.to_string()) };
    if after.chars().any(char::is_alphanumeric) {
        return Err(format!("its sentence goes on after {{o}} with {:?}; let it end there", after.trim()));
    }
    match before.trim() {
        "" => Err("its sentence has no word before {o}".into()),
        _ => Ok(before.trim_end().to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(line: &str) -> Fact {
        parse(line.as_bytes(), "x.jsonl").unwrap().remove(0)
    }

    fn refusal(text: &str) -> String {
        parse(text.as_bytes(), "own.jsonl").unwrap_err().to_string()
    }

    #[test]
    fn a_fact_of_any_relation_is_worded() {
        let fact = one(r#"{"subject":"Moby Dick","relation":"author","object":"Melville"}"#);
        assert_eq!(fact.relation, Relation::Own("author".into()));
        assert_eq!(fact.cloze().prompt, "The author of Moby Dick is");
        assert_eq!(fact.asked().prompt, "What is the author of Moby Dick?");
        assert_eq!((fact.id.as_str(), fact.form), ("line 1", Form::Fact));
        // A year of one's own is no year of discovery: built-in wordings are for the built-in kinds.
        let year = one(r#"{"subject":"Moby Dick","relation":"year","answer":1851}"#);
        assert_eq!((year.relation.label(), year.object.as_str()), ("year", "1851"));
        let river = one(r#"{"subject":"Netherlands","kind":"country","relation":"river","object":"Rhine"}"#);
        assert_eq!(river.cloze().prompt, "The river of the Netherlands is");
        let odd = one(r#"{"subject":"{o}{s}","relation":"{S}","object":"a"}"#);
        assert_eq!(odd.cloze().prompt, "The {S} of {o}{s} is");
    }

    #[test]
    fn wordings_of_ones_own_are_used() {
        for sentence in
            ["Moby Dick was written by", "Moby Dick was written by {o}.", "Moby Dick was written by  {o}"]
        {
            let line = format!(
                r#"{{"subject":"Moby Dick","relation":"author","object":"Melville","sentence":"{sentence}","question":"Who?"}}"#
            );
            let fact = one(&line);
            assert_eq!(fact.cloze().prompt, "Moby Dick was written by");
            assert_eq!(fact.asked().prompt, "Who?");
        }
        let unnamed = one(r#"{"subject":"Moby Dick","cloze":"Moby Dick is by","answer":"Melville"}"#);
        assert_eq!(
            (unnamed.relation.label(), unnamed.asked().prompt.as_str()),
            ("answer", "Moby Dick is by")
        );
    }

    #[test]
    fn pairs_and_sentences_are_facts_about_themselves() {
        let pair = one(r#"{"question":"Who wrote Moby Dick?","answer":"Melville"}"#);
        assert_eq!((pair.form, &pair.relation), (Form::Pair, &Relation::Unnamed));
        assert_eq!(pair.subject, "Who wrote Moby Dick?");
        assert_eq!(pair.cloze().prompt, "Question: Who wrote Moby Dick?\nAnswer:");
        assert_eq!(pair.asked().prompt, "Who wrote Moby Dick?");
        let sentence = one(r#"{"prompt":"Moby Dick is by","answer":"Melville","relation":"author"}"#);
        assert_eq!((sentence.form, sentence.relation.label()), (Form::Sentence, "author"));
        assert_eq!(
            (sentence.cloze().prompt, sentence.asked().prompt),
            (sentence.subject.clone(), sentence.subject)
        );
    }

    #[test]
    fn what_is_no_fact_is_named_by_line() {
        let good = r#"{"subject":"a","relation":"r","object":"b"}"#;
        for (line, why) in [
            ("{}", "no subject, no question and no prompt"),
            (r#"{"subject":"a","object":"b"}"#, "a subject and no relation"),
            (r#"{"subject":"a","relation":"r"}"#, "it has no object"),
            (r#"{"question":"a"}"#, "it has no answer"),
            (r#"{"question":"a","answer":" "}"#, "its answer is empty"),
            (r#"{"subject":" ","relation":"r","object":"b"}"#, "its subject is empty"),
            (r#"{"subject":["a"],"relation":"r","object":"b"}"#, "subject is a list"),
            (
                r#"{"subject":"a","object":"b","sentence":"In {o} lies a"}"#,
                "goes on after {o} with \"lies a\"",
            ),
            (r#"{"subject":"a","object":"b","sentence":"{o}."}"#, "no word before {o}"),
            (r#"{"subject":"a","relation":"r","object":"c"}"#, "line 1 gives \"a\" another r, \"b\""),
            (
                &format!(r#"{{"question":"q","answer":"{}"}}"#, "a".repeat(201)),
                "its answer has more than 200 letters",
            ),
            ("[]", "a list, not an object"),
        ] {
            let error = refusal(&format!("{good}\n\n{line}"));
            assert!(error.starts_with("own.jsonl: line 3: ") && error.contains(why), "{error}");
            assert!(error.contains(r#"{"question", "answer"}"#), "{error}");
        }
        assert!(refusal("\n").contains("there is no fact"));
        assert_eq!(read(&format!("{good}\n{good}")).unwrap().len(), 2);
    }

    proptest! {
        #[test]
        fn damaged_facts_are_errors(at in 0usize..2000, value: u8, cut in 0usize..2000) {
            let mut bytes = include_bytes!("../../../data/facts.jsonl")[..2000].to_vec();
            bytes[at] = value;
            bytes.truncate(cut);
            // An error or facts that can be asked for, never a panic.
            for fact in parse(&bytes, "facts.jsonl").into_iter().flatten() {
                let _ = (fact.statement(0), fact.asked());
            }
            let _ = parse(&[value; 3], "facts.jsonl");
        }

        #[test]
        fn any_words_are_asked_for(subject: String, relation: String, object: String, sentence: String) {
            let row = serde_json::json!({ "subject": subject, "relation": relation, "object": object, "sentence": sentence });
            for fact in read(&row.to_string()).into_iter().flatten() {
                let _ = (fact.statement(3), fact.question(2), fact.cloze(), fact.asked());
            }
        }
    }
}
