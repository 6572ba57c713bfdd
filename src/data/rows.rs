//! Rows of JSON Lines as people's tools write them: a byte order mark, `null` where a column has nothing, a number where
//! text is meant, content in parts.

use serde_json::{Map, Value};

use crate::model::tokenizer::Message;

/// A row, one object of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Row(Map<String, Value>);

/// The rows of `text` with the numbers of their lines, from 1; empty lines are skipped.
pub fn rows(text: &str) -> impl Iterator<Item = (usize, Result<Row, String>)> {
    let lines = text.strip_prefix('\u{feff}').unwrap_or(text).lines().enumerate();
    lines.filter(|(_, line)| !line.trim().is_empty()).map(|(i, line)| (i + 1, Row::parse(line)))
}

impl Row {
    fn parse(line: &str) -> Result<Self, String> {
        match serde_json::from_str(line) {
            Ok(Value::Object(row)) => Ok(Self(row)),
            Ok(other) => Err(format!("it is {}, not an object", kind(&other))),
            Err(error) => Err(format!("it is not JSON: {error}")),
        }
    }

    /// Whether the row has this field; `null` is as absent.
    pub fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| !value.is_null())
    }

    /// The first of these fields that the row has, as text.
    ///
    /// # Errors
    /// Which field is no text, and what it is.
    pub fn text(&self, names: &[&str]) -> Result<Option<String>, String> {
        let Some(name) = names.iter().find(|name| self.has(name)) else { return Ok(None) };
        text(&self.0[*name]).map(Some).map_err(|what| format!("{name} is {what}, not text"))
    }

    /// [`Self::text`] of a field that must be there.
    ///
    /// # Errors
    /// That none of the fields is there, by the name of the first.
    pub fn required(&self, names: &[&str]) -> Result<String, String> {
        self.text(names)?.ok_or_else(|| format!("it has no {}", names[0]))
    }

    /// The turns in `messages`, which has one.
    ///
    /// # Errors
    /// Which message is none, and why.
    pub fn messages(&self) -> Result<Vec<Message>, String> {
        let value = self.0.get("messages").unwrap_or(&Value::Null);
        let Value::Array(list) = value else {
            return Err(format!("messages is {}, not a list", kind(value)));
        };
        let turn = |(i, message)| turn(message).map_err(|why| format!("messages[{i}]{why}"));
        list.iter().enumerate().map(turn).collect()
    }

    /// The row as what serde makes of it.
    ///
    /// # Errors
    /// What serde misses.
    pub fn into<T: serde::de::DeserializeOwned>(self) -> Result<T, String> {
        serde_json::from_value(Value::Object(self.0)).map_err(|error| error.to_string())
    }
}

fn turn(message: &Value) -> Result<Message, String> {
    let Value::Object(fields) = message else { return Err(format!(" is {}, not an object", kind(message))) };
    let role = match fields.get("role") {
        Some(Value::String(role)) => role.clone(),
        Some(other) => return Err(format!(".role is {}, not text", kind(other))),
        None => return Err(" has no role".into()),
    };
    let calls_tools = fields.get("tool_calls").is_some_and(|calls| !calls.is_null());
    let content = match fields.get("content").unwrap_or(&Value::Null) {
        Value::Null if calls_tools => {
            return Err(
                ".content is null beside tool_calls, which are not trained on; leave the row out".into()
            );
        }
        Value::Array(parts) => parts.iter().enumerate().map(part).collect::<Result<String, _>>()?,
        other => text(other).map_err(|what| format!(".content is {what}, not text"))?,
    };
    Ok(Message { role, content })
}

/// A part of a message's content.
fn part((i, part): (usize, &Value)) -> Result<String, String> {
    match (part, part["type"].as_str(), part["text"].as_str()) {
        (Value::String(text), ..) => Ok(text.clone()),
        (_, Some("text") | None, Some(text)) => Ok(text.into()),
        (_, Some(of), _) => Err(format!(".content[{i}] is of type {of}; only text is trained on")),
        (other, ..) => Err(format!(".content[{i}] is {}, not text", kind(other))),
    }
}

/// Text, or a number as it is written.
fn text(value: &Value) -> Result<String, &'static str> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        other => Err(kind(other)),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
