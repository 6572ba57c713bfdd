//! How fast a model runs and trains on a back end: one measurement for the command line and the page.

use serde::{Deserialize, Serialize};
use web_time::Instant;

use super::settings::Settings;
use crate::data::batch::{Batch, Sequence};
use crate::engine::{Backend, Model, Sampling, Tuning};
use crate::error::{Error, Result};
use crate::model::config::LlamaConfig;
use crate::train::{AdapterStart, Optimizer};

/// Measurements of a report, in the order in which they are taken.
pub const STAGES: [&str; 5] = ["LoRA step", "matrix products", "forward", "full step", "generation"];

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct BenchSettings {
    /// Rows of a batch.
    pub batch: usize,
    /// Tokens of a row.
    pub time: usize,
    /// LoRA's rank, on all seven linear layers.
    pub rank: u32,
    /// Share of a row's tokens that count, at its end; the others are its prompt. Above 0, at most 1.
    #[serde(default = "whole")]
    pub response: f64,
    /// Repetitions of each measurement.
    pub repeat: usize,
}

fn whole() -> f64 {
    1.0
}

/// Times are medians over the repetitions, after a first call.
#[derive(Clone, Debug, Serialize)]
pub struct BenchReport {
    pub model: String,
    pub backend: String,
    pub parameters: usize,
    pub batch: usize,
    pub time: usize,
    pub rank: u32,
    /// Share of the tokens that count.
    pub response: f64,
    /// From the first line of the measurement to the end of the first LoRA step, the arm's making included.
    pub to_first_step_ms: f64,
    pub forward: Speed,
    pub lora_step: Speed,
    pub full_step: Speed,
    pub generation: Generation,
    /// Time of a LoRA step over that of a full one.
    pub lora_to_full: f64,
    /// The back end's own product (CPU: candle's) at the best of [`gemm_shapes`].
    pub gemm_gflop_per_s: f64,
    /// M, N and K of that product.
    pub gemm_shape: [usize; 3],
    /// Each measurement's rate over that of the product alone, 0 to 1.
    pub forward_of_gemm: f64,
    pub lora_of_gemm: f64,
    pub full_of_gemm: f64,
}

/// Of one kind of call over a batch.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Speed {
    /// Of the first call, which makes the plan and compiles its kernels.
    pub first_ms: f64,
    pub ms: f64,
    pub tokens_per_s: f64,
    /// Of the matrix products with weights, over the whole time.
    pub gflop_per_s: f64,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub struct Generation {
    pub rows: usize,
    pub new_tokens: usize,
    pub ms: f64,
    /// Over all rows.
    pub tokens_per_s: f64,
}

/// Measures `base`, which runs on `backend`; `progress` is told which of [`STAGES`] begins.
///
/// # Errors
/// When a setting is 0 or beyond the model's positions, and whatever the back end refuses.
pub async fn bench(
    name: (&str, &str),
    backend: &Backend,
    base: &mut Model,
    settings: BenchSettings,
    mut progress: impl AsyncFnMut(usize),
) -> Result<BenchReport> {
    let begun = Instant::now();
    let BenchSettings { batch: rows, time, rank, response, repeat } = settings;
    for (field, value) in [("batch", rows), ("time", time), ("rank", rank as usize), ("repeat", repeat)] {
        if value == 0 {
            let remedy = "Use a positive number".into();
            return Err(Error::Setting { field, message: "0 can't be measured".into(), remedy });
        }
    }
    let config = base.config().clone();
    let tokens = rows * time;
    let batch = batch(rows, time, response, &config);
    let flop = forward_flop(&config, tokens, batch.response_tokens());

    progress(0).await;
    let lora =
        Tuning::Lora { lora: Settings { rank, ..Settings::default() }.lora(), start: AdapterStart::Seed(1) };
    let mut arm = base.tune(&lora, Optimizer::default())?;
    let first_ms = milliseconds(async || step(&mut arm, &batch).await).await?;
    let to_first_step_ms = begun.elapsed().as_secs_f64() * 1e3;
    // Backwards, LoRA needs the inputs' gradients; full tuning needs the weights' too.
    let lora_step =
        median(first_ms, repeat, tokens, 2.0 * flop, async || step(&mut arm, &batch).await).await?;
    drop(arm);

    progress(1).await;
    let (mut gemm_flop_per_s, mut gemm_shape) = (0.0, [0; 3]);
    for shape in gemm_shapes(&config, tokens) {
        let speed = backend.product_speed(shape.into()).await?;
        if speed > gemm_flop_per_s {
            (gemm_flop_per_s, gemm_shape) = (speed, shape);
        }
    }
    let gemm_gflop_per_s = gemm_flop_per_s / 1e9;

    progress(2).await;
    let first_ms = milliseconds(async || base.nll(&batch).await.map(drop)).await?;
    let forward = median(first_ms, repeat, tokens, flop, async || base.nll(&batch).await.map(drop)).await?;

    progress(3).await;
    let mut arm = base.tune(&Tuning::Full, Optimizer::default())?;
    let first_ms = milliseconds(async || step(&mut arm, &batch).await).await?;
    let full_step =
        median(first_ms, repeat, tokens, 3.0 * flop, async || step(&mut arm, &batch).await).await?;
    drop(arm);

    progress(4).await;
    let of_gemm = |speed: &Speed| speed.gflop_per_s / gemm_gflop_per_s;
    Ok(BenchReport {
        model: name.0.into(),
        backend: name.1.into(),
        parameters: config.parameters(),
        batch: rows,
        time,
        rank,
        response,
        to_first_step_ms,
        generation: generation(base, rows, time).await?,
        lora_to_full: lora_step.ms / full_step.ms,
        gemm_gflop_per_s,
        gemm_shape,
        forward_of_gemm: of_gemm(&forward),
        lora_of_gemm: of_gemm(&lora_step),
        full_of_gemm: of_gemm(&full_step),
        forward,
        lora_step,
        full_step,
    })
}

/// A batch of which a share of the tokens counts, though never a row's first.
fn batch(rows: usize, time: usize, share: f64, config: &LlamaConfig) -> Batch {
    let token = |i: usize| ((i * 7919 + 13) % config.vocab_size) as u32;
    let response = ((1.0 - share) * time as f64).max(1.0) as usize;
    let row = |row: usize| Sequence { tokens: (0..time).map(|i| token(row * time + i)).collect(), response };
    let sequences: Vec<Sequence> = (0..rows).map(row).collect();
    Batch::new(&sequences.iter().collect::<Vec<_>>(), rows, time)
}

/// Of the matrix products of one forward pass: two for each weight and token, the head's only for the `counted`
/// tokens.
fn forward_flop(config: &LlamaConfig, tokens: usize, counted: usize) -> f64 {
    let layer: usize = config.linears().iter().map(|(_, [output, input])| output * input).sum();
    let head = config.vocab_size * config.hidden_size;
    2.0 * (layer * config.num_hidden_layers * tokens + head * counted) as f64
}

/// M, N and K of the largest products of a step: into the feed-forward layer, out of it, and the head.
pub fn gemm_shapes(config: &LlamaConfig, tokens: usize) -> [[usize; 3]; 3] {
    let (c, f, v) = (config.hidden_size, config.intermediate_size, config.vocab_size);
    [[tokens, f, c], [tokens, c, f], [tokens, v, c]]
}

async fn step(arm: &mut Model, batch: &Batch) -> Result<()> {
    arm.train_step(batch, 1e-4)?;
    arm.take_metrics().await?;
    Ok(())
}

async fn milliseconds(call: impl AsyncFnOnce() -> Result<()>) -> Result<f64> {
    let begun = Instant::now();
    call().await?;
    Ok(begun.elapsed().as_secs_f64() * 1e3)
}

async fn median(
    first_ms: f64,
    repeat: usize,
    tokens: usize,
    flop: f64,
    mut call: impl AsyncFnMut() -> Result<()>,
) -> Result<Speed> {
    let mut times = Vec::with_capacity(repeat);
    for _ in 0..repeat {
        times.push(milliseconds(&mut call).await?);
    }
    times.sort_by(f64::total_cmp);
    let ms = times[times.len() / 2];
    Ok(Speed { first_ms, ms, tokens_per_s: tokens as f64 / ms * 1e3, gflop_per_s: flop / ms / 1e6 })
}

async fn generation(base: &mut Model, rows: usize, time: usize) -> Result<Generation> {
    let new_tokens = (time / 2).max(1);
    let prompts = vec![vec![1u32, 2, 3, 4]; rows];
    // No token ends it.
    base.generate(&prompts, new_tokens, u32::MAX, Sampling::default()).await?;
    let generate =
        async || base.generate(&prompts, new_tokens, u32::MAX, Sampling::default()).await.map(drop);
    let ms = milliseconds(generate).await?;
    Ok(Generation { rows, new_tokens, ms, tokens_per_s: (rows * new_tokens) as f64 / ms * 1e3 })
}
