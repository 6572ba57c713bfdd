//! Text to tokens and back, and the chat template that turns an exchange into one text.

use serde_json::{Value, json};
use tokenizers::processors::template::TemplateProcessing;

use super::chat::{ChatTemplate, SpecialTokens};
pub use super::chat::{DEFAULT_TEMPLATE, Message};
use super::config_json::invalid;
use super::tokenizer_file;
use crate::error::{Error, Result};

/// The end token of models that name none.
const DEFAULT_END: &str = "<|end|>";

/// The bytes of a tokenizer's files; only tokenizer.json is needed.
#[derive(Clone, Copy, Default)]
pub struct TokenizerFiles<'a> {
    /// tokenizer.json.
    pub tokenizer: &'a [u8],
    /// tokenizer_config.json.
    pub config: Option<&'a [u8]>,
    /// special_tokens_map.json.
    pub special_tokens_map: Option<&'a [u8]>,
    /// generation_config.json.
    pub generation_config: Option<&'a [u8]>,
    /// chat_template.jinja.
    pub chat_template: Option<&'a str>,
}

/// Special tokens by the ids that config.json gives.
#[derive(Clone, Copy, Default)]
pub struct SpecialIds<'a> {
    pub bos: Option<u32>,
    pub eos: &'a [u32],
    pub pad: Option<u32>,
}

/// What a tokenizer is assembled from beside its vocabulary.
#[derive(Default)]
pub(super) struct Parts {
    pub template: Option<String>,
    pub special: SpecialTokens,
    /// Further ids that end a response.
    pub ends: Vec<u32>,
    /// Whether a plain text begins with bos; where it is not said, it begins with `start`.
    pub adds_bos: Option<bool>,
    /// What the post-processor puts in front of a text.
    pub start: Vec<u32>,
}

/// A tokenizer with its chat template.
#[derive(Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    template: ChatTemplate,
    /// What ends a response; the first is what the template writes.
    ends: Vec<u32>,
    /// What a plain text begins with: bos, or nothing.
    start: Vec<u32>,
}

impl Tokenizer {
    /// From its files, and the ids that config.json gives.
    ///
    /// A special token is the one that tokenizer_config.json names, otherwise special_tokens_map.json, otherwise the
    /// one of config.json's id, otherwise for Llama's own class `<s>`, `</s>` and `<unk>`. A response ends at that
    /// eos_token, at any of config.json's or generation_config.json's, and without any of them at `<|end|>`.
    ///
    /// # Errors
    /// Whatever is wrong with a file, by its name; no end token.
    pub fn read(files: &TokenizerFiles, ids: SpecialIds) -> Result<Self> {
        let (inner, start) = tokenizer_file::read(files.tokenizer)?;
        let json = |bytes: Option<&[u8]>, file: &str| -> Result<Value> {
            let Some(bytes) = bytes else { return Ok(Value::Null) };
            serde_json::from_slice(bytes).map_err(|error| Error::Tokenizer(format!("{file}: {error}")))
        };
        let config = json(files.config, "tokenizer_config.json")?;
        let map = json(files.special_tokens_map, "special_tokens_map.json")?;
        let generation = json(files.generation_config, "generation_config.json")?;
        let is_llamas = config["tokenizer_class"].as_str().is_some_and(|name| name.starts_with("Llama"));
        let token = |name: &str, id: Option<u32>, usual: &str| {
            let named = special(&config[name]).or_else(|| special(&map[name]));
            let by_id = || id.and_then(|id| inner.id_to_token(id));
            let usual = || (is_llamas && inner.token_to_id(usual).is_some()).then(|| usual.to_string());
            named.or_else(by_id).or_else(usual)
        };
        let special = SpecialTokens {
            bos: token("bos_token", ids.bos, "<s>"),
            eos: token("eos_token", ids.eos.first().copied(), "</s>"),
            unk: token("unk_token", None, "<unk>"),
            pad: token("pad_token", ids.pad, ""),
        };
        let parts = Parts {
            start,
            template: files.chat_template.map(str::to_string).or_else(|| template(&config["chat_template"])),
            special,
            ends: [ids.eos, &token_ids(&generation["eos_token_id"])].concat(),
            adds_bos: config["add_bos_token"].as_bool().filter(|_| is_llamas),
        };
        Self::assemble(inner, parts, "tokenizer.json")
    }

    /// From the parts of it; `file` is where the tokens came from.
    pub(super) fn assemble(mut inner: tokenizers::Tokenizer, parts: Parts, file: &str) -> Result<Self> {
        let Parts { template, mut special, ends: more, adds_bos, start } = parts;
        let failed = |error: tokenizers::Error| Error::Tokenizer(format!("{file}: {error}"));
        let eos = special.eos.get_or_insert_with(|| DEFAULT_END.to_string()).clone();
        let eos_id = inner.token_to_id(&eos).ok_or_else(|| {
            let message = format!("{eos} is not a token of {file}");
            let remedy = "Use the tokenizer that belongs to this model, or name the token that ends a response as eos_token in \
                          tokenizer_config.json";
            invalid("tokenizer_config.json", "eos_token", &message, remedy)
        })?;
        let mut ends = vec![eos_id];
        for id in more {
            if !ends.contains(&id) && inner.id_to_token(id).is_some() {
                ends.push(id);
            }
        }
        // A file may ask for every text to be cut or padded to some length; lengths are the trainer's matter.
        inner.with_padding(None);
        inner.with_truncation(None).map_err(failed)?;
        let bos_id = special.bos.as_deref().and_then(|bos| inner.token_to_id(bos));
        let start: Vec<u32> = match adds_bos {
            Some(adds) => bos_id.filter(|_| adds).into_iter().collect(),
            None => start.into_iter().filter(|id| inner.id_to_token(*id).is_some()).collect(),
        };
        // A template writes special tokens itself, so nothing is added after the encoding.
        inner.with_post_processor(None::<tokenizers::PostProcessorWrapper>);
        let source = template.unwrap_or_else(|| match start.is_empty() || bos_id.is_none() {
            true => DEFAULT_TEMPLATE.to_string(),
            false => format!("{{{{ bos_token }}}}{DEFAULT_TEMPLATE}"),
        });
        Ok(Tokenizer { inner, template: ChatTemplate::new(source, special), ends, start })
    }

    /// The tokens of `text`, special tokens recognised, none added.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.inner.encode_fast(text, false); // without offsets
        Ok(encoding.map_err(|error| Error::Tokenizer(error.to_string()))?.get_ids().to_vec())
    }

    /// The tokens of a plain text, as the model was trained to read one: with bos first where its tokenizer adds it.
    pub fn encode_text(&self, text: &str) -> Result<Vec<u32>> {
        Ok([self.start.clone(), self.encode(text)?].concat())
    }

    /// A plain text and what follows it, as the tokens of both together: `next` by itself could be other tokens, as
    /// with tokenizers that put a space in front of every text. Where the two meet inside a token, that token
    /// belongs to what follows.
    pub fn continuation(&self, text: &str, next: &str) -> Result<(Vec<u32>, Vec<u32>)> {
        let (mut prompt, mut whole) = (self.encode_text(text)?, self.encode_text(&format!("{text}{next}"))?);
        let common = prompt.iter().zip(&whole).take_while(|(a, b)| a == b).count();
        prompt.truncate(common);
        Ok((prompt, whole.split_off(common)))
    }

    /// The text of `ids`, special tokens included.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        self.inner.decode(ids, false).map_err(|error| Error::Tokenizer(error.to_string()))
    }

    /// The text of one token, as well as it can stand alone (part of a letter shows as U+FFFD).
    pub fn token_text(&self, id: u32) -> Result<String> {
        self.decode(&[id])
    }

    /// tokenizer.json and tokenizer_config.json.
    pub fn files(&self) -> Result<[(&'static str, Vec<u8>); 2]> {
        let failed = |error: tokenizers::Error| Error::Tokenizer(error.to_string());
        let ChatTemplate { source, special, .. } = &self.template;
        let SpecialTokens { bos, eos, unk, pad } = special;
        let mut inner = self.inner.clone();
        if let (Some(id), Some(bos)) = (self.start.first(), bos) {
            let start = TemplateProcessing::builder()
                .try_single(vec![bos.as_str(), "$A"])
                .map(|builder| builder.special_tokens(vec![(bos.clone(), *id)]).clone())
                .map_err(Error::Tokenizer)?;
            let start = start.build().map_err(|error| Error::Tokenizer(error.to_string()))?;
            inner.with_post_processor(Some(start));
        }
        let text = inner.to_string(true).map_err(failed)?;
        let config = json!({
            "bos_token": bos, "eos_token": eos, "unk_token": unk, "pad_token": pad, "chat_template": source,
        });
        Ok([
            ("tokenizer.json", text.into_bytes()),
            ("tokenizer_config.json", format!("{config:#}\n").into_bytes()),
        ])
    }

    /// The token that ends a response, as the template writes it.
    pub fn eos_id(&self) -> u32 {
        self.ends[0]
    }

    /// Every token that ends a response.
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// The id of a token given by its exact text.
    pub fn token_to_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// V, special tokens included.
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// One more than the highest id of the vocabulary, which tokens added to it may exceed.
    pub fn ids_end(&self) -> usize {
        self.inner.get_vocab(false).values().max().map_or(0, |id| *id as usize + 1)
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
        if !response.iter().any(|token| self.ends.contains(token)) {
            response.push(self.eos_id());
        }
        Ok((prompt, response))
    }
}

/// An id, or a list of ids.
pub(super) fn token_ids(value: &Value) -> Vec<u32> {
    let list = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    list.iter().filter_map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok())).collect()
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
        let files =
            TokenizerFiles { tokenizer: ATLAS, config: config.map(str::as_bytes), ..Default::default() };
        Tokenizer::read(&files, SpecialIds { eos: end.as_slice(), ..SpecialIds::default() })
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
        let with = |template| {
            let files =
                TokenizerFiles { tokenizer: ATLAS, chat_template: Some(template), ..Default::default() };
            Tokenizer::read(&files, SpecialIds::default()).unwrap()
        };
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
            let files = TokenizerFiles { tokenizer: ATLAS, config: Some(&bytes), ..Default::default() };
            if let Ok(tokenizer) = Tokenizer::read(&files, SpecialIds::default()) {
                let _ = tokenizer.exchange(&[Message::user("Hi")], "Hello");
            }
        }
    }
}
