//! The chat template that turns a conversation into one text.

use std::sync::OnceLock;

use minijinja::{Environment, Value, context};
use serde::{Deserialize, Serialize};

use super::jinja;
use crate::error::{Error, Result};

/// The template of models that bring none: what the built-in model was pre-trained on.
pub const DEFAULT_TEMPLATE: &str = "{% for message in messages %}\
    {% if message['role'] == 'user' %}User: {{ message['content'] }}\n\
    {% elif message['role'] == 'assistant' %}Assistant: {{ message['content'] }}{{ eos_token }}\
    {% else %}{{ message['content'] }}\n{% endif %}\
    {% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}";

/// What the template is called in its errors; the ending would decide about escapes.
const NAME: &str = "chat_template";

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

/// The tokens that a template may write by name; one that a model lacks is undefined there.
#[derive(Clone, Debug, Default)]
pub struct SpecialTokens {
    pub bos: Option<String>,
    pub eos: Option<String>,
    pub unk: Option<String>,
    pub pad: Option<String>,
}

/// A template and the tokens that it may write.
#[derive(Clone, Debug)]
pub struct ChatTemplate {
    pub source: String,
    pub special: SpecialTokens,
    /// The source as it was parsed at its first use.
    parsed: OnceLock<Environment<'static>>,
}

impl ChatTemplate {
    pub fn new(source: String, special: SpecialTokens) -> Self {
        Self { source, special, parsed: OnceLock::new() }
    }

    /// The template's text for `messages`, as transformers' `apply_chat_template` renders it ([`jinja`] says how dates
    /// differ).
    ///
    /// # Errors
    /// [`Error::Tokenizer`] for a template that is none or that refuses the conversation.
    pub fn render(&self, messages: &[Message], add_generation_prompt: bool) -> Result<String> {
        let defined = |token: &Option<String>| token.as_deref().map_or(Value::UNDEFINED, Value::from);
        let values = context! {
            messages => messages,
            add_generation_prompt => add_generation_prompt,
            tools => Value::from(()),
            documents => Value::from(()),
            bos_token => defined(&self.special.bos),
            eos_token => defined(&self.special.eos),
            unk_token => defined(&self.special.unk),
            pad_token => defined(&self.special.pad),
        };
        let rendered = self.parsed().and_then(|parsed| parsed.get_template(NAME)?.render(values));
        rendered.map_err(|error| Error::Tokenizer(format!("the chat template refuses this: {error:#}")))
    }

    fn parsed(&self) -> Result<&Environment<'static>, minijinja::Error> {
        if let Some(parsed) = self.parsed.get() {
            return Ok(parsed);
        }
        let mut environment = jinja::environment(&self.source);
        environment.add_template_owned(NAME, jinja::prepare(&self.source))?;
        Ok(self.parsed.get_or_init(|| environment))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// SmolLM2's: a system prompt where the conversation has none.
    const CHATML: &str = "{% for message in messages %}{% if loop.first and messages[0]['role'] != \
        'system' %}{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging \
        Face<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + \
        '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}\
        {% endif %}";

    /// TinyLlama's, which relies on trimmed lines.
    const ZEPHYR: &str = "{% for message in messages %}\n{% if message['role'] == 'user' %}\n{{ '<|user|>\n' \
        + message['content'] + eos_token }}\n{% elif message['role'] == 'system' %}\n{{ '<|system|>\n' + \
        message['content'] + eos_token }}\n{% elif message['role'] == 'assistant' %}\n{{ '<|assistant|>\n'  \
        + message['content'] + eos_token }}\n{% endif %}\n{% if loop.last and add_generation_prompt %}\n\
        {{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}";

    /// Llama 3.2's, without its branches for tools.
    const LLAMA_3: &str = r#"{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}

{#- This block extracts the system message, so we can slot it into the right place. #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}

{#- System message #}
{{- "<|start_header_id|>system<|end_header_id|>\n\n" }}
{%- if tools is not none %}
    {{- "Environment: ipython\n" }}
{%- endif %}
{{- "Cutting Knowledge Date: December 2023\n" }}
{{- "Today Date: " + date_string + "\n\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}

{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("This model only supports single tool-calls at once!") }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
{%- endif %}
"#;

    fn template(source: &str) -> ChatTemplate {
        let (bos, eos) = (Some("<|begin|>".to_string()), Some("<|end|>".to_string()));
        ChatTemplate::new(source.to_string(), SpecialTokens { bos, eos, ..SpecialTokens::default() })
    }

    /// A prompt, an answered exchange and a prompt after a system message.
    fn renderings(source: &str) -> [String; 3] {
        let (user, answer) = (Message::user(" Hi there "), Message::assistant("Hello!"));
        let system = Message { role: "system".to_string(), content: "Be brief.".to_string() };
        let template = template(source);
        [
            template.render(std::slice::from_ref(&user), true).unwrap(),
            template.render(&[user.clone(), answer], false).unwrap(),
            template.render(&[system, user], true).unwrap(),
        ]
    }

    /// The expected texts were rendered by transformers 5.23's `render_jinja_template`.
    #[test]
    fn real_templates_render_as_in_transformers() {
        const SMOL: &str = "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n";
        assert_eq!(
            renderings(CHATML),
            [
                format!("{SMOL}<|im_start|>user\n Hi there <|im_end|>\n<|im_start|>assistant\n"),
                format!(
                    "{SMOL}<|im_start|>user\n Hi there <|im_end|>\n<|im_start|>assistant\nHello!<|im_end|>\n"
                ),
                "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n Hi there <|im_end|>\n\
                <|im_start|>assistant\n"
                    .to_string(),
            ]
        );
        assert_eq!(
            renderings(ZEPHYR),
            [
                "<|user|>\n Hi there <|end|>\n<|assistant|>\n",
                "<|user|>\n Hi there <|end|>\n<|assistant|>\nHello!<|end|>\n",
                "<|system|>\nBe brief.<|end|>\n<|user|>\n Hi there <|end|>\n<|assistant|>\n",
            ]
        );
        const DATED: &str = "<|begin|><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: \
            December 2023\nToday Date: 26 Jul 2024\n\n";
        const USER: &str = "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi there<|eot_id|>\
            <|start_header_id|>assistant<|end_header_id|>\n\n";
        assert_eq!(
            renderings(LLAMA_3),
            [
                format!("{DATED}{USER}"),
                format!("{DATED}{USER}Hello!<|eot_id|>"),
                format!("{DATED}Be brief.{USER}"),
            ]
        );
    }

    /// The texts are transformers' (tests/parity/make_templates.py).
    #[test]
    fn constructs_render_as_in_transformers() {
        let file: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/fixtures/templates.json")).unwrap();
        let turns: Vec<Message> = serde_json::from_value(file["conversation"].clone()).unwrap();
        let named = |name: &str| Some(name.to_string());
        let special =
            SpecialTokens { bos: named("<s>"), eos: named("</s>"), unk: named("<unk>"), pad: named("<pad>") };
        let mut wrong = Vec::new();
        for (name, case) in file["cases"].as_object().unwrap() {
            let template = ChatTemplate::new(case["template"].as_str().unwrap().into(), special.clone());
            let got = template.render(&turns, false).unwrap_or_else(|error| error.to_string());
            if got != case["text"] {
                wrong.push(format!("{name}:\n got {got:?}\nwant {}", case["text"]));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// What would ask for more memory than there is, or for more digits than are written, is the template's error.
    #[test]
    fn sizes_that_a_template_asks_for_are_bounded() {
        for source in [
            "{{ 'a'.ljust(99999999999999) }}",
            "{{ 'a'.zfill(99999999999999) }}",
            "{{ '%.99999999f' % 1 }}",
            "{{ 1.5 | round(99999999) }}",
            "{{ [1] | tojson(indent=99999999999999) }}",
        ] {
            let error = template(source).render(&[], false).unwrap_err().to_string();
            assert!(error.contains("wider than"), "{source}: {error}");
        }
        assert_eq!(
            template("{{ 'a b'.rsplit(None, 18446744073709551615) | join }}").render(&[], false).unwrap(),
            "ab"
        );
    }

    #[test]
    fn what_a_template_raises_is_said() {
        let source = "{% for m in messages %}{% if m.role not in ['user'] %}\
            {{ raise_exception('Only users may speak') }}{% break %}{% endif %}{% endfor %}";
        let error = template(source).render(&[Message::assistant("Hi")], false).unwrap_err().to_string();
        assert!(error.contains("Only users may speak"), "{error}");
        assert!(template("{% if %}").render(&[], false).is_err());
    }

    #[test]
    fn undefined_is_as_in_jinja() {
        let render =
            |source: &str| ChatTemplate::new(source.to_string(), SpecialTokens::default()).render(&[], false);
        assert_eq!(render("{{ bos_token }}{{ nothing }}").unwrap(), "");
        assert_eq!(
            render("{{ nothing is defined }} {{ tools is none }}").unwrap().to_lowercase(),
            "false true"
        );
        assert!(render("{{ nothing.field }}").is_err());
    }

    proptest! {
        #[test]
        fn damaged_templates_are_errors(at in 0usize..2000, value in "\\PC", cut in 0usize..400) {
            for source in [CHATML, ZEPHYR, LLAMA_3] {
                let mut letters: Vec<char> = source.chars().collect();
                let index = at % letters.len();
                letters.splice(index..(index + cut / 100).min(source.len()), value.chars());
                let damaged: String = letters.into_iter().collect();
                let _ = template(&damaged).render(&[Message::user("Hi")], true);
            }
        }
    }
}
