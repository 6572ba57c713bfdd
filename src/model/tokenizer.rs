//! Text to tokens and back, and the chat template that turns an exchange into one text.

use minijinja::{Environment, ErrorKind, context};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};

/// The template of models that bring none: what the built-in model was pre-trained on.
pub const DEFAULT_TEMPLATE: &str = "{% for message in messages %}\
    {% if message['role'] == 'user' %}User: {{ message['content'] }}\n\
    {% elif message['role'] == 'assistant' %}Assistant: {{ message['content'] }}{{ eos_token }}\
    {% else %}{{ message['content'] }}\n{% endif %}\
    {% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}";

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// `user`, `assistant` or `system`.
    pub role: String,
    pub content: String,
}

impl Message {
    /// What the user says.
    pub fn user(content: &str) -> Self {
        Message { role: "user".to_string(), content: content.to_string() }
    }

    /// What the model says.
    pub fn assistant(content: &str) -> Self {
        Message { role: "assistant".to_string(), content: content.to_string() }
    }
}

/// A tokenizer with its chat template.
#[derive(Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    template: String,
    bos: String,
    eos: String,
    eos_id: u32,
}

impl Tokenizer {
    /// From `tokenizer.json`, `tokenizer_config.json` and, where the model has one,
    /// `chat_template.jinja`. Without `eos_token` in the configuration, `<|end|>` is taken.
    pub fn from_bytes(
        tokenizer_json: &[u8],
        config_json: Option<&[u8]>,
        chat_template: Option<&str>,
    ) -> Result<Self> {
        let inner = tokenizers::Tokenizer::from_bytes(tokenizer_json)
            .map_err(|error| Error::Tokenizer(format!("tokenizer.json: {error}")))?;
        let config: Value = match config_json {
            Some(bytes) => serde_json::from_slice(bytes)
                .map_err(|error| Error::Tokenizer(format!("tokenizer_config.json: {error}")))?,
            None => Value::Null,
        };
        let template = chat_template.or_else(|| config["chat_template"].as_str());
        let eos = special(&config["eos_token"]).unwrap_or_else(|| "<|end|>".to_string());
        let eos_id = inner.token_to_id(&eos).ok_or_else(|| {
            Error::Tokenizer(format!("tokenizer.json lacks the end token {eos} of tokenizer_config.json"))
        })?;
        Ok(Tokenizer {
            template: template.unwrap_or(DEFAULT_TEMPLATE).to_string(),
            bos: special(&config["bos_token"]).unwrap_or_default(),
            inner,
            eos,
            eos_id,
        })
    }

    /// The tokens of `text`, special tokens recognised, none added.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.inner.encode(text, false);
        Ok(encoding.map_err(|error| Error::Tokenizer(error.to_string()))?.get_ids().to_vec())
    }

    /// The text of `ids`, special tokens included.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        self.inner.decode(ids, false).map_err(|error| Error::Tokenizer(error.to_string()))
    }

    /// The text of one token, as good as it can stand alone (part of a letter shows as U+FFFD).
    pub fn token_text(&self, id: u32) -> Result<String> {
        self.decode(&[id])
    }

    /// The token that ends a response.
    pub fn eos_id(&self) -> u32 {
        self.eos_id
    }

    /// The id of a token given by its exact text.
    pub fn token_to_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// V, special tokens included.
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// The chat template's text for `messages`.
    pub fn render(&self, messages: &[Message], add_generation_prompt: bool) -> Result<String> {
        let mut environment = Environment::new();
        // As transformers renders: {% tags %} leave no empty lines behind.
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.add_function("raise_exception", |message: String| -> std::result::Result<String, _> {
            Err(minijinja::Error::new(ErrorKind::InvalidOperation, message))
        });
        environment.set_unknown_method_callback(python_method);
        let values = context! {
            messages => messages,
            add_generation_prompt => add_generation_prompt,
            bos_token => self.bos,
            eos_token => self.eos,
        };
        environment
            .render_str(&self.template, values)
            .map_err(|error| Error::Tokenizer(format!("chat template: {error:#}")))
    }

    /// The tokens of a conversation in the chat template, ready for the model to answer.
    pub fn prompt(&self, turns: &[Message]) -> Result<Vec<u32>> {
        self.encode(&self.render(turns, true)?)
    }

    /// An exchange as (prompt tokens, response tokens); the response ends with the end token and whatever
    /// the template writes behind it.
    ///
    /// The response is what the template adds to the prompt, so that the two joined are what a
    /// trainer that renders the whole exchange would see.
    pub fn exchange(&self, turns: &[Message], answer: &str) -> Result<(Vec<u32>, Vec<u32>)> {
        let prompt = self.render(turns, true)?;
        let answered: Vec<Message> = turns.iter().cloned().chain([Message::assistant(answer)]).collect();
        let whole = self.render(&answered, false)?;
        let Some(rest) = whole.strip_prefix(&prompt) else {
            return Err(Error::Tokenizer(
                "chat template: the generation prompt is not how an answered exchange begins".to_string(),
            ));
        };
        let mut response = self.encode(rest)?;
        if !response.contains(&self.eos_id) {
            response.push(self.eos_id);
        }
        Ok((self.encode(&prompt)?, response))
    }
}

/// A special token: a string, or an object with a `content`.
fn special(value: &Value) -> Option<String> {
    value.as_str().or_else(|| value["content"].as_str()).map(str::to_string)
}

/// The methods of Python strings that chat templates call.
fn python_method(
    _: &minijinja::State,
    value: &minijinja::Value,
    method: &str,
    arguments: &[minijinja::Value],
) -> std::result::Result<minijinja::Value, minijinja::Error> {
    let unknown = || minijinja::Error::new(ErrorKind::UnknownMethod, format!("method {method}"));
    let text = value.as_str().ok_or_else(unknown)?;
    let argument = arguments.first().and_then(minijinja::Value::as_str);
    match (method, argument) {
        ("strip", None) => Ok(text.trim().into()),
        ("lstrip", None) => Ok(text.trim_start().into()),
        ("rstrip", None) => Ok(text.trim_end().into()),
        ("upper", None) => Ok(text.to_uppercase().into()),
        ("lower", None) => Ok(text.to_lowercase().into()),
        ("startswith", Some(start)) => Ok(text.starts_with(start).into()),
        ("endswith", Some(end)) => Ok(text.ends_with(end).into()),
        ("split", Some(separator)) => {
            Ok(text.split(separator).map(minijinja::Value::from).collect::<Vec<_>>().into())
        }
        _ => Err(unknown()),
    }
}
