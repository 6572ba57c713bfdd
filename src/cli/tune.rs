//! `driftscope tune`: fine-tunes a model on an instruction set.

mod args;
mod saved;

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use pollster::block_on;
use serde_json::{Map, Value};

use super::opened::read_adapter;
use super::{model, outputs, progress_bar, remembered, write_whole};
use crate::data::batch::Batch;
use crate::data::feed::Feed;
use crate::data::instructions;
use crate::engine::{Backend, MemoryPlan, Model, StepMetrics, Tuning, merge_adapter, step_products};
use crate::model::bundle::Bundle;
use crate::model::checkpoint::Provide;
use crate::model::lora::{AdapterStart, Lora};
use crate::model::peft;
use crate::model::weights::{self, Array, Precision, Weights};
use crate::record::{self, ArmSpec, LoraSpec, Settings};
use crate::train::Optimizer;
use crate::train::schedule::Schedule;

pub use args::Args;
use args::Method;
use saved::Saved;

/// Steps that are queued before their losses are waited for.
const QUEUED: u32 = 16;

/// A line of the log.
#[derive(serde::Serialize)]
struct LogLine {
    /// From 1.
    step: u32,
    /// Before the update, nats.
    loss: f32,
    lr: f32,
    /// Before clipping.
    grad_norm: f32,
    /// Response tokens of the step.
    tokens: usize,
}

pub fn run(args: Args) -> Result<()> {
    let bundle = model::read(&args.model)?;
    let given = args.adapter.as_deref().map(|dir| read_adapter(dir, &bundle.config)).transpose()?;
    let settings = args.settings(given.as_ref())?;
    let arm = &settings.arms[0];
    let feed = feed(&args, &bundle, &settings)?;
    check_outputs(&args)?;
    let saved = args
        .save
        .as_deref()
        .map(|folder| Ok::<_, anyhow::Error>(Saved::new(folder, asked(&args, &settings)?)));
    let saved = saved.transpose()?;
    let resumed = saved.as_ref().filter(|_| args.resume).map(Saved::read).transpose()?;
    let mut step = resumed.as_ref().map_or(0, |progress| progress.step);
    let mut log = args.log.as_deref().map(|path| open_log(path, step)).transpose()?;
    let (backend, engine) = args.backend.open()?;
    eprintln!("{engine}, {} examples", feed.len());

    let mut model = start(&args, &backend, &bundle, arm, given, &settings)?;
    let (rows, time, accumulate) = feed.shape(0);
    remembered::autotune(&backend, &step_products(&bundle.config, rows * time, rows * time, &lora(arm)))?;
    if let Some(plan) = model.memory_plan(rows, time, accumulate)? {
        eprintln!("{}", memory_line(&plan));
    }
    if let Some(progress) = resumed {
        block_on(model.restore(&progress))?;
        eprintln!("resumed after step {step}");
    }
    let schedule = Schedule::of(arm, settings.steps);
    let bar = progress_bar(u64::from(settings.steps));
    bar.set_position(u64::from(step));
    while step < settings.steps {
        let next_save = args.save_every.map_or(u32::MAX, |every| (step / every + 1) * every);
        let end = settings.steps.min(step + QUEUED.min(model.pending_limit() as u32)).min(next_save);
        let mut queued = Vec::new();
        for index in step..end {
            let micro = feed.step(index as usize, 0);
            let lr = schedule.rate(index as usize) as f32;
            model.accumulated_step(&micro, lr)?;
            queued.push((lr, micro.iter().map(Batch::response_tokens).sum::<usize>()));
        }
        for (metrics, (lr, tokens)) in block_on(model.take_metrics())?.into_iter().zip(queued) {
            step += 1;
            ensure!(
                metrics.loss.is_finite() && metrics.grad_norm.is_finite(),
                "step {step}: the loss is {} and the gradient's norm {}; use a smaller --lr or a longer --warmup",
                metrics.loss,
                metrics.grad_norm
            );
            if let Some((path, log)) = &mut log {
                let StepMetrics { loss, grad_norm } = metrics;
                let line = serde_json::to_string(&LogLine { step, loss, lr, grad_norm, tokens })?;
                writeln!(log, "{line}")
                    .and_then(|()| log.flush())
                    .with_context(|| format!("--log {} can't be written", path.display()))?;
            }
            bar.set_message(format!("loss {:.4}", metrics.loss));
            bar.inc(1);
        }
        if let Some(saved) = saved.as_ref().filter(|_| step == next_save && step < settings.steps) {
            saved.write(&block_on(model.progress())?)?;
        }
    }
    bar.finish();
    if let Some(folder) = &args.save {
        save(&args, folder, &bundle, &model, arm)?;
    }
    saved.map_or(Ok(()), |saved| saved.remove())
}

/// What decides how training goes, for a later --resume to be compared with.
fn asked(args: &Args, settings: &Settings) -> Result<Map<String, Value>> {
    let Value::Object(mut asked) = serde_json::to_value(settings)? else { return Ok(Map::new()) };
    let data = fs::metadata(&args.data).map(|data| data.len()).unwrap_or_default();
    let adapter = args.adapter.as_ref().map(|path| path.display().to_string());
    for (name, value) in [
        ("model", args.model.display().to_string().into()),
        ("data", args.data.display().to_string().into()),
        ("bytes of the data", data.into()),
        ("adapter", adapter.into()),
        ("no_shuffle", args.no_shuffle.into()),
        ("weights", format!("{:?}", args.weights).to_lowercase().into()),
    ] {
        asked.insert(name.into(), value);
    }
    Ok(asked)
}

/// The tokenised examples, those without a response token within --max-len left out.
fn feed(args: &Args, bundle: &Bundle, settings: &Settings) -> Result<Feed> {
    let text = fs::read_to_string(&args.data)
        .with_context(|| format!("--data {} can't be read", args.data.display()))?;
    let file = args.data.display().to_string();
    let max_len = settings.max_len as usize;
    let mut sequences = Vec::new();
    let (mut dropped, mut cut) = (0, 0);
    for example in instructions::parse(&text, &file)? {
        let sequence = example.tokenize(&bundle.tokenizer, usize::MAX)?;
        cut += usize::from(sequence.tokens.len() > max_len);
        let sequence = sequence.cut(max_len);
        match sequence.targets() {
            0 => dropped += 1,
            _ => sequences.push(sequence),
        }
    }
    if cut > 0 {
        eprintln!("{file}: {cut} examples are longer than --max-len {max_len} and are cut there");
    }
    if dropped > 0 {
        eprintln!("{file}: {dropped} examples have no response within --max-len {max_len} and are left out");
    }
    ensure!(!sequences.is_empty(), "{file}: no example has a response within --max-len {max_len}; raise it");
    let longest = bundle.config.max_position_embeddings;
    ensure!(
        sequences.iter().all(|s| s.tokens.len() <= longest),
        "{file}: an example has more tokens than the model's {longest} positions; use --max-len {longest}"
    );
    let seed = (!args.no_shuffle).then_some(u64::from(settings.seed));
    Ok(Feed::new(sequences, settings.batch, settings.accumulate, seed))
}

/// Found out before the training, not after it.
fn check_outputs(args: &Args) -> Result<()> {
    let mut inputs: Vec<outputs::Named> = vec![("--data", &args.data), ("--model", &args.model)];
    inputs.extend(args.adapter.as_deref().map(|adapter| ("--adapter", adapter)));
    let written = [("--log", &args.log), ("--save", &args.save)];
    let written: Vec<_> =
        written.iter().filter_map(|(option, path)| Some((*option, path.as_deref()?))).collect();
    outputs::spare_inputs(&written, &inputs)?;
    let Some(folder) = &args.save else { return Ok(()) };
    outputs::keep_apart(folder, args.method == Method::Lora)?;
    let trial = folder.join(".driftscope-trial");
    write_whole(&trial, b"trial").with_context(|| format!("--save {}", folder.display()))?;
    fs::remove_file(&trial).with_context(|| format!("--save {}", folder.display()))
}

/// The log, from its first line or after the steps that were taken already.
fn open_log(path: &Path, taken: u32) -> Result<(PathBuf, BufWriter<fs::File>)> {
    let failed = || format!("--log {} can't be written", path.display());
    if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        fs::create_dir_all(folder).with_context(failed)?;
    }
    let file = match taken {
        0 => fs::File::create(path),
        _ => {
            saved::cut_log(path, taken)?;
            fs::OpenOptions::new().append(true).open(path)
        }
    };
    Ok((path.to_path_buf(), BufWriter::new(file.with_context(failed)?)))
}

/// The model that trains.
fn start(
    args: &Args,
    backend: &Backend,
    bundle: &Bundle,
    arm: &ArmSpec,
    given: Option<peft::Adapter>,
    settings: &Settings,
) -> Result<Model> {
    let mut weights: Box<dyn Provide> = Box::new(&bundle.weights);
    let mut tuning = Tuning::of(arm, u64::from(settings.seed));
    match (&mut tuning, given) {
        (Tuning::Lora { lora, start }, Some(adapter)) => {
            (*lora, *start) = (adapter.lora, AdapterStart::Tensors(Rc::new(adapter.tensors)));
        }
        (Tuning::Full, Some(adapter)) => {
            let base = bundle.weights.all()?;
            weights = Box::new(merge_adapter(&bundle.config, base, &adapter.lora, adapter.tensors)?);
        }
        (_, None) => {}
    }
    let base = backend.load_as(&bundle.config, weights, args.weights.into())?;
    let model = base.tune(&tuning, Optimizer::of(arm, settings))?;
    Ok(if args.checkpoint { model.checkpointed() } else { model })
}

/// The arm's adapter; where it has none, one of the usual shape.
fn lora(arm: &ArmSpec) -> Lora {
    match &arm.method {
        record::Method::Lora(spec) => Lora::of(spec),
        record::Method::Full {} => Lora::of(&LoraSpec::default()),
    }
}

/// "memory: weights 8.1 MB, gradients 0.3 MB, ..., total 20.4 MB".
fn memory_line(plan: &MemoryPlan) -> String {
    let MemoryPlan { weights, gradients, moments, activations, head, other, total, .. } = *plan;
    let parts = [
        ("weights", weights),
        ("gradients", gradients),
        ("moments", moments),
        ("activations", activations),
        ("head", head),
        ("other", other),
        ("total", total),
    ];
    let parts = parts.map(|(name, bytes)| format!("{name} {:.1} MB", bytes as f64 / 1e6));
    format!("memory: {}", parts.join(", "))
}

fn save(args: &Args, folder: &Path, bundle: &Bundle, model: &Model, arm: &ArmSpec) -> Result<()> {
    let tensors = block_on(model.tensors())?;
    let tensors: Weights =
        tensors.into_iter().map(|(name, (shape, data))| (name, Array { shape, data })).collect();
    match args.method {
        Method::Lora => {
            let base = args.model.display().to_string();
            for (name, bytes) in peft::files(&lora(arm), &tensors, &base)? {
                write_whole(&folder.join(name), &bytes)?;
            }
        }
        Method::Full => {
            // The folder is a model of its own.
            let Bundle { config, tokenizer, small, .. } = bundle;
            for (name, bytes) in small.beside_weights(Precision::F32, config, tokenizer)? {
                write_whole(&folder.join(name), &bytes)?;
            }
            write_whole(&folder.join("model.safetensors"), &weights::write(&tensors, Precision::F32)?)?;
        }
    }
    eprintln!("saved to {}", folder.display());
    Ok(())
}
