//! `driftscope tune`: fine-tunes a model on an instruction set.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use pollster::block_on;

use super::opened::{BackendName, read_adapter};
use super::{model, write_whole};
use crate::data::batch::Batch;
use crate::data::feed::Feed;
use crate::data::instructions;
use crate::engine::{Backend, MemoryPlan, Model, StepMetrics, Tuning};
use crate::lab::{ArmName, ScheduleKind, Settings, Target};
use crate::model::bundle::Bundle;
use crate::model::peft;
use crate::model::weights::{self, Array, Precision, Weights};
use crate::train::{AdapterStart, Lora};

/// Steps that are queued before their losses are waited for.
const QUEUED: u32 = 16;

/// Fine-tunes a model with LoRA or fully, as PyTorch with PEFT would.
///
/// Data is JSONL: {"instruction", "input", "output"} or {"messages": […]} a line. The loss is the mean over
/// the response tokens of a step. The log has a line for each step, with the loss before its update and the
/// gradient's norm before clipping.
///
/// Examples:
///   driftscope tune --model models/atlas --data data/instructions.jsonl --method lora --save build/lora
///   driftscope tune --model models/atlas --data data/instructions.jsonl --method full --lr 1e-4 \
///     --steps 200 --schedule cosine --warmup 20 --weight-decay 0.1 --save build/full --log build/full.jsonl
#[derive(Clone, Debug, clap::Args)]
#[command(verbatim_doc_comment, args_override_self = true)]
pub struct Args {
    /// A Hugging Face folder (config.json, model.safetensors, tokenizer.json) or a GGUF file.
    #[arg(long, value_name = "DIR|FILE.gguf")]
    model: PathBuf,
    /// The instruction set.
    #[arg(long, value_name = "FILE.jsonl")]
    data: PathBuf,
    /// What is trained: an adapter, or every weight.
    #[arg(long, value_enum)]
    method: Method,
    /// LoRA: r, the rank of the update [default: 8].
    #[arg(long)]
    rank: Option<u32>,
    /// LoRA: the update is scaled by alpha / r [default: 16].
    #[arg(long)]
    alpha: Option<f32>,
    /// LoRA: the linear layers that are adapted, separated by commas [default: all seven].
    #[arg(long, value_delimiter = ',', value_parser = target)]
    targets: Option<Vec<Target>>,
    /// LoRA: scale by alpha / sqrt(r) (rsLoRA).
    #[arg(long)]
    rslora: bool,
    /// LoRA: train the lengths of the adapted weights' rows too (DoRA).
    #[arg(long)]
    dora: bool,
    /// Peak learning rate.
    #[arg(long, default_value_t = 1e-3)]
    lr: f32,
    /// Optimiser steps.
    #[arg(long, default_value_t = 200)]
    steps: u32,
    /// Examples of a batch.
    #[arg(long, default_value_t = 8)]
    batch: u32,
    /// Batches whose gradients make up one step.
    #[arg(long, default_value_t = 1)]
    accumulate: u32,
    /// Tokens of an example, prompt and response; longer ones are cut at the end.
    #[arg(long, default_value_t = 512)]
    max_len: u32,
    /// Steps in which the rate rises from 0.
    #[arg(long, default_value_t = 0)]
    warmup: u32,
    /// How the rate goes on: as Hugging Face's get_*_schedule_with_warmup.
    #[arg(long, value_enum, default_value = "constant")]
    schedule: Schedule,
    /// AdamW's decoupled weight decay, on all but the norms.
    #[arg(long, default_value_t = 0.0)]
    weight_decay: f32,
    /// Largest norm of the gradient; 0 does not clip.
    #[arg(long, default_value_t = 1.0)]
    clip: f32,
    /// Decides the order of the examples and the adapter's start.
    #[arg(long, default_value_t = 1)]
    seed: u32,
    /// Take the examples in the file's order, again and again.
    #[arg(long)]
    no_shuffle: bool,
    /// LoRA: go on from this PEFT adapter, whose rank, alpha and targets are kept. Full: merge it first.
    #[arg(long, value_name = "DIR")]
    adapter: Option<PathBuf>,
    /// Where it runs.
    #[arg(long, value_enum, default_value = "auto")]
    backend: BackendName,
    /// Where the result goes: a PEFT adapter, or a model folder.
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
    /// A line {"step", "loss", "lr", "grad_norm", "tokens"} for each step.
    #[arg(long, value_name = "FILE.jsonl")]
    log: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Method {
    Lora,
    Full,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Schedule {
    Constant,
    Linear,
    Cosine,
}

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

fn target(name: &str) -> Result<Target, String> {
    let names = || Target::ALL.map(Target::name).join(", ");
    let found = Target::ALL.into_iter().find(|t| t.name() == name.trim());
    found.ok_or_else(|| format!("{name} is no linear layer of a Llama; use some of {}", names()))
}

pub fn run(args: Args) -> Result<()> {
    let bundle = model::read(&args.model)?;
    let given = args.adapter.as_deref().map(|dir| read_adapter(dir, &bundle.config)).transpose()?;
    let settings = args.settings(given.as_ref())?;
    let arm = settings.arms[0];
    let feed = feed(&args, &bundle, &settings)?;
    check_save(&args)?;
    let mut log = args.log.as_deref().map(open_log).transpose()?;
    let (backend, engine) = args.backend.open()?;
    eprintln!("{engine}, {} examples", feed.len());

    let mut model = start(&backend, &bundle, arm, given, &settings)?;
    let (rows, time, accumulate) = feed.shape();
    if let Some(plan) = model.memory_plan(rows, time, accumulate)? {
        eprintln!("{}", memory_line(&plan));
    }
    let bar = progress(u64::from(settings.steps));
    let mut step = 0;
    while step < settings.steps {
        let end = settings.steps.min(step + QUEUED.min(model.pending_limit() as u32));
        let mut queued = Vec::new();
        for index in step..end {
            let micro = feed.step(index as usize);
            let lr = settings.rate(arm, index);
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
    }
    bar.finish();
    match &args.save {
        Some(folder) => save(&args, folder, &bundle, &model, &settings),
        None => Ok(()),
    }
}

impl Args {
    /// The run as settings, within their ranges.
    fn settings(&self, given: Option<&peft::Adapter>) -> Result<Settings> {
        let is_lora = self.method == Method::Lora;
        let defaults = Settings::default();
        let mut settings = Settings {
            arms: vec![if is_lora { ArmName::Lora } else { ArmName::Full }],
            seed: self.seed,
            steps: self.steps,
            batch: self.batch,
            accumulate: self.accumulate,
            max_len: self.max_len,
            rank: self.rank.unwrap_or(defaults.rank),
            alpha: self.alpha.unwrap_or(defaults.alpha),
            rslora: self.rslora,
            dora: self.dora,
            targets: self.targets.clone().unwrap_or(defaults.targets.clone()),
            lr_lora: self.lr,
            lr_full: self.lr,
            warmup: self.warmup,
            schedule: match self.schedule {
                Schedule::Constant => ScheduleKind::Constant,
                Schedule::Linear => ScheduleKind::Linear,
                Schedule::Cosine => ScheduleKind::Cosine,
            },
            weight_decay: self.weight_decay,
            clip: self.clip,
            ..defaults
        };
        settings.targets.sort();
        settings.targets.dedup();
        if let Some(adapter) = given.filter(|_| is_lora) {
            ensure!(
                adapter.dropout == 0.0,
                "adapter_config.json: lora_dropout {} is not supported in training; set it to 0",
                adapter.dropout
            );
            self.check_same(&adapter.lora, &settings)?;
            let Lora { rank, alpha, targets, rank_stabilised, dora } = adapter.lora.clone();
            let rank = rank as u32;
            settings = Settings { rank, alpha, targets, rslora: rank_stabilised, dora, ..settings };
        }
        settings.validate()?;
        Ok(settings)
    }

    /// Whatever is said of the adapter's shape must be so.
    fn check_same(&self, lora: &Lora, settings: &Settings) -> Result<()> {
        let differs = |flag: &str, said: String, has: String| {
            bail!("--{flag} {said}, but the --adapter has {has}; leave the flag out to keep the adapter's")
        };
        if let Some(rank) = self.rank.filter(|rank| *rank as usize != lora.rank) {
            return differs("rank", rank.to_string(), lora.rank.to_string());
        }
        if let Some(alpha) = self.alpha.filter(|alpha| *alpha != lora.alpha) {
            return differs("alpha", alpha.to_string(), lora.alpha.to_string());
        }
        if self.targets.is_some() && settings.targets != lora.targets {
            let names = |t: &[Target]| t.iter().map(|t| t.name()).collect::<Vec<_>>().join(",");
            return differs("targets", names(&settings.targets), names(&lora.targets));
        }
        if self.rslora && !lora.rank_stabilised {
            return differs("rslora", String::new(), "use_rslora false".into());
        }
        if self.dora && !lora.dora {
            return differs("dora", String::new(), "use_dora false".into());
        }
        Ok(())
    }
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

/// Found out before the training, not behind it.
fn check_save(args: &Args) -> Result<()> {
    let Some(folder) = &args.save else { return Ok(()) };
    let whole = |path: &Path| fs::canonicalize(path).ok();
    let is_full = args.method == Method::Full;
    ensure!(
        !is_full || whole(folder).is_none() || whole(folder) != whole(&args.model),
        "--save {} is the --model itself, which is not overwritten; use another folder",
        folder.display()
    );
    let trial = folder.join(".driftscope-trial");
    write_whole(&trial, b"trial").with_context(|| format!("--save {}", folder.display()))?;
    fs::remove_file(&trial).with_context(|| format!("--save {}", folder.display()))
}

fn open_log(path: &Path) -> Result<(PathBuf, BufWriter<fs::File>)> {
    let failed = || format!("--log {} can't be written", path.display());
    if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        fs::create_dir_all(folder).with_context(failed)?;
    }
    let file = fs::File::create(path).with_context(failed)?;
    Ok((path.to_path_buf(), BufWriter::new(file)))
}

/// The model that trains.
fn start(
    backend: &Backend,
    bundle: &Bundle,
    arm: ArmName,
    given: Option<peft::Adapter>,
    settings: &Settings,
) -> Result<Model> {
    let mut weights = bundle.weights.clone();
    let tuning = match (arm, given) {
        (ArmName::Lora, None) => {
            let start = AdapterStart::Seed(u64::from(settings.seed));
            Tuning::Lora { lora: settings.lora(), start }
        }
        (ArmName::Lora, Some(adapter)) => {
            let start = AdapterStart::Tensors(Rc::new(adapter.tensors));
            Tuning::Lora { lora: adapter.lora, start }
        }
        (_, None) => Tuning::Full,
        (_, Some(adapter)) => {
            adapter.merge(&mut weights);
            Tuning::Full
        }
    };
    let base = backend.load(&bundle.config, weights)?;
    Ok(base.tune(&tuning, settings.optimizer())?)
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

fn progress(steps: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} step {pos}/{len} {elapsed} of {duration} {msg}");
    ProgressBar::new(steps).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn save(args: &Args, folder: &Path, bundle: &Bundle, model: &Model, settings: &Settings) -> Result<()> {
    let tensors = block_on(model.tensors())?;
    let tensors: Weights =
        tensors.into_iter().map(|(name, (shape, data))| (name, Array { shape, data })).collect();
    match args.method {
        Method::Lora => {
            let base = args.model.display().to_string();
            for (name, bytes) in peft::files(&settings.lora(), &tensors, &base)? {
                write_whole(&folder.join(name), &bytes)?;
            }
        }
        Method::Full => {
            // The folder is a model of its own: the rest comes from the base's.
            if args.model.is_dir() {
                for name in model::SMALL_FILES {
                    if let Ok(bytes) = fs::read(args.model.join(name)) {
                        write_whole(&folder.join(name), &bytes)?;
                    }
                }
            } else {
                write_whole(&folder.join("config.json"), bundle.config.to_json().as_bytes())?;
                for (name, bytes) in bundle.tokenizer.files()? {
                    write_whole(&folder.join(name), &bytes)?;
                }
            }
            write_whole(&folder.join("model.safetensors"), &weights::write(&tensors, Precision::F32)?)?;
        }
    }
    eprintln!("saved to {}", folder.display());
    Ok(())
}
