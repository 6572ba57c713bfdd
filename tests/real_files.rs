//! Models and rows as people's tools save them, with the numbers that transformers gives (tests/parity/make_real.py).

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use driftscope::cli::model;
use driftscope::engine::Backend;
use driftscope::measure::recall::{self, Probe};
use driftscope::model::bundle::Bundle;
use driftscope::model::tokenizer::{Message, SpecialIds, Tokenizer, TokenizerFiles};
use pollster::block_on;
use serde_json::{Value, json};
use tempfile::TempDir;

const ATLAS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/models/atlas");

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/real").join(name)
}

fn expected() -> Value {
    serde_json::from_slice(&fs::read(fixture("expected.json")).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

/// A copy of a model's folder that may be changed.
fn copy(folder: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

/// Changes a JSON file of a folder.
fn edit(folder: &TempDir, file: &str, change: impl Fn(&mut Value)) {
    let path = folder.path().join(file);
    let mut json = fs::read(&path).map_or(json!({}), |bytes| serde_json::from_slice(&bytes).unwrap());
    change(&mut json);
    fs::write(path, json.to_string()).unwrap();
}

fn tokenizer(folder: &TempDir) -> Tokenizer {
    model::read(folder.path()).unwrap().tokenizer
}

/// The log-probability of an answer is that of the tokens that follow its sentence in the whole text, which begins
/// with bos where the tokenizer says so.
#[test]
fn a_clozes_answer_is_what_follows_its_sentence() {
    let expected = expected();
    for name in ["bos", "prefix-space"] {
        let Bundle { config, tokenizer, weights, .. } = model::read(&fixture(name)).unwrap();
        let mut base = Backend::Cpu.load(&config, &weights).unwrap();
        let probe = |pair: &Value| {
            let (sentence, answer) = (pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
            Probe::new(sentence, sentence, answer, Rc::new(vec![answer.into()]), &tokenizer).unwrap()
        };
        let probes: Vec<Probe> = expected["probes"].as_array().unwrap().iter().map(probe).collect();
        let answers = block_on(recall::cloze(&mut base, &probes, &tokenizer)).unwrap();
        for (answer, want) in answers.iter().zip(numbers(&expected[name])) {
            assert!((answer.logprob - want).abs() < 1e-4, "{name}: {} {want}", answer.logprob);
        }
        assert_eq!(probes[0].cloze.tokens[0], 1);
        assert_eq!(tokenizer.render(&[Message::user("Hi")], true).unwrap(), "<s>User: Hi\nAssistant:");
    }
}

#[test]
fn two_saved_heads_are_used_as_they_were_saved() {
    let Bundle { config, weights, notes, .. } = model::read(&fixture("two-heads")).unwrap();
    assert!(notes[0].contains("tie_word_embeddings"), "{notes:?}");
    let ids: Vec<u32> = numbers(&expected()["ids"]).iter().map(|id| *id as u32).collect();
    let logits = block_on(Backend::Cpu.load(&config, &weights).unwrap().logits(&ids)).unwrap();
    let last = &logits[(ids.len() - 1) * config.vocab_size..];
    for (got, want) in last.iter().zip(numbers(&expected()["two-heads"])) {
        assert!((got - want).abs() < 1e-4, "{got} {want}");
    }
}

#[test]
fn more_positions_than_are_computed_are_no_obstacle() {
    let folder = copy(&fixture("bos"));
    edit(&folder, "config.json", |config| config["max_position_embeddings"] = 131_072.into());
    let bundle = model::read(folder.path()).unwrap();
    assert_eq!(bundle.config.max_position_embeddings, 32_768);
    assert!(bundle.notes[0].contains("131072 positions"), "{:?}", bundle.notes);
}

/// The files of another model's tokenizer: more tokens than the weights have rows, no end token, far fewer tokens.
#[test]
fn a_tokenizer_of_another_model_is_refused_or_noticed() {
    let atlas = Path::new(ATLAS);
    let with = |model: &Path, files: &[&str], other: &Path| {
        let folder = copy(model);
        for file in files {
            fs::copy(other.join(file), folder.path().join(file)).unwrap();
        }
        model::read(folder.path()).map(|bundle| bundle.notes).map_err(|error| format!("{error:#}"))
    };
    let both = ["tokenizer.json", "tokenizer_config.json"];
    let error = with(&fixture("bos"), &both, atlas).unwrap_err();
    assert!(
        error.contains("tokenizer.json: vocabulary: 2048 tokens, the model has 293. Use the tokenizer"),
        "{error}"
    );
    let error = with(atlas, &both[..1], &fixture("bos")).unwrap_err();
    assert!(error.contains("<|end|> is not a token of tokenizer.json. Use the tokenizer"), "{error}");
    let notes = with(atlas, &both, &fixture("bos")).unwrap();
    assert_eq!(notes, ["the tokenizer has 293 tokens, the model 2048: it may be another model's"]);
    assert!(with(atlas, &[], atlas).unwrap().is_empty());
}

#[test]
fn special_tokens_are_found_wherever_they_are_named() {
    let folder = copy(&fixture("bos"));
    let template = "{{ bos_token }}{{ eos_token }}{{ unk_token }}{{ pad_token }}";
    let written = || tokenizer(&folder).render(&[], false).unwrap();
    let settings = |json: Value| edit(&folder, "tokenizer_config.json", |config| *config = json.clone());
    settings(json!({"chat_template": template, "unk_token": {"content": "<unk>"}, "pad_token": "</s>"}));
    assert_eq!(written(), "<s></s><unk></s>", "bos and eos by config.json's ids");
    edit(&folder, "config.json", |config| {
        (config["bos_token_id"], config["eos_token_id"]) = (Value::Null, Value::Null);
    });
    settings(json!({"chat_template": template, "tokenizer_class": "LlamaTokenizer"}));
    assert_eq!(written(), "<s></s><unk>", "Llama's own");
    settings(json!({"chat_template": template}));
    let map = json!({"bos_token": "<s>", "eos_token": {"content": "</s>"}, "pad_token": "<unk>"});
    edit(&folder, "special_tokens_map.json", |file| *file = map.clone());
    assert_eq!(written(), "<s></s><unk>");
}

#[test]
fn a_response_ends_at_any_of_the_end_tokens_and_gets_no_second_one() {
    let folder = copy(Path::new(ATLAS));
    let second = 17;
    edit(&folder, "generation_config.json", |file| *file = json!({"eos_token_id": [0, second, 999_999]}));
    let plain = tokenizer(&folder);
    assert_eq!(plain.ends(), [0, second]);
    let turn = plain.token_text(second).unwrap();
    let template = format!(
        "{{% for m in messages %}}{{{{ m.content }}}}{{% if m.role == 'assistant' %}}{turn}{{% endif %}}{{% endfor %}}"
    );
    edit(&folder, "tokenizer_config.json", |config| config["chat_template"] = template.clone().into());
    let (_, response) = tokenizer(&folder).exchange(&[Message::user("Where?")], "In Paris.").unwrap();
    assert_eq!(response.last(), Some(&second), "{response:?}");
}

#[test]
fn a_token_for_padding_beyond_the_embedding_is_no_obstacle() {
    let folder = copy(&fixture("bos"));
    edit(&folder, "tokenizer.json", |json| {
        let id = json["model"]["vocab"].as_object().unwrap().len();
        let pad = json!({"id": id, "content": "[PAD]", "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true});
        json["added_tokens"].as_array_mut().unwrap().push(pad);
    });
    let Bundle { config, tokenizer, weights, .. } = model::read(folder.path()).unwrap();
    let mut base = Backend::Cpu.load(&config, &weights).unwrap();
    assert!(block_on(base.logits(&tokenizer.encode_text("The lamp").unwrap())).is_ok());
    let error = block_on(base.logits(&tokenizer.encode_text("[PAD]").unwrap())).unwrap_err().to_string();
    assert!(error.contains("tokens"), "{error}");
}

/// What is written for a model that adds bos is a tokenizer that adds it.
#[test]
fn a_saved_tokenizer_still_begins_texts_with_bos() {
    let tokenizer = model::read(&fixture("bos")).unwrap().tokenizer;
    let [(_, json), (_, config)] = tokenizer.files().unwrap();
    let files = TokenizerFiles { tokenizer: &json, config: Some(&config), ..TokenizerFiles::default() };
    let again = Tokenizer::read(&files, SpecialIds::default()).unwrap();
    assert_eq!(again.encode_text("The lamp").unwrap(), tokenizer.encode_text("The lamp").unwrap());
    assert_eq!(again.encode_text("The lamp").unwrap()[0], 1);
}
