//! What the engine says in a sentence that the page may have in the visitor's language.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// A sentence in English, and the name and the values by which the page's catalogue has it in other languages.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Said {
    pub name: String,
    pub values: BTreeMap<String, SaidValue>,
    pub english: String,
}

/// What fills a placeholder.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum SaidValue {
    Text(String),
    Number(f64),
}

impl Said {
    /// `english` with its `{placeholders}` filled by `values`.
    pub fn new(name: &str, english: &str, values: &[(&str, SaidValue)]) -> Self {
        let filled = values.iter().fold(english.to_string(), |text, (key, value)| {
            text.replace(&format!("{{{key}}}"), &value.to_string())
        });
        let values = values.iter().map(|(key, value)| ((*key).into(), value.clone())).collect();
        Self { name: name.into(), values, english: filled }
    }
}

impl fmt::Display for SaidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

impl<T: ToString> From<&T> for SaidValue {
    fn from(value: &T) -> Self {
        Self::Text(value.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_in_english_and_kept_as_values() {
        let name = "a {b}".to_string();
        let said =
            Said::new("trial", "{name} did {n}.", &[("name", (&name).into()), ("n", SaidValue::Number(9.5))]);
        assert_eq!(said.english, "a {b} did 9.5.");
        assert_eq!(
            serde_json::to_value(&said.values).unwrap(),
            serde_json::json!({ "name": "a {b}", "n": 9.5 })
        );
    }
}
