//! A million mutated bytes for each loader of people's files: errors, and never a panic, which would end a browser's worker.

use driftscope::data::instructions;
use driftscope::model::config::LlamaConfig;
use driftscope::model::lora::Lora;
use driftscope::model::peft;
use driftscope::model::tokenizer::{Message, SpecialIds, Tokenizer, TokenizerFiles};
use driftscope::model::weights::{self, Precision};
use driftscope::record::Target;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Mutated bytes for each loader.
const BYTES: usize = 1_000_000;

/// `bytes` with `n` of them replaced, by chance cut off.
fn mutated(rng: &mut ChaCha8Rng, bytes: &[u8], n: usize) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for _ in 0..n {
        let at = rng.random_range(0..out.len());
        out[at] = match rng.random_range(0..3) {
            0 => rng.random(),
            1 => b"{}[]()'\"%|.,:-0#\\"[rng.random_range(0..17)],
            _ => out[rng.random_range(0..out.len())],
        };
    }
    if rng.random_range(0..8) == 0 {
        out.truncate(rng.random_range(1..=out.len()));
    }
    out
}

#[test]
fn templates() {
    let file: serde_json::Value = serde_json::from_str(include_str!("fixtures/templates.json")).unwrap();
    let turns: Vec<Message> = serde_json::from_value(file["conversation"].clone()).unwrap();
    let json = std::fs::read("tests/fixtures/real/bos/tokenizer.json").unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut n = 0;
    while n < BYTES {
        for case in file["cases"].as_object().unwrap().values() {
            let k = rng.random_range(1..40);
            n += k;
            let source =
                String::from_utf8_lossy(&mutated(&mut rng, case["template"].as_str().unwrap().as_bytes(), k))
                    .into_owned();
            let files =
                TokenizerFiles { tokenizer: &json, chat_template: Some(&source), ..Default::default() };
            if let Ok(t) = Tokenizer::read(&files, SpecialIds { eos: &[2], ..Default::default() }) {
                let _ = t.render(&turns, true);
            }
        }
    }
}

#[test]
fn tokenizers() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let [a, b] = ["bos", "prefix-space"]
        .map(|f| std::fs::read(format!("tests/fixtures/real/{f}/tokenizer.json")).unwrap());
    let config = br#"{"bos_token":"<s>","eos_token":{"content":"</s>"},"unk_token":"<unk>","add_bos_token":true,"tokenizer_class":"LlamaTokenizer"}"#;
    let mut n = 0;
    while n < BYTES {
        for file in [&a, &b] {
            let k = rng.random_range(1..30);
            n += k;
            let (file, config) = (mutated(&mut rng, file, k), mutated(&mut rng, config, k.min(3)));
            let files = TokenizerFiles {
                tokenizer: &file,
                config: Some(&config),
                special_tokens_map: Some(&config),
                generation_config: Some(br#"{"eos_token_id":[1,2]}"#),
                ..Default::default()
            };
            if let Ok(t) = Tokenizer::read(&files, SpecialIds { eos: &[2], ..Default::default() }) {
                let _ = t.continuation("The lamp is", " green");
                let _ = t.exchange(&[Message::user("Hi")], "x");
                let _ = t.files();
            }
        }
    }
}

#[test]
fn adapters_and_rows() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let model = LlamaConfig::from_json(br#"{"hidden_size":4,"intermediate_size":6,"num_hidden_layers":2,"num_attention_heads":2,"num_key_value_heads":1,"vocab_size":5,"tie_word_embeddings":true}"#).unwrap();
    let lora = Lora {
        rank: 2,
        alpha: 3.0,
        targets: vec![Target::QProj, Target::DownProj],
        rank_stabilised: false,
        dora: false,
    };
    let file = weights::write(&lora.initial(&model, 1), Precision::F32).unwrap();
    let configs = [
        r#"{"r":2,"lora_alpha":6,"target_modules":["q_proj","down_proj"],"rank_pattern":{"down_proj":3},"alpha_pattern":{"layers.0.q_proj":5}}"#,
        r#"{"r":2,"lora_alpha":6,"layers_to_transform":[1],"target_modules":".*q_proj"}"#,
    ];
    let rows = r#"{"instruction":"Add","input":null,"output":2,"messages":null}
{"messages":[{"role":"user","content":[{"type":"text","text":"A"},"B"]},{"role":"assistant","content":"C"}]}"#;
    let mut n = 0;
    while n < BYTES {
        for config in configs {
            let k = rng.random_range(0..6);
            n += 2 * k + 2;
            let _ =
                peft::read(&mutated(&mut rng, config.as_bytes(), k), &mutated(&mut rng, &file, k), &model);
            let _ =
                instructions::parse(&String::from_utf8_lossy(&mutated(&mut rng, rows.as_bytes(), k)), "x");
        }
    }
}
