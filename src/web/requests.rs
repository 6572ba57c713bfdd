//! What the page asks for beside a run: loading, answers, files, speed.

use std::borrow::Cow;
use std::io;

use web_sys::Blob;
use web_time::Instant;

use super::blob::BlobSource;
use super::border::{breathe, post, post_with};
use super::machine::open;
use crate::bench::{bench, keep_layers, measurement_ms, ways};
use crate::data::facts;
use crate::engine::{Backend, Choice, Found, Storage, rate, step_products};
use crate::error::{Error, Result};
use crate::lab::{Experiment, Session, Snapshot, Subject, memory};
use crate::model::bundle::{self, Bundle, TokenizerFiles, WeightFiles, title};
use crate::model::config::LlamaConfig;
use crate::model::lora::Lora;
use crate::model::peft;
use crate::model::shards;
use crate::model::source::Source;
use crate::record::*;

/// Reads a model, puts it on its back end, and says so.
pub async fn load(load: Load, blobs: &[Blob], found: &mut Found) -> Result<Session> {
    let (bundle, config) = read(&load.model, blobs)?;
    let facts = facts::parse(load.facts.as_bytes(), "facts.jsonl")?;
    *found = Found::parse(load.found.as_deref().unwrap_or_default());
    let (Choice { backend, reason, is_tried }, adapter) = open(load.backend, found).await?;
    if is_tried {
        remember(found);
    }
    if matches!(backend, Backend::Cpu) {
        memory::reserve(&config)?;
    }
    let base = backend.load_as(&config, &bundle.weights, load.weights.into())?;
    if let Backend::Gpu(gpu) = &backend {
        gpu.wait().await?; // says what it could not hold
    }
    let model = title(&load.model.name, &config);
    let parameters = config.parameters();
    let engine = if matches!(backend, Backend::Gpu(_)) { EngineName::Webgpu } else { EngineName::Cpu };
    let mut subject = Subject::new(model.clone(), bundle.tokenizer, facts, base, backend);
    subject.small = bundle.small;
    subject.storage = Storage { checkpoint: load.checkpoint, weights: load.weights.into() };
    let (memory, adapter_bytes) = (used_memory(), peft::most_bytes(&config));
    post(&Message::Ready { engine, adapter, reason, model, parameters, memory, adapter_bytes });
    Ok(Session::new(subject))
}

/// Says what a model is and what it takes on the back end of the session.
pub async fn inspect(
    session: &Session,
    model: &ModelFiles,
    blobs: &[Blob],
    settings: &Settings,
) -> Result<()> {
    let (bundle, config) = read(model, blobs)?;
    let Subject { backend, .. } = &session.subject;
    let available = memory::available(backend);
    let rate = rate(backend).await?;
    let ways = ways(&config, settings, backend, rate, available)?;
    let model = ModelInfo {
        title: title(&model.name, &config),
        parameters: config.parameters(),
        layers: config.num_hidden_layers as u32,
        vocabulary: config.vocab_size as u32,
        positions: config.max_position_embeddings as u32,
        notes: bundle.notes,
        ways,
        measurement_ms: measurement_ms(&config, settings, rate),
        available,
    };
    post(&Message::Inspected { model });
    Ok(())
}

/// A model's bundle, of whose weights nothing but the headers is read yet, and the configuration with the layers that are
/// kept.
fn read(model: &ModelFiles, blobs: &[Blob]) -> Result<(Bundle, LlamaConfig)> {
    let find = |name: &str| {
        let at = model.files.iter().position(|file| file == name);
        at.and_then(|at| blobs.get(at)).map(|blob| BlobSource(blob.clone()))
    };
    let bytes = |name: &str| -> Result<Option<Vec<u8>>> {
        let Some(source) = find(name) else { return Ok(None) };
        let read = source.read(0..source.size()).map(Cow::into_owned);
        read.map(Some).map_err(|error| missing(name, &error.to_string()))
    };
    let template = bytes("chat_template.jinja")?;
    let [tokenizer, config, special_tokens_map, generation_config] = [
        bytes("tokenizer.json")?,
        bytes("tokenizer_config.json")?,
        bytes("special_tokens_map.json")?,
        bytes("generation_config.json")?,
    ];
    let tokenizer = tokenizer.as_deref().map(|tokenizer| TokenizerFiles {
        tokenizer,
        config: config.as_deref(),
        special_tokens_map: special_tokens_map.as_deref(),
        generation_config: generation_config.as_deref(),
        chat_template: template.as_deref().and_then(|text| str::from_utf8(text).ok()),
    });
    let gguf = model.files.iter().find(|name| name.to_lowercase().ends_with(".gguf"));
    let bundle = match gguf.and_then(|name| find(name)) {
        Some(file) => Bundle::read(bundle::Files::Gguf { file: Box::new(file), tokenizer })?,
        None => {
            let needed = |name: &str| missing(name, "it is needed, beside a model's other files");
            let config = bytes("config.json")?.ok_or_else(|| needed("config.json"))?;
            let tokenizer = tokenizer.ok_or_else(|| needed("tokenizer.json"))?;
            let index = bytes(shards::INDEX)?;
            let open = |name: &str| {
                let file = find(name).map(|file| Box::new(file) as Box<dyn Source>);
                file.ok_or_else(|| io::ErrorKind::NotFound.into())
            };
            let weights = match (find("model.safetensors"), &index) {
                (Some(file), _) => WeightFiles::One(Box::new(file)),
                (None, Some(index)) => WeightFiles::Shards { index, open: &open },
                (None, None) => return Err(needed("model.safetensors")),
            };
            Bundle::read(bundle::Files::Folder { config: &config, tokenizer, weights })?
        }
    };
    let mut config = bundle.config.clone();
    model.layers.map_or(Ok(()), |layers| keep_layers(&mut config, layers as usize))?;
    memory::check_size(&config)?;
    Ok((bundle, config))
}

fn missing(file: &str, message: &str) -> Error {
    Error::Format {
        file: file.into(),
        field: "the file".into(),
        message: message.into(),
        remedy: "Choose all files of one model, or one GGUF file".into(),
    }
}

/// Bytes of the worker's memory, which never shrinks.
fn used_memory() -> u64 {
    const PAGE: u64 = 65_536;
    core::arch::wasm32::memory_size(0) as u64 * PAGE
}

/// Lets the products of a run's steps use the fastest kernels of the adapter.
pub async fn try_kernels(session: &Session, settings: &Settings, found: &mut Found) -> Result<()> {
    let Backend::Gpu(gpu) = &session.subject.backend else { return Ok(()) };
    if found.autotune(gpu, &session.products(settings)).await? {
        remember(found);
    }
    Ok(())
}

fn remember(found: &Found) {
    post(&Message::Found { json: found.json() });
}

/// An arm's files, part after part: the worker holds no more of them at once than [`crate::lab::MOST_OF_A_FILE`] bytes, in a few
/// copies.
pub async fn save(session: &mut Session, arm: ArmId) -> Result<()> {
    let take = async |file: &str, bytes: Vec<u8>| {
        post(&Message::Part { arm: arm.clone(), file: file.into(), bytes });
        breathe().await;
    };
    session.save(&arm, take).await?;
    post(&Message::Saved { arm });
    Ok(())
}

/// The runs of a preset.
pub fn experiment(preset: &str, seeds: u32) -> Result<Experiment> {
    let mut preset = Preset::by_name(preset).ok_or_else(|| Error::Setting {
        field: "preset",
        message: format!("there is no {preset}"),
        remedy: "Reload the page".into(),
    })?;
    preset.seeds = (1..=seeds.clamp(1, 10)).collect();
    Ok(Experiment::new(preset))
}

/// The run that checks an arm's borrowed answers.
pub fn check(session: &Session, arm: &str) -> Result<Experiment> {
    Experiment::of_check(session, arm).ok_or_else(|| Error::Setting {
        field: "arm",
        message: "it has borrowed no answer whose rows could be changed".into(),
        remedy: "Train until it does; a higher learning rate helps".into(),
    })
}

/// What an arm has come to, as a Blob: the page writes it where it likes, and never holds its bytes.
pub async fn snapshot(session: &mut Session, arm: &str) -> Result<()> {
    if session.state_bytes() > MOST_KEPT {
        return Ok(()); // counted over all arms, not this worker's share
    }
    let Snapshot { run, arm, step, bytes } = session.snapshot(arm).await?;
    let message = Message::Snapshot { run, arm, step, blobs: Blobs::default() };
    post_with(&message, &[js_sys::Uint8Array::from(bytes.as_slice())]);
    Ok(())
}

/// The arms' states that come with [`Command::Resume`](crate::record::Command::Resume).
pub fn states(blobs: &[Blob]) -> Result<Vec<Vec<u8>>> {
    let refuse = |error: io::Error| Error::Format {
        file: "run.safetensors".into(),
        field: "the run's state".into(),
        message: error.to_string(),
        remedy: "Begin the run anew".into(),
    };
    let whole = |blob: &Blob| {
        let source = BlobSource(blob.clone());
        source.read(0..source.size()).map(Cow::into_owned).map_err(refuse)
    };
    blobs.iter().map(whole).collect()
}

/// Holds an adapter that the page hands over.
pub fn add_adapter(session: &mut Session, name: &str, files: &[String], blobs: &[Blob]) -> Result<()> {
    let Subject { base, adapters, .. } = &mut session.subject;
    let bytes = |file: &str, most: u64| -> Result<Vec<u8>> {
        let refuse = |message: &str, remedy: &str| Error::Format {
            file: file.into(),
            field: "the file".into(),
            message: message.into(),
            remedy: remedy.into(),
        };
        let at = files.iter().position(|name| name == file);
        let blob = at.and_then(|at| blobs.get(at));
        let source = BlobSource(
            blob.ok_or_else(|| refuse("it is missing", "Choose the folder that PEFT saved"))?.clone(),
        );
        if source.size() > most {
            let message = format!("{} bytes are more than an adapter of this model has", source.size());
            return Err(refuse(&message, "Use an adapter that was made for this model"));
        }
        let read = source.read(0..source.size()).map(Cow::into_owned);
        read.map_err(|error| refuse(&error.to_string(), "Choose it again"))
    };
    let config = bytes(peft::CONFIG_FILE, peft::LONGEST_CONFIG)?;
    let weights = bytes(peft::WEIGHTS_FILE, peft::most_bytes(base.config()))?;
    adapters.read(name, &config, &weights, base.config())
}

/// Looks at a few more matrices of an arm's weights.
pub async fn look(session: &mut Session) -> Result<()> {
    if let Some(event) = session.go_on_looking().await? {
        post(&Message::Event { event: Box::new(event) });
    }
    let (done, total) = session.looked().unwrap_or((1, 1));
    post(&Message::Progress { stage: "weights".into(), done: done as u32, total: total as u32 });
    breathe().await;
    Ok(())
}

/// Measures the loaded model's speed, or that of one with random weights.
pub async fn measure_speed(
    session: &mut Session,
    settings: BenchSettings,
    random: Option<RandomModel>,
    found: &mut Found,
) -> Result<()> {
    let begun = Instant::now();
    session.stop_asking();
    let backend = session.subject.backend.clone();
    let mut built = match random {
        None => None,
        Some(random) => {
            let (name, config, weights) = random.build()?;
            Some((name, backend.load(&config, weights)?))
        }
    };
    let progress = async |done: usize, total: usize| {
        post(&Message::Progress { stage: "bench".into(), done: done as u32, total: total as u32 });
        breathe().await;
    };
    let Subject { base, title, .. } = &mut session.subject;
    let (name, model) = match &mut built {
        Some((name, model)) => (&*name, model),
        None => (&*title, base),
    };
    if let Backend::Gpu(gpu) = &backend {
        let lora = Lora::of(&LoraSpec { rank: settings.rank, ..LoraSpec::default() });
        let tokens = settings.batch * settings.time;
        if found.autotune(gpu, &step_products(model.config(), tokens, tokens, &lora)).await? {
            remember(found);
        }
    }
    let report = bench(name, &backend, model, settings, begun, progress).await?;
    post(&Message::Bench { report: Box::new(report) });
    Ok(())
}
