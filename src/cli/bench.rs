//! `driftscope bench`: how fast a model runs and trains here.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use pollster::block_on;
use serde::Serialize;

use super::model;
use super::opened::BackendName;
use crate::data::batch::{Batch, Sequence};
use crate::engine::{Model, Sampling, Tuning};
use crate::lab::Settings;
use crate::model::config::LlamaConfig;
use crate::train::{AdapterStart, Optimizer};

/// Measures forward passes, training steps of both methods, and generation.
///
/// Times are medians over the repetitions, after a warm-up. FLOP count the matrix products only.
///
/// Example: driftscope bench --backend cpu --json
#[derive(Clone, Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// A Hugging Face folder or a GGUF file.
    #[arg(long, value_name = "DIR|FILE.gguf", default_value = "models/atlas")]
    model: PathBuf,
    /// Rows of a batch.
    #[arg(long, default_value_t = 8)]
    batch: usize,
    /// Tokens of a row.
    #[arg(long, default_value_t = 64)]
    time: usize,
    /// LoRA's rank, on all seven linear layers.
    #[arg(long, default_value_t = 8)]
    rank: u32,
    /// Share of a row's tokens that count, at its end; the others are its prompt.
    #[arg(long, default_value_t = 1.0)]
    response: f64,
    /// Repetitions of each measurement.
    #[arg(long, default_value_t = 10)]
    repeat: usize,
    #[arg(long, value_enum, default_value = "auto")]
    backend: BackendName,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    model: PathBuf,
    backend: String,
    parameters: usize,
    batch: usize,
    time: usize,
    rank: u32,
    forward: Speed,
    lora_step: Speed,
    full_step: Speed,
    generation: Generation,
    /// Time of a LoRA step over that of a full one.
    lora_to_full: f64,
}

#[derive(Serialize)]
struct Speed {
    /// Of the first call, which makes the plan and compiles its kernels.
    first_ms: f64,
    ms: f64,
    tokens_per_s: f64,
    gflop_per_s: f64,
}

#[derive(Serialize)]
struct Generation {
    rows: usize,
    new_tokens: usize,
    ms: f64,
    /// Over all rows.
    tokens_per_s: f64,
}

pub fn run(args: Args) -> Result<()> {
    let bundle = model::read(&args.model)?;
    let (backend, engine) = args.backend.open()?;
    let config = bundle.config;
    let mut base = backend.load(&config, bundle.weights)?;
    let batch = batch(&args, &config);
    let tokens = args.batch * args.time;
    let forward_flop = forward_flop(&config, tokens);
    let forward = measure(&args, tokens, forward_flop, || {
        block_on(base.nll(&batch))?;
        Ok(())
    })?;
    let settings = Settings { rank: args.rank, ..Settings::default() };
    let lora = Tuning::Lora { lora: settings.lora(), start: AdapterStart::Seed(1) };
    // Backwards, LoRA needs the inputs' gradients; full tuning needs the weights' too.
    let lora_step = step(&args, &base, &lora, &batch, 2.0 * forward_flop)?;
    let full_step = step(&args, &base, &Tuning::Full, &batch, 3.0 * forward_flop)?;
    let report = Report {
        parameters: config.parameters(),
        generation: generation(&args, &mut base)?,
        lora_to_full: lora_step.ms / full_step.ms,
        model: args.model,
        backend: engine,
        batch: args.batch,
        time: args.time,
        rank: args.rank,
        forward,
        lora_step,
        full_step,
    };
    match args.json {
        true => println!("{}", serde_json::to_string_pretty(&report)?),
        false => print(&report),
    }
    Ok(())
}

/// A batch of which `--response` of the tokens count, though never a row's first.
fn batch(args: &Args, config: &LlamaConfig) -> Batch {
    let token = |i: usize| ((i * 7919 + 13) % config.vocab_size) as u32;
    let row = |row: usize| Sequence {
        tokens: (0..args.time).map(|i| token(row * args.time + i)).collect(),
        response: ((1.0 - args.response) * args.time as f64).max(1.0) as usize,
    };
    let rows: Vec<Sequence> = (0..args.batch).map(row).collect();
    Batch::new(&rows.iter().collect::<Vec<_>>(), args.batch, args.time)
}

/// Of the matrix products of one forward pass: two for each weight and token.
fn forward_flop(config: &LlamaConfig, tokens: usize) -> f64 {
    let layer: usize = config.linears().iter().map(|(_, [output, input])| output * input).sum();
    let weights = layer * config.num_hidden_layers + config.vocab_size * config.hidden_size;
    2.0 * weights as f64 * tokens as f64
}

fn measure(args: &Args, tokens: usize, flop: f64, mut call: impl FnMut() -> Result<()>) -> Result<Speed> {
    let mut timed = || -> Result<f64> {
        let begun = Instant::now();
        call()?;
        Ok(begun.elapsed().as_secs_f64())
    };
    let first = timed()?;
    let mut times = (0..args.repeat.max(1)).map(|_| timed()).collect::<Result<Vec<f64>>>()?;
    times.sort_by(f64::total_cmp);
    let seconds = times[times.len() / 2];
    Ok(Speed {
        first_ms: first * 1e3,
        ms: seconds * 1e3,
        tokens_per_s: tokens as f64 / seconds,
        gflop_per_s: flop / seconds / 1e9,
    })
}

fn step(args: &Args, base: &Model, tuning: &Tuning, batch: &Batch, flop: f64) -> Result<Speed> {
    let mut arm = base.tune(tuning, Optimizer::default())?;
    measure(args, args.batch * args.time, flop, || {
        arm.train_step(batch, 1e-4)?;
        block_on(arm.take_metrics())?;
        Ok(())
    })
}

fn generation(args: &Args, base: &mut Model) -> Result<Generation> {
    let (rows, new_tokens) = (args.batch, args.time / 2);
    let prompts = vec![vec![1u32, 2, 3, 4]; rows];
    // No token ends it.
    let mut generate = || block_on(base.generate(&prompts, new_tokens, u32::MAX, Sampling::default()));
    generate()?;
    let begun = Instant::now();
    generate()?;
    let seconds = begun.elapsed().as_secs_f64();
    let tokens_per_s = (rows * new_tokens) as f64 / seconds;
    Ok(Generation { rows, new_tokens, ms: seconds * 1e3, tokens_per_s })
}

fn print(r: &Report) {
    println!("{}, {} parameters, {} x {} tokens", r.backend, r.parameters, r.batch, r.time);
    println!("{:10} {:>10} {:>10} {:>12} {:>10}", "", "first ms", "ms", "tokens/s", "GFLOP/s");
    for (name, s) in [("forward", &r.forward), ("LoRA step", &r.lora_step), ("full step", &r.full_step)] {
        println!(
            "{name:10} {:10.1} {:10.1} {:12.0} {:10.1}",
            s.first_ms, s.ms, s.tokens_per_s, s.gflop_per_s
        );
    }
    println!("generation {:>10} {:10.1} {:12.0}", "", r.generation.ms, r.generation.tokens_per_s);
    println!("LoRA to full {:.2}", r.lora_to_full);
}
