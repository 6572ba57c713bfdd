//! `driftscope bench`: how fast a model runs and trains here, beside the best the same machine does on
//! matrix products alone. docs/bench.md describes the JSON.

mod cost;
mod peak;
mod report;
mod subject;

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use pollster::block_on;

use self::cost::Cost;
use self::peak::Peak;
use self::report::{Adapter, Dispatches, First, Generation, Report, SizeReport, Speed, Traffic};
use self::subject::Shape;
use super::opened::BackendName;
use crate::data::batch::{Batch, Sequence};
use crate::engine::{Backend, Model, Sampling, Tuning};
use crate::gpu::{PlanReport, Timed};
use crate::lab::Settings;
use crate::model::config::LlamaConfig;
use crate::train::{AdapterStart, Lora, Optimizer};

/// Measures forward passes, training steps of both methods, generation, and matrix products alone.
///
/// Times are medians over rounds, each of which measures everything once, after a warm-up. FLOP count the
/// matrix products that are really computed: attention's and LoRA's included, no gradients of frozen weights.
///
/// Example: driftscope bench --backend cpu --size 8x64 --size 4x128 --json
#[derive(Clone, Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// A Hugging Face folder or a GGUF file.
    #[arg(long, value_name = "DIR|FILE.gguf", default_value = "models/atlas", conflicts_with = "shape")]
    model: PathBuf,
    /// A model of this shape with random weights instead.
    #[arg(long, value_enum)]
    shape: Option<Shape>,
    /// Keeps the model's first N layers only.
    #[arg(long, value_name = "N")]
    layers: Option<usize>,
    /// Rows and tokens of a batch; may be repeated.
    #[arg(long, value_name = "ROWSxTIME", default_value = "8x64")]
    size: Vec<Size>,
    /// LoRA's rank, on all seven linear layers.
    #[arg(long, default_value_t = 8)]
    rank: u32,
    /// Rounds.
    #[arg(long, default_value_t = 10)]
    repeat: usize,
    #[arg(long, value_enum, default_value = "auto")]
    backend: BackendName,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// Also say where a step's time goes, dispatch by dispatch (WebGPU only).
    #[arg(long)]
    profile: bool,
}

/// Rows and tokens of a row.
#[derive(Clone, Copy, Debug)]
struct Size {
    rows: usize,
    time: usize,
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |n: &str| n.parse().ok().filter(|n| *n > 0);
        let pair = text.split_once('x').and_then(|(rows, time)| Some((number(rows)?, number(time)?)));
        let (rows, time) = pair.ok_or("a size is written as ROWSxTIME, 8x64 for example")?;
        Ok(Self { rows, time })
    }
}

pub fn run(args: Args) -> Result<()> {
    let begun = Instant::now();
    let (backend, _) = args.backend.open()?;
    let open_ms = milliseconds(begun);
    let subject = subject::open(&args.model, args.shape, args.layers)?;
    let config = &subject.config;
    for size in &args.size {
        let limit = config.max_position_embeddings;
        ensure!(size.time <= limit, "--size: {} tokens, the model's positions end at {limit}", size.time);
    }
    let begun = Instant::now();
    let mut base = backend.load(config, subject.weights)?;
    let load_ms = milliseconds(begun);
    let lora = Settings { rank: args.rank, ..Settings::default() }.lora();
    let begun = Instant::now();
    let mut arm = Arm::new(&base, lora_tuning(&lora), &batch(args.size[0], config))?;
    arm.step()?;
    let step_ms = milliseconds(begun);
    drop(arm);
    let sizes: Result<Vec<SizeReport>> =
        args.size.iter().map(|size| measure(&args, &backend, &mut base, config, &lora, *size)).collect();
    let report = Report {
        format: report::FORMAT,
        adapter: Adapter::of(&backend),
        model: report::Shape::of(&subject.name, config),
        rank: args.rank,
        first_step: First { open_ms, load_ms, step_ms, total_ms: open_ms + load_ms + step_ms },
        sizes: sizes?,
    };
    match args.json {
        true => println!("{}", serde_json::to_string_pretty(&report)?),
        false => report.print(),
    }
    Ok(())
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

fn lora_tuning(lora: &Lora) -> Tuning {
    Tuning::Lora { lora: lora.clone(), start: AdapterStart::Seed(1) }
}

/// A batch whose every token but the first counts.
fn batch(size: Size, config: &LlamaConfig) -> Batch {
    let token = |i: usize| ((i * 7919 + 13) % config.vocab_size) as u32;
    let row = |row: usize| Sequence {
        tokens: (0..size.time).map(|i| token(row * size.time + i)).collect(),
        response: 1,
    };
    let rows: Vec<Sequence> = (0..size.rows).map(row).collect();
    Batch::new(&rows.iter().collect::<Vec<_>>(), size.rows, size.time)
}

/// A model that trains on one batch.
struct Arm {
    model: Model,
    batch: Batch,
}

impl Arm {
    fn new(base: &Model, tuning: Tuning, batch: &Batch) -> Result<Self> {
        Ok(Self { model: base.tune(&tuning, Optimizer::default())?, batch: batch.clone() })
    }

    /// A step and a wait for its loss.
    fn step(&mut self) -> Result<()> {
        self.model.train_step(&self.batch, 1e-4)?;
        block_on(self.model.take_metrics())?;
        Ok(())
    }

    /// What its step consists of, where the back end records plans.
    fn plan(&self) -> Option<PlanReport> {
        plan(&self.model, &self.batch)
    }
}

fn plan(model: &Model, batch: &Batch) -> Option<PlanReport> {
    match model {
        Model::Gpu(model) => model.plan(batch.rows, batch.time).map(PlanReport::of),
        Model::Cpu(_) => None,
    }
}

/// Times of one kind of call: the first, and one a round.
#[derive(Default)]
struct Times {
    first: f64,
    rounds: Vec<f64>,
}

impl Times {
    /// Runs a call, of whose times `first` is kept apart.
    fn take(&mut self, first: bool, call: impl FnOnce() -> Result<()>) -> Result<()> {
        let begun = Instant::now();
        call()?;
        match first {
            true => self.first = milliseconds(begun),
            false => self.rounds.push(milliseconds(begun)),
        }
        Ok(())
    }

    fn speed(&self, tokens: usize, flop: f64, best: f64) -> Speed {
        let ms = median(&self.rounds);
        let gflop_per_s = flop / ms / 1e6;
        Speed {
            first_ms: self.first,
            ms,
            tokens_per_s: tokens as f64 / ms * 1e3,
            gflop: flop / 1e9,
            gflop_per_s,
            share_of_best: gflop_per_s / best,
        }
    }
}

/// The middle one, or the mean of the middle two; 0 of none.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        n => (sorted[(n - 1) / 2] + sorted[n / 2]) / 2.0,
    }
}

/// Measures one size. Each round takes everything once, so that load from outside meets all alike.
fn measure(
    args: &Args,
    backend: &Backend,
    base: &mut Model,
    config: &LlamaConfig,
    lora: &Lora,
    size: Size,
) -> Result<SizeReport> {
    let batch = batch(size, config);
    let tokens = size.rows * size.time;
    let mut arms = [Arm::new(base, lora_tuning(lora), &batch)?, Arm::new(base, Tuning::Full, &batch)?];
    let new_tokens = (size.time / 2).max(1);
    let prompts: Vec<Vec<u32>> = vec![(0..4).map(|i| i % config.vocab_size as u32).collect(); size.rows];
    let mut peak = Peak::new(backend, config, tokens, lora)?;
    let mut times: [Times; 4] = Default::default();
    for round in 0..=args.repeat.max(1) {
        let [forward, lora, full, generation] = &mut times;
        let first = round == 0;
        forward.take(first, || Ok(block_on(base.nll(&batch)).map(drop)?))?;
        lora.take(first, || arms[0].step())?;
        full.take(first, || arms[1].step())?;
        // No token ends it.
        let generate = base.generate(&prompts, new_tokens, u32::MAX, Sampling::default());
        generation.take(first, || Ok(block_on(generate).map(drop)?))?;
        peak.round()?;
    }
    let products = peak.rates();
    let best = products.iter().map(|p| p.gflop_per_s).fold(0.0, f64::max);
    let cost = Cost { config, rows: size.rows, time: size.time, rank: lora.rank };
    let flop = |plan: Option<PlanReport>, otherwise: f64| plan.map_or(otherwise, |p| p.flop);
    let [forward, lora_step, full_step, generated] = times;
    let lora_ms = median(&lora_step.rounds);
    let report = SizeReport {
        rows: size.rows,
        time: size.time,
        forward: forward.speed(tokens, flop(plan(base, &batch), cost.forward()), best),
        lora_to_full: lora_ms / median(&full_step.rounds),
        lora_step: lora_step.speed(tokens, flop(arms[0].plan(), cost.lora_step()), best),
        full_step: full_step.speed(tokens, flop(arms[1].plan(), cost.full_step()), best),
        generation: Generation {
            new_tokens,
            speed: generated.speed(size.rows * new_tokens, cost.generation(4, new_tokens), best),
        },
        lora_dispatches: arms[0].plan().map(|p| Dispatches::of(&p)),
        full_dispatches: arms[1].plan().map(|p| Dispatches::of(&p)),
        lora_traffic: traffic(backend, &mut arms[0])?,
        full_traffic: traffic(backend, &mut arms[1])?,
        best_gflop_per_s: best,
        products,
        profile: match args.profile {
            true => profile(backend, &arms[0])?,
            false => Vec::new(),
        },
    };
    Ok(report)
}

/// What a step writes, submits and reads back, its metrics included.
fn traffic(backend: &Backend, arm: &mut Arm) -> Result<Option<Traffic>> {
    let Backend::Gpu(gpu) = backend else { return Ok(None) };
    let before = gpu.traffic();
    arm.step()?;
    let after = gpu.traffic();
    Ok(Some(Traffic {
        submits: after.submits - before.submits,
        written_bytes: after.written - before.written,
        read_bytes: after.read - before.read,
    }))
}

/// Time of each kind of dispatch of a step, longest first; medians of three runs.
fn profile(backend: &Backend, arm: &Arm) -> Result<Vec<report::Kind>> {
    let (Backend::Gpu(gpu), Model::Gpu(model)) = (backend, &arm.model) else {
        return Ok(Vec::new());
    };
    let plan = model.plan(arm.batch.rows, arm.batch.time).context("no step was taken")?;
    let runs = (0..3).map(|_| Ok(block_on(plan.profile(gpu))?)).collect::<Result<Vec<Vec<Timed>>>>()?;
    let times = |i: usize| runs.iter().map(|run| run[i].seconds * 1e3).collect::<Vec<f64>>();
    let each = runs[0].iter().enumerate().map(|(i, timed)| (timed, median(&times(i))));
    Ok(report::kinds(each))
}
