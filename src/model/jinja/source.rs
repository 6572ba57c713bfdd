//! A template's source in words that minijinja knows.

use std::fmt::Write;

use regex::{Captures, Regex};

use super::PERCENT;

/// Takes out the marks of `generation`, and writes `'…' % values` as a call of [`PERCENT`].
pub fn prepare(source: &str) -> String {
    let plain = |tag: &str, by: &str, source: &str| match Regex::new(&format!(
        r"\{{%([-+]?)\s*{tag}\s*([-+]?)%\}}"
    )) {
        Ok(tag) => {
            tag.replace_all(source, |c: &Captures| format!("{{%{} {by} {}%}}", &c[1], &c[2])).into_owned()
        }
        Err(_) => source.to_string(),
    };
    // `generation` marks which tokens are the assistant's; it writes nothing.
    let source = plain("endgeneration", "endif", &plain("generation", "if true", source));
    let mut out = String::with_capacity(source.len());
    let mut rest = source.as_str();
    while let Some(at) = rest.find('{') {
        let (text, tag) = rest.split_at(at);
        out.push_str(text);
        let end = match tag.get(..2) {
            Some("{{") => "}}",
            Some("{%") => "%}",
            _ => {
                out.push('{');
                rest = &tag[1..];
                continue;
            }
        };
        let close = end_of_tag(tag, end);
        out.push_str(&with_percent(&tag[..close], 0));
        rest = &tag[close..];
    }
    out + rest
}

/// Where a tag ends, strings in it skipped; the end of the text where it does not.
fn end_of_tag(tag: &str, end: &str) -> usize {
    let mut at = 2;
    while at < tag.len() {
        match tag.as_bytes()[at] {
            b'\'' | b'"' => at = end_of_string(tag, at),
            _ if tag[at..].starts_with(end) => return at + end.len(),
            _ => at += next(tag, at),
        }
    }
    tag.len()
}

/// Bytes of the character at `at`.
pub fn next(text: &str, at: usize) -> usize {
    text[at..].chars().next().map_or(1, char::len_utf8)
}

/// The byte after the string literal that begins at `at`.
fn end_of_string(text: &str, at: usize) -> usize {
    let quote = text.as_bytes()[at];
    let mut end = at + 1;
    while end < text.len() {
        match text.as_bytes()[end] {
            b'\\' => end += 1 + next(text, end + 1),
            byte if byte == quote => return end + 1,
            _ => end += next(text, end),
        }
    }
    text.len()
}

/// How deep formats may lie in each other's operands.
const DEEPEST: usize = 16;

/// Code with each `'…' % operand` as a call of [`PERCENT`].
fn with_percent(code: &str, depth: usize) -> String {
    let mut out = String::with_capacity(code.len());
    let mut at = 0;
    while at < code.len() {
        if !matches!(code.as_bytes()[at], b'\'' | b'"') {
            let end = at + next(code, at);
            out.push_str(&code[at..end]);
            at = end;
            continue;
        }
        let end = end_of_string(code, at);
        let literal = &code[at..end];
        let after = end + (code[end..].len() - code[end..].trim_start().len());
        let is_percent =
            depth < DEEPEST && code[after..].starts_with('%') && !code[after..].starts_with("%}");
        match is_percent {
            false => out.push_str(literal),
            true => {
                let start = after + 1 + (code[after + 1..].len() - code[after + 1..].trim_start().len());
                let stop = end_of_operand(code, start);
                let _ = write!(out, "{PERCENT}({literal}, {})", with_percent(&code[start..stop], depth + 1));
                at = stop;
                continue;
            }
        }
        at = end;
    }
    out
}

/// The end of an operand: a name, a literal or a group, with what follows it by `.`, `[`, `(` or `|`.
fn end_of_operand(code: &str, start: usize) -> usize {
    let mut at = start;
    let mut is_open = true; // whether a name, literal or group may begin here
    while at < code.len() {
        let byte = code.as_bytes()[at];
        match byte {
            b'(' | b'[' => at = end_of_group(code, at),
            b'\'' | b'"' if is_open => at = end_of_string(code, at),
            b'.' => at += 1,
            b'|' => {
                at += 1 + (code[at + 1..].len() - code[at + 1..].trim_start().len());
                is_open = true;
                continue;
            }
            b' ' | b'\n' | b'\t' if code[at..].trim_start().starts_with('|') => {
                at += code[at..].len() - code[at..].trim_start().len();
            }
            _ if byte.is_ascii_alphanumeric() || byte == b'_' => at += 1,
            _ => break,
        }
        is_open = false;
    }
    at
}

fn end_of_group(code: &str, start: usize) -> usize {
    let (mut depth, mut at) = (0, start);
    while at < code.len() {
        match code.as_bytes()[at] {
            b'\'' | b'"' => {
                at = end_of_string(code, at);
                continue;
            }
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += next(code, at);
    }
    code.len()
}
