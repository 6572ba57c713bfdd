//! A pretrained model as llama.cpp wrote it: prompts, logits and greedy answers are transformers'
//! (tests/parity/make_smollm2.py). `scripts/smollm2` fetches it; where it can't, this test says so and passes.

use std::path::Path;
use std::process::Command;

use driftscope::cli::model;
use driftscope::engine::Backend;
use driftscope::model::tokenizer::Message;
use driftscope::record::Sampling;
use pollster::block_on;
use serde_json::Value;

const CASES: &str = include_str!("fixtures/smollm2.json");

#[test]
fn a_pretrained_model_answers_as_in_transformers() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/smollm2");
    let fetched = Command::new(script).output().unwrap();
    if !fetched.status.success() {
        let why = String::from_utf8_lossy(&fetched.stderr);
        eprintln!("SmolLM2-135M is not here and can't be fetched; nothing was tested:\n{why}");
        return;
    }
    let path = String::from_utf8(fetched.stdout).unwrap();
    let bundle = model::read(Path::new(path.trim())).unwrap();
    let (tokenizer, vocabulary) = (bundle.tokenizer, bundle.config.vocab_size);
    let mut base = Backend::Cpu.load(&bundle.config, &bundle.weights).unwrap();
    for case in serde_json::from_str::<Vec<Value>>(CASES).unwrap() {
        let numbers = |field: &str| -> Vec<f64> {
            case[field].as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
        };
        let prompt = tokenizer.prompt(&[Message::user(case["question"].as_str().unwrap())]).unwrap();
        assert_eq!(prompt.iter().map(|id| f64::from(*id)).collect::<Vec<_>>(), numbers("prompt"));
        let logits = block_on(base.logits(&prompt)).unwrap();
        let last = &logits[(prompt.len() - 1) * vocabulary..];
        for (got, want) in last.iter().zip(numbers("logits")) {
            // Sums of 576 terms in another order, through 30 layers.
            assert!((f64::from(*got) - want).abs() < 1e-3, "{got} {want}");
        }
        let answers = block_on(base.generate(&[prompt], 24, tokenizer.ends(), Sampling::default())).unwrap();
        assert_eq!(tokenizer.decode(&answers[0]).unwrap(), case["answer"].as_str().unwrap());
    }
}
