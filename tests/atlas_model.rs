//! The committed model folder: it loads, it answers, and candle's own Llama agrees with ours.

use std::fs;
use std::path::PathBuf;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::llama as oracle;
use driftscope::data::facts;
use driftscope::engine::Backend;
use driftscope::error::Result;
use driftscope::model::checkpoint::Checkpoint;
use driftscope::model::config::LlamaConfig;
use driftscope::model::tokenizer::{Message, SpecialIds, Tokenizer, TokenizerFiles};
use driftscope::model::weights::Weights;
use driftscope::record::Sampling;
use driftscope::reference::llama::{Llama, named};
use pollster::block_on;

fn read(path: &str) -> Vec<u8> {
    fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn tokenizer_of(json: &[u8], config: Option<&[u8]>, chat_template: Option<&str>) -> Result<Tokenizer> {
    let files = TokenizerFiles { tokenizer: json, config, chat_template, ..TokenizerFiles::default() };
    Tokenizer::read(&files, SpecialIds::default())
}

fn atlas() -> (LlamaConfig, Weights, Tokenizer) {
    let mut config = LlamaConfig::from_json(&read("models/atlas/config.json")).unwrap();
    let file = Box::new(read("models/atlas/model.safetensors"));
    let mut tensors = Checkpoint::safetensors("model.safetensors", file).unwrap();
    tensors.fit(&mut config, "model.safetensors").unwrap();
    let settings = read("models/atlas/tokenizer_config.json");
    let tokenizer = tokenizer_of(&read("models/atlas/tokenizer.json"), Some(&settings), None).unwrap();
    (config, tensors.all().unwrap(), tokenizer)
}

fn question(tokenizer: &Tokenizer, text: &str) -> Vec<u32> {
    tokenizer.prompt(&[Message::user(text)]).unwrap()
}

#[test]
fn logits_equal_candles_inference_llama() {
    let (config, tensors, tokenizer) = atlas();
    let ids = tokenizer.encode("The capital of France is Paris. Iron is element number 26.").unwrap();
    let ours = Llama::frozen(&config, &named(tensors.clone()).unwrap()).unwrap();
    let ours = ours.forward(&ids, 1).unwrap();

    let named = tensors.iter().map(|(name, array)| {
        (name.clone(), Tensor::from_slice(&array.data, array.shape.as_slice(), &Device::Cpu).unwrap())
    });
    let builder = VarBuilder::from_tensors(named.collect(), DType::F32, &Device::Cpu);
    let theirs = oracle::Config {
        hidden_size: config.hidden_size,
        intermediate_size: config.intermediate_size,
        vocab_size: config.vocab_size,
        num_hidden_layers: config.num_hidden_layers,
        num_attention_heads: config.num_attention_heads,
        num_key_value_heads: config.num_key_value_heads,
        use_flash_attn: false,
        rms_norm_eps: config.rms_norm_eps,
        rope_theta: config.rope_theta as f32,
        bos_token_id: None,
        eos_token_id: None,
        rope_scaling: None,
        max_position_embeddings: config.max_position_embeddings,
        tie_word_embeddings: config.tie_word_embeddings,
    };
    let model = oracle::Llama::load(builder, &theirs).unwrap();
    // It returns the last position only, so each position is the last of its own call.
    for end in [1, 2, ids.len() / 2, ids.len()] {
        let mut cache = oracle::Cache::new(false, DType::F32, &theirs, &Device::Cpu).unwrap();
        let input = Tensor::from_slice(&ids[..end], (1, end), &Device::Cpu).unwrap();
        let expected = model.forward(&input, 0, &mut cache).unwrap().flatten_all().unwrap();
        let expected = expected.to_vec1::<f32>().unwrap();
        let got = ours.narrow(1, end - 1, 1).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        for (got, expected) in got.iter().zip(&expected) {
            assert!((got - expected).abs() < 1e-4 * (1.0 + expected.abs()), "{got} {expected}");
        }
    }
}

#[test]
fn an_exchange_is_prompt_and_response() {
    let (_, _, tokenizer) = atlas();
    let messages = [Message::user("Where is Peru?"), Message::assistant("In South America.")];
    let text = tokenizer.render(&messages, false).unwrap();
    assert_eq!(text, "User: Where is Peru?\nAssistant: In South America.<|end|>");
    let prompt = tokenizer.render(&messages[..1], true).unwrap();
    assert_eq!(prompt, "User: Where is Peru?\nAssistant:");
    let (prompt, response) = tokenizer.exchange(&messages[..1], "In South America.").unwrap();
    assert_eq!([prompt, response.clone()].concat(), tokenizer.encode(&text).unwrap());
    assert_eq!(response.last(), Some(&tokenizer.eos_id()));
    assert_eq!(tokenizer.decode(&response).unwrap(), " In South America.<|end|>");
}

#[test]
fn other_chat_templates_render() {
    let tokenizer_json = read("models/atlas/tokenizer.json");
    let template = "{%- for message in messages %}\n{%- if message['role'] not in ['user', 'assistant'] %}\n\
        {{- raise_exception('no such role') }}\n{%- endif %}\n\
        {{- '<|im_start|>' + message['role'] + '\\n' + message['content'].strip() + '<|im_end|>\\n' }}\n\
        {%- endfor %}\n{%- if add_generation_prompt %}\n{{- '<|im_start|>assistant\\n' }}\n{%- endif %}\n";
    let tokenizer = tokenizer_of(&tokenizer_json, None, Some(template)).unwrap();
    let text = tokenizer.render(&[Message::user(" Hi ")], true).unwrap();
    assert_eq!(text, "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
    let odd = Message { role: "tool".to_string(), content: String::new() };
    assert!(tokenizer.render(&[odd], false).unwrap_err().to_string().contains("no such role"));
}

#[test]
fn token_texts_join_to_the_text() {
    let (_, _, tokenizer) = atlas();
    let text = "The symbol of iron is Fe.";
    let ids = tokenizer.encode(text).unwrap();
    let joined: String = ids.iter().map(|id| tokenizer.token_text(*id).unwrap()).collect();
    assert_eq!(joined, text);
    assert!(tokenizer_of(b"{}", None, None).is_err());
}

#[test]
fn the_base_answers_and_stops() {
    let (config, tensors, tokenizer) = atlas();
    let mut model = Backend::Cpu.load(&config, tensors).unwrap();
    let facts = facts::parse(&read("data/facts.jsonl"), "facts.jsonl").unwrap();
    let sample: Vec<_> = facts.iter().step_by(60).collect();
    let prompts: Vec<_> = sample.iter().map(|fact| question(&tokenizer, &fact.asked().prompt)).collect();
    let answers = block_on(model.generate(&prompts, 32, tokenizer.ends(), Sampling::default())).unwrap();
    let right = sample.iter().zip(&answers).filter(|(fact, answer)| {
        answer.len() < 32 && tokenizer.decode(answer).unwrap().contains(&fact.object)
    });
    let right = right.count();
    assert!(right * 100 >= sample.len() * 85, "{right} of {}", sample.len());
}

/// One row of the fixture that `scripts/make-logits-fixture.py` writes.
#[derive(serde::Deserialize)]
struct Expected {
    question: String,
    prompt: String,
    ids: Vec<u32>,
    /// Every 16th logit of the last position.
    logits: Vec<f32>,
    answer: String,
}

#[test]
fn transformers_agrees() {
    let (config, tensors, tokenizer) = atlas();
    let mut model = Backend::Cpu.load(&config, tensors).unwrap();
    let rows: Vec<Expected> = serde_json::from_slice(&read("tests/fixtures/atlas_logits.json")).unwrap();
    assert!(!rows.is_empty());
    for row in rows {
        assert_eq!(tokenizer.render(&[Message::user(&row.question)], true).unwrap(), row.prompt);
        let ids = question(&tokenizer, &row.question);
        assert_eq!(ids, row.ids);
        let logits = block_on(model.logits(&ids)).unwrap();
        for (got, expected) in
            logits[(ids.len() - 1) * config.vocab_size..].iter().step_by(16).zip(&row.logits)
        {
            assert!((got - expected).abs() < 1e-4 * (1.0 + expected.abs()), "{got} {expected}");
        }
        let answers = block_on(model.generate(&[ids], 32, tokenizer.ends(), Sampling::default())).unwrap();
        let answer = [&answers[0][..], &[tokenizer.eos_id()]].concat();
        assert_eq!(tokenizer.decode(&answer).unwrap(), row.answer);
    }
}
