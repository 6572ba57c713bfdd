//! An arm in a line: `lora r=4 lr=3e-4 targets=q_proj,v_proj label="LoRA, attention"`. The command line and the
//! page's links write arms so; what is left out has the default.

use serde_json::Value;

use super::arm::{ArmSpec, MOST_ARMS, is_id};
use super::field::{ARM_FIELDS, Field, Kind};
use super::settings::setting;
use crate::error::Result;

impl ArmSpec {
    /// Reads arms, one a text, and gives each an id and a label of its own where it has none.
    ///
    /// # Errors
    /// [`crate::error::Error::Setting`] naming the part that can't be read, or when there are more than
    /// [`MOST_ARMS`].
    pub fn parse_all(texts: &[String]) -> Result<Vec<Self>> {
        if texts.len() > MOST_ARMS {
            let message = format!("a run has 1 to {MOST_ARMS} arms, not {}", texts.len());
            return Err(setting("arms", message, "Remove some"));
        }
        let mut arms: Vec<Self> = Vec::new();
        for text in texts {
            let mut arm = Self::parse(text)?;
            let (id, label) = (arm.id.clone(), arm.label.clone());
            for n in 2.. {
                if arms.iter().all(|other| other.id != arm.id) {
                    break;
                }
                arm.id = format!("{id}-{n}");
            }
            for n in 2.. {
                if arms.iter().all(|other| other.label != arm.label) {
                    break;
                }
                arm.label = format!("{label} {n}");
            }
            arms.push(arm);
        }
        Ok(arms)
    }

    fn parse(text: &str) -> Result<Self> {
        let refuse = |message: String, remedy: String| Err(setting("arm", message, &remedy));
        let words = words(text);
        let Some((method, rest)) = words.split_first() else {
            return refuse("it is empty".into(), "Write, for example, \"lora r=8 lr=3e-4\"".into());
        };
        let mut value = match method.as_str() {
            "lora" => value_of(&Self::lora(1e-3)),
            "full" => value_of(&Self::full(1e-3)),
            other => return refuse(format!("{other:?} is no method"), "Begin with lora or full".into()),
        };
        for word in rest {
            let Some((key, text)) = word.split_once('=') else {
                return refuse(format!("{word:?} has no value"), "Write key=value".into());
            };
            if matches!(key, "id" | "label") {
                value[key] = Value::from(text);
                continue;
            }
            let is_its = |f: &&Field| f.key == key && f.method.is_none_or(|of| of == method);
            let Some(field) = ARM_FIELDS.iter().find(is_its) else {
                let known = ARM_FIELDS.iter().filter(|f| f.method.is_none_or(|of| of == method));
                let keys: Vec<&str> = known.map(|f| f.key).collect();
                return refuse(
                    format!("{method} has no {key:?}"),
                    format!("Use {}, id or label", keys.join(", ")),
                );
            };
            let Some(parsed) = field.parse(text) else {
                return refuse(format!("{word:?} can't be read"), field.wanted());
            };
            if let Some(place) = value.pointer_mut(&field.pointer()) {
                *place = parsed;
            }
        }
        let label = value["label"].to_string();
        serde_json::from_value(value).or_else(|e| refuse(format!("{label}: {e}"), "Correct it".into()))
    }
}

fn value_of(arm: &ArmSpec) -> Value {
    serde_json::to_value(arm).unwrap_or(Value::Null)
}

/// Words between spaces; quotes keep spaces within one.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

impl Field {
    fn parse(&self, text: &str) -> Option<Value> {
        match self.kind {
            Kind::Whole { .. } => text.parse::<u32>().ok().map(Value::from),
            // As the f32 that it becomes: 0.001 stays 0.001 in JSON.
            Kind::Real { .. } => text.parse::<f32>().ok().filter(|v| v.is_finite()).map(Value::from),
            Kind::Switch => text.parse::<bool>().ok().map(Value::from),
            Kind::Choice { options } => options.contains(&text).then(|| Value::from(text)),
            Kind::Adapter => is_id(text).then(|| Value::from(text)),
            Kind::Several { options } => {
                let mut parts: Vec<&str> = text.split(',').map(str::trim).collect();
                let place = |part: &&str| options.iter().position(|option| option == part);
                parts.iter().all(|part| place(part).is_some()).then(|| {
                    parts.sort_by_key(place);
                    parts.dedup();
                    Value::from(parts)
                })
            }
        }
    }

    fn wanted(&self) -> String {
        match self.kind {
            Kind::Whole { low, high } => format!("{} takes a whole number from {low} to {high}", self.key),
            Kind::Real { low, high } => format!("{} takes a number from {low} to {high}", self.key),
            Kind::Switch => format!("{} takes true or false", self.key),
            Kind::Choice { options } => format!("{} takes one of {}", self.key, options.join(", ")),
            Kind::Adapter => {
                format!("{} takes an adapter's name: lower-case letters, digits, hyphens", self.key)
            }
            Kind::Several { options } => {
                format!("{} takes some of {}, with commas", self.key, options.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{LoraSpec, Method, Settings, Target};
    use super::*;

    fn arms(texts: &[&str]) -> Result<Vec<ArmSpec>> {
        ArmSpec::parse_all(&texts.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn a_line_is_an_arm() {
        let parsed = arms(&[
            "lora r=4 lr=3e-4 targets=v_proj,q_proj label=\"LoRA, attention\"",
            "lora",
            "full lr=3e-5 kl=0.1 schedule=cosine id=near",
            "lora rslora=true",
            "lora start=tuned-2",
        ])
        .unwrap();
        let targets = vec![Target::QProj, Target::VProj];
        assert_eq!(parsed[0].method, Method::Lora(LoraSpec { rank: 4, targets, ..LoraSpec::default() }));
        assert_eq!((parsed[0].lr, parsed[0].label.as_str()), (3e-4, "LoRA, attention"));
        assert_eq!((parsed[2].id.as_str(), parsed[2].regularisers.kl_to_base), ("near", 0.1));
        let ids: Vec<&str> = parsed.iter().map(|arm| arm.id.as_str()).collect();
        assert_eq!(ids, ["lora", "lora-2", "near", "lora-3", "lora-4"]);
        assert_eq!((parsed[3].start(), parsed[4].start()), (None, Some("tuned-2")));
        assert_eq!(parsed[3].label, "LoRA 2");
        Settings::default().with_arms(parsed).validate().unwrap();
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, word) in [
            ("", "empty"),
            ("prefix r=8", "prefix"),
            ("lora rank=8", "rank"),
            ("full r=8", "full has no \"r\""),
            ("lora r=many", "whole number from 1 to 256"),
            ("lora targets=q_proj,head", "q_proj"),
            ("lora r", "no value"),
            ("lora start=../a", "adapter's name"),
            ("full schedule=steps", "constant, linear, cosine"),
        ] {
            let error = arms(&[text]).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
        assert!(arms(&["lora"; 7]).unwrap_err().to_string().contains("not 7"));
    }

    /// Every field is where its name says, in the JSON of an arm that has it.
    #[test]
    fn fields_are_where_they_say() {
        let (lora, full) = (value_of(&ArmSpec::lora(1e-3)), value_of(&ArmSpec::full(1e-3)));
        for field in ARM_FIELDS {
            let owner = if field.method == Some("full") { &full } else { &lora };
            assert!(owner.pointer(&field.pointer()).is_some(), "{}", field.name);
        }
        let run = serde_json::to_value(Settings::default()).unwrap();
        for field in super::super::RUN_FIELDS {
            assert!(run.pointer(&field.pointer()).is_some(), "{}", field.name);
        }
    }
}
