//! What the page asks for beside a run: loading, answers, files, speed.

use web_time::Instant;

use super::border::{breathe, post};
use super::machine::open;
use crate::bench::bench;
use crate::data::facts;
use crate::engine::{Backend, Choice, Found, step_products};
use crate::error::Result;
use crate::lab::{Asked, Session, Subject};
use crate::model::bundle::{self, Bundle, TokenizerFiles, WeightFiles};
use crate::model::lora::Lora;
use crate::record::*;

/// Reads a model, puts it on its back end, and says so.
pub async fn load(files: Files, found: &mut Found) -> Result<Session> {
    let bundle = Bundle::read(&bundle::Files::Folder {
        config: files.config.as_bytes(),
        tokenizer: TokenizerFiles {
            tokenizer: files.tokenizer.as_bytes(),
            config: files.tokenizer_config.as_deref().map(str::as_bytes),
            ..TokenizerFiles::default()
        },
        weights: WeightFiles::One(&files.weights),
    })?;
    let facts = facts::parse(files.facts.as_bytes(), "facts.jsonl")?;
    *found = Found::parse(files.found.as_deref().unwrap_or_default());
    let (Choice { backend, reason, is_tried }, adapter) = open(files.backend, found).await?;
    if is_tried {
        remember(found);
    }
    let model = bundle.title(&files.name);
    let parameters = bundle.config.parameters() as u64;
    let base = backend.load(&bundle.config, bundle.weights)?;
    let engine = if matches!(backend, Backend::Gpu(_)) { EngineName::Webgpu } else { EngineName::Cpu };
    let subject = Subject::new(model.clone(), bundle.tokenizer, facts, base, backend);
    post(&Message::Ready { engine, adapter, reason, model, parameters });
    Ok(Session::new(subject))
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

/// The base's and every arm's answer, one after the other.
pub async fn ask(session: &mut Session, id: u32, question: &str, asked: Asked) -> Result<()> {
    for arm in session.all_models() {
        let tokens = session.ask(&arm, question, asked).await?;
        post(&Message::Answer { id, arm, tokens });
        breathe().await;
    }
    Ok(())
}

pub async fn save(session: &mut Session, arm: ArmId) -> Result<()> {
    for (file, bytes) in session.save(&arm).await? {
        post(&Message::Saved { arm: arm.clone(), file, bytes });
    }
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
    let backend = session.subject.backend.clone();
    let mut built = match random {
        None => None,
        Some(random) => {
            let (name, config, weights) = random.build()?;
            Some((name, backend.load(&config, weights)?))
        }
    };
    let progress = async |done: usize, total: usize| {
        post(&Message::Progress { stage: "measuring".into(), done: done as u32, total: total as u32 });
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
