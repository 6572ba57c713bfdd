//! `driftscope bench`: how fast a model runs and trains here, beside the best the same machine does on matrix
//! products alone.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;
use pollster::block_on;
use serde::Deserialize;
use web_time::Instant;

use super::opened::{BackendName, WeightsName};
use super::{model, remembered};
use crate::bench::{bench, keep_layers};
use crate::engine::step_products;
use crate::model::bundle::Bundle;
use crate::model::checkpoint::Provide;
use crate::model::lora::Lora;
use crate::record::{BenchReport, BenchSettings, BenchShape, LoraSpec, NamedProduct, RandomModel, WasmSize};

/// Measures forward passes, training steps of both methods, generation, and matrix products alone.
///
/// Times are medians over rounds, each of which measures everything once, after a warm-up. FLOP count the
/// matrix products that are really computed: attention's and LoRA's included, no gradients of frozen weights.
///
/// Example: driftscope bench --backend cpu --json
#[derive(Clone, Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// A Hugging Face folder or a GGUF file.
    #[arg(long, value_name = "DIR|FILE.gguf", default_value = "models/atlas", conflicts_with = "shape")]
    model: PathBuf,
    /// A model of this shape with random weights instead: atlas or smollm2.
    #[arg(long)]
    shape: Option<BenchShape>,
    /// Keeps the model's first N layers only.
    #[arg(long, value_name = "N")]
    layers: Option<usize>,
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
    /// Rounds.
    #[arg(long, default_value_t = 10)]
    repeat: usize,
    #[arg(long, value_enum, default_value = "auto")]
    backend: BackendName,
    /// How the base's matrices are held; the full arm's are f32.
    #[arg(long, value_enum, default_value = "f32")]
    weights: WeightsName,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// Also say where a step's time goes, dispatch by dispatch (WebGPU only).
    #[arg(long)]
    profile: bool,
}

pub fn run(args: Args) -> Result<()> {
    let begun = Instant::now();
    let bundle: Bundle;
    let (name, config, weights): (_, _, Box<dyn Provide>) = match args.shape {
        Some(shape) => {
            let (name, config, weights) = RandomModel { shape, layers: args.layers }.build()?;
            (name, config, Box::new(weights))
        }
        None => {
            bundle = model::read(&args.model)?;
            let mut config = bundle.config.clone();
            args.layers.map_or(Ok(()), |layers| keep_layers(&mut config, layers))?;
            (args.model.display().to_string(), config, Box::new(&bundle.weights))
        }
    };
    let (backend, _) = args.backend.open()?;
    let name = match args.weights {
        WeightsName::F32 => name,
        WeightsName::F16 => format!("{name}, in f16"),
    };
    let mut base = backend.load_as(&config, weights, args.weights.into())?;
    let lora = Lora::of(&LoraSpec { rank: args.rank, ..LoraSpec::default() });
    let tokens = args.batch * args.time;
    let counted = (args.response * tokens as f64) as usize;
    remembered::autotune(&backend, &step_products(&config, tokens, counted.max(1), &lora))?;
    let settings = BenchSettings {
        batch: args.batch,
        time: args.time,
        rank: args.rank,
        response: args.response,
        repeat: args.repeat.max(1),
        profile: args.profile,
    };
    let mut report = block_on(bench(&name, &backend, &mut base, settings, begun, async |_, _| {}))?;
    report.wasm = built_wasm();
    match args.json {
        true => println!("{}", serde_json::to_string_pretty(&report)?),
        false => print(&report),
    }
    Ok(())
}

/// Of the page in `dist`, if `scripts/serve --release` has built it.
fn built_wasm() -> Option<WasmSize> {
    #[derive(Deserialize)]
    struct Build {
        wasm: Option<WasmSize>,
    }
    let text = fs::read_to_string("dist/build.json").ok()?;
    serde_json::from_str::<Build>(&text).ok()?.wasm
}

fn print(r: &BenchReport) {
    let (a, m) = (&r.adapter, &r.model);
    println!("{}: {}; {}, {} parameters", a.backend, a.name, m.name, m.parameters);
    println!(
        "{} x {} tokens, rank {}, first step after {:.0} ms",
        r.batch, r.time, r.rank, r.to_first_step_ms
    );
    println!(
        "{:10} {:>10} {:>10} {:>11} {:>9} {:>8}",
        "", "first ms", "ms", "tokens/s", "GFLOP/s", "of best"
    );
    let generation = &r.generation.speed;
    let rows = [
        ("forward", &r.forward),
        ("LoRA step", &r.lora_step),
        ("full step", &r.full_step),
        ("generation", generation),
    ];
    for (name, s) in rows {
        println!(
            "{name:10} {:10.1} {:10.1} {:11.0} {:9.2} {:7.0}%",
            s.first_ms,
            s.ms,
            s.tokens_per_s,
            s.gflop_per_s,
            100.0 * s.share_of_best
        );
    }
    println!("LoRA to full {:.2}", r.lora_to_full);
    let arms = [
        ("LoRA", r.lora_bytes, &r.lora_dispatches, &r.lora_traffic),
        ("full", r.full_bytes, &r.full_dispatches, &r.full_traffic),
    ];
    for (name, bytes, dispatches, traffic) in arms {
        if let (Some(bytes), Some(d), Some(t)) = (bytes, dispatches, traffic) {
            let mib = bytes as f64 / f64::from(1 << 20);
            println!(
                "{name} step: {mib:.1} MiB, {} dispatches ({} forward and {} backward a layer), {} submits, {} bytes written, {} read back",
                d.total, d.layer_forward, d.layer_backward, t.submits, t.written_bytes, t.read_bytes
            );
        }
    }
    if let Some(WasmSize { bytes, gzip, brotli }) = r.wasm {
        println!("WebAssembly of the page: {bytes} bytes, {gzip} with gzip, {brotli} with brotli");
    }
    println!("products alone, best {:.2} GFLOP/s:", r.best_gflop_per_s);
    for p in &r.products {
        println!("  {:42} {:>10} {:8.2}", describe(Some(&p.product)), p.variant, p.gflop_per_s);
    }
    for k in &r.profile {
        let what = format!("{} {}", k.kernel, describe(k.product.as_ref()));
        println!("  {what:52} x{:<4} {:9.2} ms {:8.2} GFLOP/s", k.count, k.ms, k.gflop_per_s);
    }
}

fn describe(product: Option<&NamedProduct>) -> String {
    product.map_or(String::new(), |p| format!("{} {} x {} x {} + {}", p.layout, p.m, p.n, p.k, p.lora))
}
