//! Text to tokens and back, and the chat template that turns an exchange into one text.

use serde_json::{Value, json};

use super::chat::ChatTemplate;
pub use super::chat::{DEFAULT_TEMPLATE, Message};
use super::config_json::invalid;
use super::tokenizer_file;
use crate::error::{Error, Result};

/// The end token of models that name none.
const DEFAULT_END: &str = "<|end|>";

/// A tokenizer with its chat template.
#[derive(Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    template: ChatTemplate,
    eos_id: u32,
}

impl Tokenizer {
    /// From `tokenizer.json`, `tokenizer_config.json` and, where the model has one, `chat_template.jinja`.
    ///
    /// The token that ends a response is the configuration's `eos_token`; without it the one of the id
    /// `end`, which config.json gives; without either `<|end|>`.
    ///
    /// # Errors
    /// Whatever is wrong with a file, by its name; no end token.
    pub fn from_bytes(
        tokenizer_json: &[u8],
        config_json: Option<&[u8]>,
        chat_template: Option<&str>,
        end: Option<u32>,
    ) -> Result<Self> {
        let inner = tokenizer_file::read(tokenizer_json)?;
        let config: Value = match config_json {
            Some(bytes) => serde_json::from_slice(bytes)
                .map_err(|error| Error::Tokenizer(format!("tokenizer_config.json: {error}")))?,
            None => Value::Null,
        };
        let eos = special(&config["eos_token"]).or_else(|| end.and_then(|id| inner.id_to_token(id)));
        let template = chat_template.map(str::to_string).or_else(|| template(&config["chat_template"]));
        Self::assemble(inner, template, special(&config["bos_token"]), eos, "tokenizer.json")
    }

    /// From the parts of it; `file` is where the tokens came from.
    pub(super) fn assemble(
        mut inner: tokenizers::Tokenizer,
        template: Option<String>,
        bos: Option<String>,
        eos: Option<String>,
        file: &str,
    ) -> Result<Self> {
        let eos = eos.unwrap_or_else(|| DEFAULT_END.to_string());
        // A file may ask for every text to be cut or padded to some length; lengths are the trainer's matter.
        // Special tokens are the template's, so nothing is added after the encoding.
        inner.with_padding(None).with_post_processor(None::<tokenizers::PostProcessorWrapper>);
        inner.with_truncation(None).map_err(|error| Error::Tokenizer(format!("{file}: {error}")))?;
        let eos_id = inner.token_to_id(&eos).ok_or_else(|| {
            let message = format!("{eos} is not a token of {file}");
            let remedy = "Name the token that ends a response as eos_token in tokenizer_config.json";
            invalid("tokenizer_config.json", "eos_token", &message, remedy)
        })?;
        let source = template.unwrap_or_else(|| DEFAULT_TEMPLATE.to_string());
        Ok(Tokenizer { inner, template: ChatTemplate::new(source, bos, eos), eos_id })
    }

    /// The tokens of `text`, special tokens recognised, none added.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.inner.encode_fast(text, false); // without offsets
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

    /// tokenizer.json and tokenizer_config.json.
    pub fn files(&self) -> Result<[(&'static str, Vec<u8>); 2]> {
        let text = self.inner.to_string(true).map_err(|error| Error::Tokenizer(error.to_string()))?;
        let ChatTemplate { source, bos, eos, .. } = &self.template;
        let config = json!({"bos_token": bos, "eos_token": eos, "chat_template": source});
        Ok([
            ("tokenizer.json", text.into_bytes()),
            ("tokenizer_config.json", format!("{config:#}\n").into_bytes()),
        ])
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

    /// One more than the highest id of a token.
    pub fn ids_end(&self) -> usize {
        self.inner.get_vocab(true).values().max().map_or(0, |id| *id as usize + 1)
    }

    /// The chat template's text for `messages`.
    pub fn render(&self, messages: &[Message], add_generation_prompt: bool) -> Result<String> {
        self.template.render(messages, add_generation_prompt)
    }

    /// The tokens of a conversation in the chat template, ready for the model to answer.
    pub fn prompt(&self, turns: &[Message]) -> Result<Vec<u32>> {
        self.encode(&self.render(turns, true)?)
    }

    /// An exchange as (prompt tokens, response tokens); the response ends with the end token and whatever
    /// the template writes after it.
    ///
    /// As TRL does it, the response is what the tokens of the whole exchange have beyond those of the prompt.
    /// Where the two meet inside a token, so that the whole does not begin with the prompt's tokens, the
    /// response's text is tokenised by itself: generation will see the prompt's tokens too.
    pub fn exchange(&self, turns: &[Message], answer: &str) -> Result<(Vec<u32>, Vec<u32>)> {
        let prompt_text = self.render(turns, true)?;
        let answered: Vec<Message> = turns.iter().cloned().chain([Message::assistant(answer)]).collect();
        let whole_text = self.render(&answered, false)?;
        let (prompt, whole) = (self.encode(&prompt_text)?, self.encode(&whole_text)?);
        let mut response = match (whole.strip_prefix(&prompt[..]), whole_text.strip_prefix(&prompt_text)) {
            (Some(rest), _) => rest.to_vec(),
            (None, Some(rest)) => self.encode(rest)?,
            (None, None) => {
                return Err(Error::Tokenizer(
                    "the chat template's generation prompt is not how an answered exchange begins".into(),
                ));
            }
        };
        if !response.contains(&self.eos_id) {
            response.push(self.eos_id);
        }
        Ok((prompt, response))
    }
}

/// A special token: a string, or an object with a `content`.
fn special(value: &Value) -> Option<String> {
    value.as_str().or_else(|| value["content"].as_str()).map(str::to_string)
}

/// A template, or the one called default of several.
fn template(value: &Value) -> Option<String> {
    let several = value.as_array().map(|list| list.iter());
    let default = several.and_then(|mut list| list.find(|entry| entry["name"] == "default"));
    default.map_or(value, |entry| &entry["template"]).as_str().map(str::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const ATLAS: &[u8] = include_bytes!("../../models/atlas/tokenizer.json");

    fn atlas(config: Option<&str>, end: Option<u32>) -> Result<Tokenizer> {
        Tokenizer::from_bytes(ATLAS, config.map(str::as_bytes), None, end)
    }

    #[test]
    fn the_end_token_is_configured_or_the_models_or_the_default() {
        let id = |config, end| atlas(config, end).unwrap().eos_id();
        let second = atlas(None, None).unwrap().token_text(1).unwrap();
        let named = json!({"eos_token": {"content": second, "lstrip": false}}).to_string();
        assert_eq!(id(Some(&named), Some(5)), 1);
        assert_eq!(id(Some("{}"), Some(5)), 5);
        assert_eq!(id(None, Some(4_000_000)), 0, "an id of no token is none");
        assert_eq!(id(None, None), 0);
        let error = atlas(Some(r#"{"eos_token":"</s>"}"#), Some(5)).err().unwrap().to_string();
        assert!(error.contains("</s>") && error.contains("eos_token"), "{error}");
    }

    #[test]
    fn the_default_of_several_templates_is_taken() {
        let several = json!({"chat_template": [{"name": "tool_use", "template": "no"},
            {"name": "default", "template": "{{ messages[0].content }}!"}]});
        let tokenizer = atlas(Some(&several.to_string()), None).unwrap();
        assert_eq!(tokenizer.render(&[Message::user("Hi")], true).unwrap(), "Hi!");
    }

    #[test]
    fn an_exchange_is_the_whole_texts_tokens_where_they_begin_with_the_prompts() {
        let with = |template| Tokenizer::from_bytes(ATLAS, None, Some(template), None).unwrap();
        let turns = [Message::user("Where?")];
        let text = |tokens: &[u32], tokenizer: &Tokenizer| tokenizer.decode(tokens).unwrap();

        let apart = with(DEFAULT_TEMPLATE);
        let (prompt, response) = apart.exchange(&turns, "In Paris.").unwrap();
        let whole = apart.encode("User: Where?\nAssistant: In Paris.<|end|>").unwrap();
        assert_eq!([prompt, response].concat(), whole);

        // The space before the answer belongs to the prompt here, and to the answer's first token there.
        let joined = with(
            "{% for m in messages %}{{ m.role }}: {{ m.content }}{% if m.role == 'user' %} {% else %}\
            {{ eos_token }}{% endif %}{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}",
        );
        let (prompt, response) = joined.exchange(&turns, "Paris").unwrap();
        assert_eq!(text(&prompt, &joined), "user: Where? assistant: ");
        assert_eq!(text(&response, &joined), "Paris<|end|>");
        let whole = joined.encode("user: Where? assistant: Paris<|end|>").unwrap();
        assert!(!whole.starts_with(&prompt));

        let unrelated = with("{% if add_generation_prompt %}x{% else %}y{% endif %}");
        assert!(unrelated.exchange(&turns, "Paris").is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn a_damaged_configuration_is_an_error(at in 0usize..568, value: u8, cut in 0usize..800) {
            let mut bytes = include_bytes!("../../models/atlas/tokenizer_config.json").to_vec();
            let index = at % bytes.len();
            bytes[index] = value;
            bytes.truncate(cut);
            if let Ok(tokenizer) = Tokenizer::from_bytes(ATLAS, Some(&bytes), None, None) {
                let _ = tokenizer.exchange(&[Message::user("Hi")], "Hello");
            }
        }
    }
}
