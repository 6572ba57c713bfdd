//! Instruction sets as JSONL: `{"instruction", "input", "output"}` or `{"messages": [...]}` a line.

use super::batch::Sequence;
use super::rows::{self, Row};
use crate::error::{Error, Result};
use crate::model::tokenizer::{Message, Tokenizer};
use crate::record::RowTokens;

/// One line of an instruction set: the turns before the answer, and the answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// Ends with a user's turn.
    pub prompt: Vec<Message>,
    pub answer: String,
}

/// What fields of a question and an answer are called, by tool.
const QUESTIONS: [&str; 4] = ["instruction", "prompt", "question", "user"];
const ANSWERS: [&str; 5] = ["output", "response", "completion", "answer", "assistant"];

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

    /// A row with an answer, or one without, where `needs_answer` is false: then the answer is empty.
    ///
    /// # Errors
    /// Which field is missing or is not what it should be.
    pub fn of(row: &Row, needs_answer: bool) -> Result<Self, String> {
        if row.has("messages") {
            let mut prompt = row.messages()?;
            let answer = prompt.pop_if(|last| last.role == "assistant").map(|last| last.content);
            return match (answer, prompt.is_empty()) {
                (_, true) | (None, _) if needs_answer => {
                    Err("the messages do not end with an assistant's answer to something".into())
                }
                (_, true) => Err("there is no message to answer".into()),
                (answer, false) => Ok(Self { prompt, answer: answer.unwrap_or_default() }),
            };
        }
        let input = row.text(&["input"])?.unwrap_or_default();
        let prompt = vec![Message::user(&question(&row.required(&QUESTIONS)?, &input))];
        let answer = match needs_answer {
            true => row.required(&ANSWERS)?,
            false => row.text(&ANSWERS)?.unwrap_or_default(),
        };
        Ok(Self { prompt, answer })
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
    for (line, row) in rows::rows(text) {
        let example = row.and_then(|row| Example::of(&row, true));
        examples.push(example.map_err(|message| bad(format!("line {line}"), message))?);
    }
    match examples.is_empty() {
        true => Err(bad("line 1".into(), "there is no example".into())),
        false => Ok(examples),
    }
}

/// How many tokens each row of `text` has. One that can't be used is refused by itself, so that the others are counted.
pub fn count_tokens(text: &str, tokenizer: &Tokenizer) -> Vec<RowTokens> {
    let count = |row: Result<Row, String>| {
        let example = row.and_then(|row| Example::of(&row, true))?;
        let (prompt, response) =
            tokenizer.exchange(&example.prompt, &example.answer).map_err(|e| e.to_string())?;
        Ok(RowTokens { prompt: prompt.len() as u32, response: response.len() as u32, refused: None })
    };
    let refused = |reason: String| RowTokens { prompt: 0, response: 0, refused: Some(reason) };
    rows::rows(text).map(|(_, row)| count(row).unwrap_or_else(refused)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tokenizer::{SpecialIds, TokenizerFiles};
    use proptest::prelude::*;

    #[test]
    fn both_forms_are_read() {
        let text = r#"{"instruction":"Add","input":"1+1","output":"2"}

{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"}]}"#;
        let examples = parse(text, "x.jsonl").unwrap();
        assert_eq!(examples[0].question(), "Add\n1+1");
        assert_eq!(examples[1].answer, "Hello");
    }

    /// As datasets, Excel and tool-calling sets write them.
    #[test]
    fn rows_of_other_tools_are_read() {
        let text = "\u{feff}{\"instruction\":\"Add\",\"input\":null,\"output\":2,\"messages\":null}\r\n\
            {\"prompt\":\"Hi\",\"completion\":\"Hello\"}\r\n\
            {\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"A\"},\"B\"]},\
            {\"role\":\"assistant\",\"content\":\"C\"}]}\r\n\r\n";
        let examples = parse(text, "x.jsonl").unwrap();
        let pairs: Vec<_> = examples.iter().map(|e| (e.question(), e.answer.as_str())).collect();
        assert_eq!(pairs, [("Add", "2"), ("Hi", "Hello"), ("AB", "C")]);
    }

    #[test]
    fn what_is_no_text_is_named() {
        let turn = |content: &str| {
            format!(
                r#"{{"messages":[{{"role":"user","content":{content}}},{{"role":"assistant","content":"a"}}]}}"#
            )
        };
        for (text, why) in [
            (r#"{"instruction":["a"],"output":"b"}"#.to_string(), "instruction is a list"),
            (r#"{"instruction":"a","output":true}"#.to_string(), "output is true or false"),
            (r#"{"instruction":"a"}"#.to_string(), "it has no output"),
            ("[1]".to_string(), "a list, not an object"),
            (turn("null"), "messages[0].content is null"),
            (turn(r#"[{"type":"image_url"}]"#), "messages[0].content[0] is of type image_url"),
            (r#"{"messages":[{"content":"a"}]}"#.to_string(), "messages[0] has no role"),
            (
                r#"{"messages":[{"role":"assistant","content":null,"tool_calls":[{}]}]}"#.to_string(),
                "beside tool_calls",
            ),
        ] {
            let error = parse(&text, "x.jsonl").unwrap_err().to_string();
            assert!(error.contains(why) && error.contains("line 1"), "{error}");
        }
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

    #[test]
    fn counted_tokens_are_those_that_a_run_cuts() {
        let text = include_str!("../../data/instructions.jsonl");
        let (text, examples) = (format!("{text}{{\"a\":1}}\n"), parse(text, "instructions.jsonl").unwrap());
        let files = TokenizerFiles {
            tokenizer: include_bytes!("../../models/atlas/tokenizer.json"),
            config: Some(include_bytes!("../../models/atlas/tokenizer_config.json")),
            ..TokenizerFiles::default()
        };
        let tokenizer = Tokenizer::read(&files, SpecialIds::default()).unwrap();
        let mut counts = count_tokens(&text, &tokenizer);
        let bad = counts.pop().unwrap();
        assert_eq!(bad.refused.as_deref(), Some("it has no instruction"));
        assert_eq!(counts.len(), examples.len());
        for (example, count) in examples.iter().zip(&counts) {
            let whole = (count.prompt + count.response) as usize;
            let uncut = example.tokenize(&tokenizer, usize::MAX).unwrap();
            assert_eq!((uncut.response, uncut.tokens.len()), (count.prompt as usize, whole));
            assert_eq!(example.tokenize(&tokenizer, whole - 1).unwrap().tokens.len(), whole - 1);
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
