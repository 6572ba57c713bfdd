//! How fast a model runs and trains on a back end, beside the best that the back end does on matrix products
//! alone: one measurement for the command line and the page. docs/bench.md describes the JSON.

mod cost;
mod peak;
mod report;
mod subject;
mod ways;

use web_time::Instant;

use self::cost::Cost;
use self::peak::Peak;
use self::report::FORMAT;
pub use self::subject::keep_layers;
pub use self::ways::{measurement_ms, ways};
use crate::data::batch::{Batch, Sequence};
use crate::engine::{Backend, Model, Tuning};
use crate::error::{Error, Result};
use crate::gpu::PlanReport;
use crate::model::config::LlamaConfig;
use crate::model::lora::{AdapterStart, Lora};
use crate::record::{
    BenchAdapter, BenchReport, BenchSettings, DispatchKind, Dispatches, Generation, LoraSpec, ModelShape,
    Sampling, Speed, Traffic,
};
use crate::train::Optimizer;

/// A model that trains on one batch.
struct Arm<'a> {
    model: Model,
    batch: &'a Batch,
    /// One a step.
    losses: Vec<f32>,
}

impl<'a> Arm<'a> {
    fn new(base: &Model, tuning: &Tuning, batch: &'a Batch) -> Result<Self> {
        Ok(Self { model: base.tune(tuning, Optimizer::default())?, batch, losses: Vec::new() })
    }

    /// A step and a wait for its loss.
    async fn step(&mut self) -> Result<()> {
        self.model.train_step(self.batch, 1e-4)?;
        let metrics = self.model.take_metrics().await?;
        self.losses.extend(metrics.iter().map(|m| m.loss));
        Ok(())
    }

    /// What its step consists of, where the back end records plans.
    fn plan(&self) -> Option<PlanReport> {
        plan(&self.model, self.batch)
    }

    /// Bytes of GPU memory, the base's included.
    fn bytes(&self) -> Result<Option<u64>> {
        match &self.model {
            Model::Gpu(model) => Ok(Some(model.memory_plan(self.batch.rows, self.batch.time, 1)?.total)),
            Model::Cpu(_) => Ok(None),
        }
    }
}

fn plan(model: &Model, batch: &Batch) -> Option<PlanReport> {
    match model {
        Model::Gpu(model) => Some(PlanReport::of(&model.plans(batch))),
        Model::Cpu(_) => None,
    }
}

/// Times of one kind of call in milliseconds: the first, and one a round.
#[derive(Default)]
struct Times {
    first: f64,
    rounds: Vec<f64>,
}

impl Times {
    async fn take(&mut self, first: bool, call: impl AsyncFnOnce() -> Result<()>) -> Result<()> {
        let begun = Instant::now();
        call().await?;
        match first {
            true => self.first = milliseconds(begun),
            false => self.rounds.push(milliseconds(begun)),
        }
        Ok(())
    }

    /// This one's times over another's, by the middle of the rounds' ratios: what slows a round slows both.
    fn to(&self, other: &Self) -> f64 {
        let ratios: Vec<f64> = self.rounds.iter().zip(&other.rounds).map(|(a, b)| a / b).collect();
        median(&ratios)
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

/// Measures `base`, which runs on `backend`. The first step's time is counted from `begun`; `progress` hears
/// how many rounds of how many are done. Each round takes everything once, so that load from outside meets the
/// steps and the products alike.
///
/// # Errors
/// When a setting is 0 or beyond the model's positions, and whatever the back end refuses.
pub async fn bench(
    name: &str,
    backend: &Backend,
    base: &mut Model,
    settings: BenchSettings,
    begun: Instant,
    mut progress: impl AsyncFnMut(usize, usize),
) -> Result<BenchReport> {
    let BenchSettings { batch: rows, time, rank, response, repeat, profile } = settings;
    for (field, value) in [("batch", rows), ("time", time), ("rank", rank as usize), ("repeat", repeat)] {
        if value == 0 {
            let remedy = "Use a positive number".into();
            return Err(Error::Setting { field, message: "0 can't be measured".into(), remedy });
        }
    }
    let config = base.config().clone();
    let limit = config.max_position_embeddings;
    if time > limit {
        let message = format!("{time} tokens, the model's positions end at {limit}");
        return Err(Error::Setting { field: "time", message, remedy: "Use shorter rows".into() });
    }
    let batch = batch(rows, time, response, &config);
    let (tokens, new_tokens) = (rows * time, (time / 2).max(1));
    let prompts: Vec<Vec<u32>> = vec![(0..4).map(|i| i % config.vocab_size as u32).collect(); rows];
    let lora = Lora::of(&LoraSpec { rank, ..LoraSpec::default() });
    let tuning = Tuning::Lora { lora: lora.clone(), start: AdapterStart::Seed(1) };

    let mut times: [Times; 4] = Default::default();
    let [forward, lora_step, full_step, generation] = &mut times;
    let mut lora_arm = Arm::new(base, &tuning, &batch)?;
    lora_step.take(true, async || lora_arm.step().await).await?;
    let to_first_step_ms = milliseconds(begun);
    let mut full_arm = Arm::new(base, &Tuning::Full, &batch)?;
    let mut peak = Peak::new(backend, &config, [tokens, batch.response_tokens()], &lora)?;
    for round in 0..=repeat {
        progress(round, repeat + 1).await;
        let first = round == 0;
        forward.take(first, async || base.nll(&batch).await.map(drop)).await?;
        if !first {
            lora_step.take(first, async || lora_arm.step().await).await?;
        }
        full_step.take(first, async || full_arm.step().await).await?;
        // No token ends it.
        let generate = async || base.generate(&prompts, new_tokens, &[], Sampling::default()).await.map(drop);
        generation.take(first, generate).await?;
        peak.round().await?;
    }

    let products = peak.rates();
    let best = products.iter().map(|p| p.gflop_per_s).fold(0.0, f64::max);
    let counted = batch.response_tokens();
    let cost = Cost { config: &config, rows, time, counted, rank: lora.rank };
    let flop = |plan: Option<PlanReport>, otherwise: f64| plan.map_or(otherwise, |p| p.flop);
    let [forward, lora_step, full_step, generated] = times;
    Ok(BenchReport {
        format: FORMAT,
        adapter: BenchAdapter::of(backend),
        model: ModelShape::of(name, &config),
        batch: rows,
        time,
        rank,
        response,
        to_first_step_ms,
        losses: lora_arm.losses.clone(),
        lora_to_full: lora_step.to(&full_step),
        forward: forward.speed(tokens, flop(plan(base, &batch), cost.forward()), best),
        lora_step: lora_step.speed(tokens, flop(lora_arm.plan(), cost.lora_step()), best),
        full_step: full_step.speed(tokens, flop(full_arm.plan(), cost.full_step()), best),
        generation: Generation {
            new_tokens,
            speed: generated.speed(rows * new_tokens, cost.generation(4, new_tokens), best),
        },
        lora_bytes: lora_arm.bytes()?,
        full_bytes: full_arm.bytes()?,
        lora_dispatches: lora_arm.plan().as_ref().map(Dispatches::of),
        full_dispatches: full_arm.plan().as_ref().map(Dispatches::of),
        lora_traffic: traffic(backend, &mut lora_arm).await?,
        full_traffic: traffic(backend, &mut full_arm).await?,
        best_gflop_per_s: best,
        products,
        profile: if profile { profiled(backend, &lora_arm).await? } else { Vec::new() },
        wasm: None,
    })
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
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

/// A batch of which a share of the tokens counts, though never a row's first.
fn batch(rows: usize, time: usize, share: f64, config: &LlamaConfig) -> Batch {
    let token = |i: usize| ((i * 7919 + 13) % config.vocab_size) as u32;
    let response = ((1.0 - share) * time as f64).max(1.0) as usize;
    let row = |row: usize| Sequence { tokens: (0..time).map(|i| token(row * time + i)).collect(), response };
    let sequences: Vec<Sequence> = (0..rows).map(row).collect();
    Batch::new(&sequences.iter().collect::<Vec<_>>(), rows, time)
}

/// What a step writes, submits and reads back, its metrics included.
async fn traffic(backend: &Backend, arm: &mut Arm<'_>) -> Result<Option<Traffic>> {
    let Backend::Gpu(gpu) = backend else { return Ok(None) };
    let before = gpu.traffic();
    arm.step().await?;
    let after = gpu.traffic();
    Ok(Some(Traffic {
        submits: after.submits - before.submits,
        written_bytes: after.written - before.written,
        read_bytes: after.read - before.read,
    }))
}

/// Time of each kind of dispatch of a step, longest first; medians of three runs.
async fn profiled(backend: &Backend, arm: &Arm<'_>) -> Result<Vec<DispatchKind>> {
    let (Backend::Gpu(gpu), Model::Gpu(model)) = (backend, &arm.model) else { return Ok(Vec::new()) };
    let plans = model.plans(arm.batch);
    let mut runs = vec![Vec::new(); 3];
    for run in &mut runs {
        for plan in &plans {
            run.extend(plan.profile(gpu).await?);
        }
    }
    let times = |i: usize| runs.iter().map(|run| run[i].seconds * 1e3).collect::<Vec<f64>>();
    let each = runs[0].iter().enumerate().map(|(i, timed)| (timed, median(&times(i))));
    Ok(report::kinds(each))
}
