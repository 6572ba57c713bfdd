//! Instruction sets as JSONL: `{"instruction", "input", "output"}` or `{"messages": [...]}` a line.

use serde::Deserialize;

use super::batch::Sequence;
use crate::error::{Error, Result};
use crate::model::tokenizer::{Message, Tokenizer};

/// One line of an instruction set: the turns before the answer, and the answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// Ends with a user's turn.
    pub prompt: Vec<Message>,
    pub answer: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Messages {
        messages: Vec<Message>,
    },
    Instruction {
        instruction: String,
        #[serde(default)]
        input: String,
        output: String,
    },
}

impl Example {
    /// The last user's turn.
    pub fn question(&self) -> &str {
        self.prompt.last().map_or("", |m| &m.content)
    }

    /// Everything that is said, for looking up who is mentioned.
    pub fn text(&self) -> String {
        let turns = self.prompt.iter().map(|m| m.content.as_str());
        turns.chain([self.answer.as_str()]).collect::<Vec<_>>().join("\n")
    }

    /// Prompt and response as the chat template renders them, cut to `max_len` tokens.
    pub fn tokenize(&self, tokenizer: &Tokenizer, max_len: usize) -> Result<Sequence> {
        let (prompt, response) = tokenizer.exchange(&self.prompt, &self.answer)?;
        Ok(Sequence::new(&prompt, &response, max_len))
    }

    fn from_line(line: Line) -> Result<Self, String> {
        match line {
            Line::Instruction { instruction, input, output } => {
                Ok(Self { prompt: vec![Message::user(&question(&instruction, &input))], answer: output })
            }
            Line::Messages { mut messages } => match messages.pop() {
                Some(last) if last.role == "assistant" && !messages.is_empty() => {
                    Ok(Self { prompt: messages, answer: last.content })
                }
                _ => Err("the messages do not end with an assistant's answer to something".into()),
            },
        }
    }
}

/// What the user says: the instruction, and its input on a line of its own.
pub fn question(instruction: &str, input: &str) -> String {
    if input.is_empty() { instruction.to_string() } else { format!("{instruction}\n{input}") }
}

/// Reads an instruction set; `file` names it in errors. Empty lines are skipped.
///
/// # Errors
/// [`Error::Format`] with the line's number, from 1; also for a set without any example.
pub fn parse(text: &str, file: &str) -> Result<Vec<Example>> {
    let bad = |field: String, message: String| Error::Format {
        file: file.into(),
        field,
        message,
        remedy: r#"Each line is {"instruction": "…", "input": "", "output": "…"} or {"messages": […]}"#
            .into(),
    };
    let mut examples = Vec::new();
    for (i, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let example = serde_json::from_str(line)
            .map_err(|e| e.to_string())
            .and_then(Example::from_line)
            .map_err(|message| bad(format!("line {}", i + 1), message))?;
        examples.push(example);
    }
    match examples.is_empty() {
        true => Err(bad("line 1".into(), "there is no example".into())),
        false => Ok(examples),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_forms_are_read() {
        let text = r#"{"instruction":"Add","input":"1+1","output":"2"}

{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"}]}"#;
        let examples = parse(text, "x.jsonl").unwrap();
        assert_eq!(examples[0].question(), "Add\n1+1");
        assert_eq!(examples[1].answer, "Hello");
    }

    #[test]
    fn errors_name_the_line() {
        for (text, line) in
            [("{}", "line 1"), ("\n{\"messages\":[]}", "line 2"), ("", "line 1"), ("{", "line 1")]
        {
            let error = parse(text, "x.jsonl").unwrap_err().to_string();
            assert!(error.contains(line) && error.contains("x.jsonl"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn damaged_sets_are_errors(at in 0usize..200, value: char, cut in 0usize..200) {
            let text = r#"{"instruction":"Add","input":"1+1","output":"2"}
    {"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"}]}"#;
            let mut letters: Vec<char> = text.chars().collect();
            let index = at % letters.len();
            letters[index] = value;
            letters.truncate(cut.max(1));
            let _ = parse(&letters.into_iter().collect::<String>(), "x.jsonl"); // never a panic
        }

        #[test]
        fn any_text_is_an_error(text: String) {
            prop_assert!(parse(&text, "x.jsonl").is_err());
        }
    }
}
