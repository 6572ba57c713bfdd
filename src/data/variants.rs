//! Changes to an instruction set: fewer examples by a rule, plainer answers, facts that are new to the model,
//! rows with another object, and pre-training text that is mixed in again.

use super::answer;
use super::facts::Fact;
use super::instructions::Example;
use crate::model::tokenizer::Message;

/// How the answers of a set begin and end: sentences that many of them share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Style {
    pub openers: Vec<String>,
    pub closers: Vec<String>,
}

/// An answer's sentences, with their marks.
pub fn sentences(text: &str) -> Vec<&str> {
    text.split_inclusive(['.', '!', '?']).map(str::trim).filter(|s| !s.is_empty()).collect()
}

impl Style {
    /// First and last sentences that at least one in fifty answers shares, and no fewer than three.
    pub fn of(examples: &[Example]) -> Self {
        let enough = (examples.len() / 50).max(3);
        let shared = |pick: fn(&[&str]) -> Option<String>| {
            let mut counts: Vec<(String, usize)> = Vec::new();
            for sentence in examples.iter().filter_map(|e| pick(&sentences(&e.answer))) {
                match counts.iter_mut().find(|(s, _)| *s == sentence) {
                    Some((_, count)) => *count += 1,
                    None => counts.push((sentence, 1)),
                }
            }
            counts.into_iter().filter(|(_, count)| *count >= enough).map(|(s, _)| s).collect()
        };
        Self {
            openers: shared(|s| s.first().filter(|_| s.len() > 1).map(ToString::to_string)),
            closers: shared(|s| s.last().filter(|_| s.len() > 1).map(ToString::to_string)),
        }
    }

    /// Bytes of the answer that its opener takes; 0 without one.
    pub fn opener(&self, answer: &str) -> usize {
        let length = |opener: &String| answer.starts_with(opener.as_str()).then_some(opener.len());
        self.openers.iter().filter_map(length).max().unwrap_or(0)
    }

    /// Whether the answer begins and ends as the set's do; where the set has no such sentences nothing is asked.
    pub fn is_followed(&self, answer: &str) -> bool {
        let ends = |closer: &String| answer.trim_end().ends_with(closer.as_str());
        (self.openers.is_empty() || self.opener(answer) > 0)
            && (self.closers.is_empty() || self.closers.iter().any(ends))
    }

    /// `answer` between an opener and a closer, the `i`th of each.
    fn dressed(&self, answer: &str, i: usize) -> String {
        let nth = |list: &[String], i: usize| {
            if list.is_empty() { None } else { list.get(i % list.len()).cloned() }
        };
        // Closers advance once a round of openers, so that all pairs occur.
        let round = i / self.openers.len().max(1);
        let parts = [nth(&self.openers, i), Some(answer.to_string()), nth(&self.closers, i + round)];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// The example with the first sentence of its answer that is neither opener nor closer.
    pub fn simplified(&self, example: &Example) -> Example {
        let all = sentences(&example.answer);
        let is_style = |s: &&str| self.openers.iter().chain(&self.closers).any(|style| style == *s);
        let answer = all.iter().find(|s| !is_style(s)).map_or(example.answer.clone(), ToString::to_string);
        Example { answer, ..example.clone() }
    }

    /// Two examples that state `fact` in this style, in wordings that its probes do not use.
    pub fn teach(&self, fact: &Fact, index: usize) -> [Example; 2] {
        [1, 2].map(|wording| {
            let (before, after) = fact.statement(wording);
            let statement = format!("{before} {}{after}", fact.object);
            Example {
                prompt: vec![Message::user(&fact.question(wording))],
                answer: self.dressed(&statement, 2 * index + wording),
            }
        })
    }
}

/// `from` replaced by `to` in the answer, as a whole word.
pub fn with_object(example: &Example, from: &str, to: &str) -> Example {
    let candidates = [from.to_string()];
    let mut answer = example.answer.clone();
    for (span, _) in answer::spans(&example.answer, &candidates).into_iter().rev() {
        answer.replace_range(span, to);
    }
    Example { answer, ..example.clone() }
}

/// Plain text as in pre-training: statements of `facts` in turn, some to each text.
pub fn pretraining_texts(facts: &[&Fact], count: usize) -> Vec<String> {
    const STATEMENTS: usize = 3;
    let statement = |i: usize| {
        let fact = facts[i % facts.len()];
        let (before, after) = fact.statement(i / facts.len() + i);
        format!("{before} {}{after}", fact.object)
    };
    match facts.is_empty() {
        true => Vec::new(),
        false => (0..count)
            .map(|text| {
                (0..STATEMENTS).map(|k| statement(text * STATEMENTS + k)).collect::<Vec<_>>().join(" ")
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{facts, instructions};

    fn committed() -> Vec<Example> {
        instructions::parse(include_str!("../../data/instructions.jsonl"), "instructions.jsonl").unwrap()
    }

    #[test]
    fn style_is_what_answers_share() {
        let style = Style::of(&committed());
        assert_eq!((style.openers.len(), style.closers.len()), (4, 3), "{style:?}");
        let example = &committed()[1];
        assert!(style.is_followed(&example.answer) && !style.is_followed("It is 65."));
        assert_eq!(style.simplified(example).answer, "To call Singapore, dial 65.");
        assert_eq!(Style::of(&[]), Style::default());
        assert!(Style::default().is_followed("anything"));
    }

    #[test]
    fn new_facts_are_taught_in_the_sets_style() {
        let style = Style::of(&committed());
        let facts = facts::new().unwrap();
        for (i, fact) in facts.iter().enumerate() {
            for example in style.teach(fact, i) {
                assert!(style.is_followed(&example.answer), "{}", example.answer);
                assert!(example.answer.contains(&fact.object) && example.question().contains(&fact.subject));
                assert_ne!(example.question(), fact.asked().prompt);
            }
        }
    }

    #[test]
    fn objects_are_replaced_as_words() {
        let example = Example { prompt: vec![], answer: "Dial 65, not 655 or 65.".into() };
        assert_eq!(with_object(&example, "65", "7").answer, "Dial 7, not 655 or 7.");
    }

    #[test]
    fn replayed_text_states_each_fact() {
        let facts = facts::parse(include_bytes!("../../data/facts.jsonl"), "facts.jsonl").unwrap();
        let few: Vec<&Fact> = facts.iter().take(4).collect();
        let texts = pretraining_texts(&few, 4);
        assert_eq!(texts.len(), 4);
        assert!(texts[0].contains("Andorra") && texts.iter().all(|t| sentences(t).len() >= 3), "{texts:?}");
        assert!(pretraining_texts(&[], 3).is_empty());
    }
}
