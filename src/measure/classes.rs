//! What the tokens of an answer are for: its opener, the fact it states, or style, which is the rest.

use std::ops::Range;

use crate::data::answer;
use crate::data::facts::{Fact, candidates};
use crate::data::variants::Style;

/// Class of a response token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenClass {
    /// In a first sentence that the instruction set's answers share.
    Opener,
    /// Part of an object of a fact whose subject the question names.
    Fact,
    Style,
}

/// Classes of an answer's tokens; `ends` are the byte of `text` after each token.
pub fn classes(text: &str, ends: &[usize], question: &str, style: &Style, facts: &[Fact]) -> Vec<TokenClass> {
    let trimmed = text.trim_start();
    let opener = match style.opener(trimmed) {
        0 => 0,
        length => length + text.len() - trimmed.len(),
    };
    let objects = objects(text, question, facts);
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let class = |(start, &end): (usize, &usize)| match () {
        () if end <= opener && end > 0 => TokenClass::Opener,
        () if objects.iter().any(|o| start < o.end && o.start < end) => TokenClass::Fact,
        () => TokenClass::Style,
    };
    starts.zip(ends).map(class).collect()
}

/// Where the answer names an object, right or wrong, of a relation that the question's subject has.
fn objects(text: &str, question: &str, facts: &[Fact]) -> Vec<Range<usize>> {
    let subjects: Vec<String> = facts.iter().map(|f| f.subject.clone()).collect();
    let named = answer::named(question, &subjects);
    let mut relations: Vec<_> =
        facts.iter().filter(|f| named.contains(&f.subject.as_str())).map(|f| &f.relation).collect();
    relations.sort();
    relations.dedup();
    let lists = relations.into_iter().flat_map(|relation| {
        let list = candidates(facts, relation);
        answer::spans(text, &list).into_iter().map(|(span, _)| span).collect::<Vec<_>>()
    });
    lists.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::facts;

    #[test]
    fn opener_object_and_the_rest() {
        let facts = facts::parse(include_bytes!("../../data/facts.jsonl"), "facts.jsonl").unwrap();
        let style = Style { openers: vec!["Great question!".into()], closers: vec![] };
        let text = " Great question! Yemen is in the Middle East. Bye.";
        let ends = [6, 16, 22, 28, 32, 40, 45, 46, 50];
        use TokenClass::{Fact, Opener, Style as Rest};
        let got = classes(text, &ends, "Where is Yemen?", &style, &facts);
        assert_eq!(got, [Opener, Opener, Rest, Rest, Fact, Fact, Fact, Rest, Rest]);
        assert!(classes(text, &ends, "What does far mean?", &style, &facts).iter().all(|c| *c != Fact));
        assert!(classes("", &[], "", &style, &facts).is_empty());
    }
}
