//! `driftscope bench`: how fast a model runs and trains here.

use std::path::PathBuf;

use anyhow::Result;
use pollster::block_on;

use super::model;
use super::opened::BackendName;
use crate::lab::{BenchReport, BenchSettings, bench};

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

pub fn run(args: Args) -> Result<()> {
    let bundle = model::read(&args.model)?;
    let (backend, engine) = args.backend.open()?;
    let mut base = backend.load(&bundle.config, bundle.weights)?;
    let settings = BenchSettings {
        batch: args.batch,
        time: args.time,
        rank: args.rank,
        response: args.response,
        repeat: args.repeat.max(1),
    };
    let name = args.model.display().to_string();
    let report = block_on(bench((&name, &engine), &backend, &mut base, settings, async |_| {}))?;
    match args.json {
        true => println!("{}", serde_json::to_string_pretty(&report)?),
        false => print(&report),
    }
    Ok(())
}

fn print(r: &BenchReport) {
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
    let [m, n, k] = r.gemm_shape;
    println!("product alone {:.1} GFLOP/s at {m} x {n} x {k}", r.gemm_gflop_per_s);
    let share = |of_gemm: f64| format!("{:.0} %", 100.0 * of_gemm);
    let (forward, lora, full) = (share(r.forward_of_gemm), share(r.lora_of_gemm), share(r.full_of_gemm));
    println!("share of it: forward {forward}, LoRA step {lora}, full step {full}");
}
