//! The pre-training text: fact paragraphs, question lists, dialogues and WordNet English.
//!
//! Documents are drawn one by one from a seeded generator. Facts appear in many wordings, in random
//! order and also as questions: facts that a model meets in one wording only are memorised but
//! cannot be recalled when asked about (Allen-Zhu & Li, arXiv 2309.14316).

use std::collections::BTreeMap;

use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::facts::{Fact, capitalised};
use super::phrases::{BRIEF_ANSWERS, CLOSERS, OPENERS, SMALL_TALK, phrases};
use crate::error::{Error, Result};

/// A word, its definition and sentences that use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gloss {
    pub word: String,
    /// `noun`, `verb`, `adj` or `adv`.
    pub part: String,
    pub definition: String,
    pub examples: Vec<String>,
}

/// Reads glosses: one a line, tab-separated word, part of speech, definition and examples.
pub fn parse_glosses(text: &str, file: &str) -> Result<Vec<Gloss>> {
    text.lines()
        .enumerate()
        .map(|(index, line)| {
            let mut fields = line.split('\t').map(str::to_string);
            match (fields.next(), fields.next(), fields.next()) {
                (Some(word), Some(part), Some(definition)) => {
                    Ok(Gloss { word, part, definition, examples: fields.collect() })
                }
                _ => Err(Error::Format {
                    file: file.to_string(),
                    field: format!("line {}", index + 1),
                    message: "fewer than three fields".to_string(),
                    remedy: "write word, part of speech and definition between tabs".to_string(),
                }),
            }
        })
        .collect()
}

/// Shares of documents (not of tokens: paragraphs are about twice as long as dialogues).
const PARAGRAPH_SHARE: f64 = 0.24;
const QUESTION_LIST_SHARE: f64 = 0.07;
const DIALOGUE_SHARE: f64 = 0.36;
/// Share of dialogues that are about a word, and share that are small talk.
const WORD_DIALOGUE_SHARE: f64 = 0.2;
const SMALL_TALK_SHARE: f64 = 0.03;
/// How often an answer adds another fact about its subject.
const LONGER_SHARE: f64 = 0.15;
/// How often a dialogue's answer has an opener, and how often a closer.
const CHATTY_SHARE: f64 = 0.08;

/// Draws documents.
pub struct Corpus<'a> {
    facts: &'a [Fact],
    /// The facts of each subject.
    subjects: Vec<Vec<&'a Fact>>,
    glosses: &'a [Gloss],
}

impl<'a> Corpus<'a> {
    /// A corpus over `facts` and `glosses`, most frequent word first; neither may be empty.
    pub fn new(facts: &'a [Fact], glosses: &'a [Gloss]) -> Result<Self> {
        if facts.is_empty() || glosses.is_empty() {
            return Err(Error::Format {
                file: "corpus".to_string(),
                field: "facts, glosses".to_string(),
                message: "one of them is empty".to_string(),
                remedy: "run scripts/make-data.py".to_string(),
            });
        }
        let mut by_subject: BTreeMap<&str, Vec<&Fact>> = BTreeMap::new();
        for fact in facts {
            by_subject.entry(&fact.subject).or_default().push(fact);
        }
        Ok(Corpus { facts, subjects: by_subject.into_values().collect(), glosses })
    }

    /// The generator of part `part` of the text made from `seed`.
    pub fn generator(seed: u64, part: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(part);
        rng
    }

    /// One document, without the end token.
    pub fn document(&self, rng: &mut ChaCha8Rng) -> String {
        let draw: f64 = rng.random();
        if draw < PARAGRAPH_SHARE {
            self.paragraph(rng)
        } else if draw < PARAGRAPH_SHARE + QUESTION_LIST_SHARE {
            self.question_list(rng)
        } else if draw < PARAGRAPH_SHARE + QUESTION_LIST_SHARE + DIALOGUE_SHARE {
            self.dialogue(rng)
        } else {
            self.english(rng)
        }
    }

    /// Several facts about one subject, in random order.
    fn paragraph(&self, rng: &mut ChaCha8Rng) -> String {
        let mut facts = pick(&self.subjects, rng).clone();
        facts.shuffle(rng);
        facts.truncate(rng.random_range(1..=5));
        let mut sentences = Vec::with_capacity(facts.len());
        for (index, fact) in facts.iter().enumerate() {
            let wordings = phrases(&fact.relation);
            let draw: f64 = rng.random();
            let template = if draw < 0.06 && !wordings.reversed.is_empty() {
                phrase(wordings.reversed, rng)
            } else if draw < 0.25 && index > 0 {
                phrase(wordings.followups, rng)
            } else {
                phrase(wordings.statements, rng)
            };
            sentences.push(fact.fill(template));
        }
        sentences.join(" ")
    }

    /// `Q: ...` and `A: ...` about unrelated facts.
    fn question_list(&self, rng: &mut ChaCha8Rng) -> String {
        let count = rng.random_range(1..=4);
        let pairs = (0..count).map(|_| {
            let fact = pick(self.facts, rng);
            let question = fact.fill(phrase(phrases(&fact.relation).questions, rng));
            format!("Q: {question}\nA: {}", fact.object)
        });
        pairs.collect::<Vec<_>>().join("\n")
    }

    /// A question in the form of the chat template, and its answer.
    fn dialogue(&self, rng: &mut ChaCha8Rng) -> String {
        let draw: f64 = rng.random();
        let (question, answer) = if draw < SMALL_TALK_SHARE {
            let (question, answer) = pick(SMALL_TALK, rng);
            (question.to_string(), answer.to_string())
        } else if draw < SMALL_TALK_SHARE + WORD_DIALOGUE_SHARE {
            let (question, answer) = self.word_exchange(rng);
            (question, chatty(&answer, rng))
        } else {
            let own = pick(&self.subjects, rng);
            let fact = pick(own, rng);
            let question = fact.fill(phrase(phrases(&fact.relation).questions, rng));
            let mut answer = answer_to(fact, rng);
            let other = pick(own, rng);
            if other.relation != fact.relation && rng.random_bool(LONGER_SHARE) {
                let addition = other.fill(phrase(phrases(&other.relation).followups, rng));
                answer = format!("{answer} {addition}");
            }
            (question, chatty(&answer, rng))
        };
        format!("User: {question}\nAssistant: {answer}")
    }

    /// A question about a word and its answer.
    fn word_exchange(&self, rng: &mut ChaCha8Rng) -> (String, String) {
        let gloss = self.gloss(rng);
        let word = &gloss.word;
        if !gloss.examples.is_empty() && rng.random_bool(0.25) {
            let question = match rng.random_range(0..2) {
                0 => format!("Use the word {word} in a sentence."),
                _ => format!("Give me an example of {word}."),
            };
            return (question, sentence(pick::<String>(&gloss.examples, rng)));
        }
        let question = match rng.random_range(0..4) {
            0 => format!("What does {word} mean?"),
            1 => format!("What is the meaning of {word}?"),
            2 => format!("Define {word}."),
            _ => format!("Explain the word {word}."),
        };
        (question, define(gloss, rng))
    }

    /// Definitions and example sentences as running text.
    fn english(&self, rng: &mut ChaCha8Rng) -> String {
        let mut parts = Vec::new();
        if rng.random_bool(0.5) {
            for _ in 0..rng.random_range(1..=2) {
                let gloss = self.gloss(rng);
                parts.push(define(gloss, rng));
                parts.extend(gloss.examples.iter().map(|example| sentence(example)));
            }
        } else {
            for _ in 0..rng.random_range(2..=6) {
                parts.extend(self.gloss(rng).examples.choose(rng).map(|example| sentence(example)));
            }
            if parts.is_empty() {
                parts.push(define(self.gloss(rng), rng));
            }
        }
        parts.join(" ")
    }

    /// A gloss, the frequent words more often.
    fn gloss(&self, rng: &mut ChaCha8Rng) -> &'a Gloss {
        let draw: f64 = rng.random();
        let index = (self.glosses.len() as f64 * draw * draw) as usize;
        &self.glosses[index.min(self.glosses.len() - 1)]
    }
}

/// The answer to a question about `fact`: the object alone, a short sentence or a statement.
fn answer_to(fact: &Fact, rng: &mut ChaCha8Rng) -> String {
    let draw: f64 = rng.random();
    if draw < 0.25 {
        return sentence(&fact.object);
    }
    let wordings = phrases(&fact.relation);
    let template = if draw < 0.35 {
        phrase(BRIEF_ANSWERS, rng)
    } else if draw < 0.42 {
        phrase(wordings.followups, rng)
    } else if draw < 0.46 && !wordings.reversed.is_empty() {
        phrase(wordings.reversed, rng)
    } else {
        phrase(wordings.statements, rng)
    };
    capitalised(&fact.fill(template))
}

/// Sometimes puts an opener before the answer, sometimes a closer after it.
fn chatty(answer: &str, rng: &mut ChaCha8Rng) -> String {
    let mut text = answer.to_string();
    if rng.random_bool(CHATTY_SHARE) {
        text = format!("{} {text}", phrase(OPENERS, rng));
    }
    if rng.random_bool(CHATTY_SHARE) {
        text = format!("{text} {}", phrase(CLOSERS, rng));
    }
    text
}

/// A definition as a sentence.
fn define(gloss: &Gloss, rng: &mut ChaCha8Rng) -> String {
    let Gloss { word, part, definition, .. } = gloss;
    let is_phrase = ["a ", "an ", "the "].iter().any(|article| definition.starts_with(article));
    match (part.as_str(), rng.random_range(0..4)) {
        (_, 0) => format!("{}: {definition}.", capitalised(word)),
        ("verb", 1 | 2) => format!("To {word} is to {definition}."),
        ("noun", 1 | 2) if is_phrase => {
            let article = if word.starts_with(['a', 'e', 'i', 'o', 'u']) { "An" } else { "A" };
            format!("{article} {word} is {definition}.")
        }
        (_, 1) => format!("{} means {definition}.", capitalised(word)),
        ("verb", _) => format!("The verb {word} means to {definition}."),
        _ => format!("The word {word} means {definition}."),
    }
}

/// Capital letter first, full stop last.
fn sentence(text: &str) -> String {
    let ended = text.ends_with(['.', '!', '?']);
    format!("{}{}", capitalised(text), if ended { "" } else { "." })
}

/// One of `templates`, which must not be empty.
fn phrase(templates: &[&'static str], rng: &mut ChaCha8Rng) -> &'static str {
    templates[rng.random_range(0..templates.len())]
}

/// One of `choices`, which must not be empty.
fn pick<'t, T>(choices: &'t [T], rng: &mut ChaCha8Rng) -> &'t T {
    &choices[rng.random_range(0..choices.len())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::facts;

    fn with_corpus(test: impl Fn(&Corpus)) {
        let facts = facts::parse(include_bytes!("../../data/facts.jsonl"), "facts.jsonl").unwrap();
        let text = include_str!("../../data/glosses.txt");
        let glosses = parse_glosses(text, "glosses.txt").unwrap();
        test(&Corpus::new(&facts, &glosses).unwrap());
    }

    #[test]
    fn the_same_seed_gives_the_same_text() {
        with_corpus(|corpus| {
            let text = |part| {
                let mut rng = Corpus::generator(7, part);
                (0..50).map(|_| corpus.document(&mut rng)).collect::<Vec<_>>()
            };
            assert_eq!(text(3), text(3));
            assert_ne!(text(3), text(4));
        });
    }

    #[test]
    fn documents_are_finished_sentences() {
        with_corpus(|corpus| {
            let mut rng = Corpus::generator(1, 0);
            for _ in 0..5000 {
                let document = corpus.document(&mut rng);
                assert!(document.is_ascii() && !document.contains(['{', '}', '\t']), "{document}");
                assert!(document.len() > 5 && !document.ends_with(' '), "{document:?}");
            }
        });
    }

    #[test]
    fn a_line_without_definition_is_named() {
        let error = parse_glosses("run\tverb\n", "glosses.txt").unwrap_err();
        assert!(error.to_string().contains("line 1"), "{error}");
    }
}
