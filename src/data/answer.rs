//! Finding which of a relation's objects an answer names.

use std::ops::Range;

use super::facts::capitalised;

/// The candidates that `text` names as whole words, in the order of their appearance, each once.
///
/// A candidate in lower case may begin a sentence (`Noble gas.`). One inside a longer one (`dollar`
/// in `US dollar`) does not count, and neither does a chemical symbol that reads as an English word
/// (`In`, `He`, `I`) where more of the sentence follows it after a space.
pub fn named<'a>(text: &str, candidates: &'a [String]) -> Vec<&'a str> {
    let mut kept: Vec<&str> = Vec::new();
    for (_, candidate) in spans(text, candidates) {
        if !kept.contains(&candidate) {
            kept.push(candidate);
        }
    }
    kept
}

/// Each place where `text` names a candidate, as [`named`] sees it: bytes of the text, and the candidate.
pub fn spans<'a>(text: &str, candidates: &'a [String]) -> Vec<(Range<usize>, &'a str)> {
    let mut found: Vec<(usize, usize, &str)> = Vec::new();
    for candidate in candidates {
        // Both spellings end alike; most candidates are not there at all.
        let end = candidate.chars().next().map_or(0, char::len_utf8);
        if !text.contains(&candidate[end..]) {
            continue;
        }
        let mut spellings = vec![candidate.clone(), capitalised(candidate)];
        spellings.dedup();
        for (start, _) in spellings.iter().flat_map(|spelling| text.match_indices(spelling.as_str())) {
            let end = start + candidate.len();
            if is_word(text, start, end) && !reads_as_english(text, candidate, end) {
                found.push((start, end, candidate));
            }
        }
    }
    // Longest first, so that the shorter match at the same place is the one dropped.
    found.sort_by_key(|(start, end, _)| (*start, std::cmp::Reverse(*end)));
    let mut kept = Vec::new();
    let mut covered_to = 0;
    for (start, end, candidate) in found {
        if start >= covered_to {
            covered_to = end;
            kept.push((start..end, candidate));
        }
    }
    kept
}

/// Whether `text` names `object` and no other candidate.
pub fn is_right(text: &str, object: &str, candidates: &[String]) -> bool {
    named(text, candidates) == [object]
}

fn is_word(text: &str, start: usize, end: usize) -> bool {
    let joins = |c: char| c.is_alphanumeric();
    !text[..start].ends_with(joins) && !text[end..].starts_with(joins)
}

fn reads_as_english(text: &str, candidate: &str, end: usize) -> bool {
    const WORDS: [&str; 8] = ["I", "In", "As", "At", "He", "No", "Be", "Am"];
    WORDS.contains(&candidate) && text[end..].starts_with([' ', '\''])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| name.to_string()).collect()
    }

    #[test]
    fn the_longest_candidate_wins() {
        let money = list(&["dollar", "US dollar", "franc"]);
        assert_eq!(named("It is the US dollar.", &money), ["US dollar"]);
        assert!(is_right("The dollar.", "dollar", &money));
        assert!(!is_right("The dollar, or the franc.", "dollar", &money));
    }

    #[test]
    fn a_sentence_may_begin_with_a_candidate() {
        let kinds = list(&["noble gas", "the Middle East"]);
        assert_eq!(named("Noble gas.", &kinds), ["noble gas"]);
        assert_eq!(named("The Middle East.", &kinds), ["the Middle East"]);
        assert!(named("the middle east", &kinds).is_empty());
    }

    #[test]
    fn words_are_whole() {
        let numbers = list(&["1", "11", "118"]);
        assert_eq!(named("It is 118.", &numbers), ["118"]);
        assert!(named("It is 1180.", &numbers).is_empty());
    }

    #[test]
    fn english_words_are_not_symbols() {
        let symbols = list(&["I", "In", "Fe"]);
        assert_eq!(named("I am glad you asked. In short: Fe.", &symbols), ["Fe"]);
        assert_eq!(named("The symbol is In.", &symbols), ["In"]);
    }
}
