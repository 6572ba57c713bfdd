//! Short runs on Atlas.

use std::fs;
use std::path::PathBuf;

use driftscope::data::facts;
use driftscope::engine::Backend;
use driftscope::lab::{Session, Slice, Subject, Texts};
use driftscope::model::checkpoint;
use driftscope::model::config::LlamaConfig;
use driftscope::model::tokenizer::{SpecialIds, Tokenizer, TokenizerFiles};
use driftscope::record::*;
use pollster::block_on;

pub fn read(path: &str) -> Vec<u8> {
    fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

pub fn text(path: &str) -> String {
    String::from_utf8(read(path)).unwrap()
}

pub fn texts() -> Texts {
    let (instructions, heldout) = (text("data/instructions.jsonl"), text("data/heldout.jsonl"));
    Texts { instructions, heldout, ..Texts::default() }
}

pub fn session() -> Session {
    session_on(Backend::Cpu)
}

pub fn session_on(backend: Backend) -> Session {
    let mut config = LlamaConfig::from_json(&read("models/atlas/config.json")).unwrap();
    let file = Box::new(read("models/atlas/model.safetensors"));
    let mut tensors = checkpoint::Checkpoint::safetensors("model.safetensors", file).unwrap();
    tensors.fit(&mut config, "model.safetensors").unwrap();
    let (vocabulary, settings) =
        (read("models/atlas/tokenizer.json"), read("models/atlas/tokenizer_config.json"));
    let files =
        TokenizerFiles { tokenizer: &vocabulary, config: Some(&settings), ..TokenizerFiles::default() };
    let tokenizer = Tokenizer::read(&files, SpecialIds::default()).unwrap();
    let facts = facts::parse(&read("data/facts.jsonl"), "facts.jsonl").unwrap();
    let base = backend.load(&config, &tensors).unwrap();
    Session::new(Subject::new("Atlas".into(), tokenizer, facts, base, backend))
}

/// Without warm-up, so that the first step moves.
pub fn lora() -> ArmSpec {
    ArmSpec { warmup: 0, ..ArmSpec::lora(1e-3) }
}

pub fn full() -> ArmSpec {
    ArmSpec { warmup: 0, ..ArmSpec::full(1e-3) }
}

/// Two steps of one arm, few probes.
pub fn short() -> Settings {
    Settings {
        arms: vec![lora()],
        steps: 2,
        measure_every: 2,
        probes: 16,
        asked: 8,
        shift_prompts: 4,
        answer_len: 24,
        ..Settings::default()
    }
}

/// Everything that a slice allows.
pub fn all(session: &mut Session, slice: Slice<'_>) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some(more) = block_on(session.advance(slice)).unwrap() {
        events.extend(more);
    }
    events
}

/// A run to its end: what it began with, and its events.
pub fn run(session: &mut Session, settings: Settings) -> (RunInfo, Vec<Event>) {
    let Event::Run(info) = block_on(session.start(settings, &texts())).unwrap() else { unreachable!() };
    (info, all(session, Slice::WHOLE))
}

pub fn measures(events: &[Event]) -> Vec<&Measure> {
    events.iter().filter_map(|event| if let Event::Measure(m) = event { Some(m) } else { None }).collect()
}
