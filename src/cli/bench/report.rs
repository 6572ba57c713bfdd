//! The JSON of `driftscope bench`, and the same as a table. docs/bench.md explains the fields.

use serde::Serialize;

use crate::engine::Backend;
use crate::gpu::{PlanReport, Timed};
use crate::kernels::Product;
use crate::model::config::LlamaConfig;

/// Changes when a field changes its meaning.
pub const FORMAT: u32 = 1;

#[derive(Serialize)]
pub struct Report {
    pub format: u32,
    pub adapter: Adapter,
    pub model: Shape,
    pub rank: u32,
    pub first_step: First,
    pub sizes: Vec<SizeReport>,
}

#[derive(Serialize)]
pub struct Adapter {
    /// `webgpu` or `cpu`.
    pub backend: &'static str,
    pub name: String,
    pub driver: String,
    /// Whether it is a program on the CPU.
    pub software: bool,
}

impl Adapter {
    pub fn of(backend: &Backend) -> Self {
        match backend {
            Backend::Gpu(gpu) => Self {
                backend: "webgpu",
                name: gpu.name(),
                driver: format!("{} {}", gpu.info.driver, gpu.info.driver_info).trim().to_owned(),
                software: gpu.is_software(),
            },
            Backend::Cpu => {
                Self { backend: "cpu", name: "candle".into(), driver: String::new(), software: true }
            }
        }
    }
}

#[derive(Serialize)]
pub struct Shape {
    pub name: String,
    pub parameters: usize,
    pub hidden: usize,
    pub intermediate: usize,
    pub layers: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub vocabulary: usize,
}

impl Shape {
    pub fn of(name: &str, c: &LlamaConfig) -> Self {
        Self {
            name: name.to_owned(),
            parameters: c.parameters(),
            hidden: c.hidden_size,
            intermediate: c.intermediate_size,
            layers: c.num_hidden_layers,
            heads: c.num_attention_heads,
            kv_heads: c.num_key_value_heads,
            vocabulary: c.vocab_size,
        }
    }
}

/// Milliseconds from nothing to the loss of the first LoRA step; reading the model's files is not among them.
#[derive(Serialize)]
pub struct First {
    /// Adapter and device, and the trial of back ends where there is one.
    pub open_ms: f64,
    /// Weights to the device.
    pub load_ms: f64,
    /// The arm, its plan, the kernels' compilation and the step.
    pub step_ms: f64,
    pub total_ms: f64,
}

#[derive(Serialize)]
pub struct SizeReport {
    pub rows: usize,
    pub time: usize,
    pub forward: Speed,
    pub lora_step: Speed,
    pub full_step: Speed,
    pub generation: Generation,
    /// Time of a LoRA step over that of a full one.
    pub lora_to_full: f64,
    pub lora_dispatches: Option<Dispatches>,
    pub full_dispatches: Option<Dispatches>,
    pub lora_traffic: Option<Traffic>,
    pub full_traffic: Option<Traffic>,
    /// The highest rate in `products`.
    pub best_gflop_per_s: f64,
    pub products: Vec<Rate>,
    /// Of a LoRA step; empty without --profile.
    pub profile: Vec<Kind>,
}

#[derive(Serialize)]
pub struct Speed {
    /// Of the first call, which makes the plan and compiles what is not compiled yet.
    pub first_ms: f64,
    pub ms: f64,
    pub tokens_per_s: f64,
    /// Of matrix products, 10^9 operations.
    pub gflop: f64,
    pub gflop_per_s: f64,
    /// Over `best_gflop_per_s`.
    pub share_of_best: f64,
}

#[derive(Serialize)]
pub struct Generation {
    /// Of each row.
    pub new_tokens: usize,
    #[serde(flatten)]
    pub speed: Speed,
}

#[derive(Serialize)]
pub struct Dispatches {
    pub total: usize,
    pub layer_forward: usize,
    pub layer_backward: usize,
}

impl Dispatches {
    pub fn of(plan: &PlanReport) -> Self {
        let PlanReport { dispatches, layer_forward, layer_backward, .. } = *plan;
        Self { total: dispatches, layer_forward, layer_backward }
    }
}

#[derive(Serialize)]
pub struct Traffic {
    pub submits: u64,
    pub written_bytes: u64,
    pub read_bytes: u64,
}

/// How fast one product is by itself.
#[derive(Serialize)]
pub struct Rate {
    #[serde(flatten)]
    pub product: Named,
    /// The kernel's variant; `candle` on the CPU.
    pub variant: String,
    pub gflop_per_s: f64,
}

/// A product's layout and size.
#[derive(Clone, PartialEq, Serialize)]
pub struct Named {
    pub layout: String,
    pub m: u32,
    pub n: u32,
    pub k: u32,
    /// Terms that LoRA adds to each sum.
    pub lora: u32,
}

impl Named {
    pub fn of(product: Product) -> Self {
        let m = product.matmul;
        Self { layout: format!("{:?}", m.layout), m: m.m, n: m.n, k: m.k, lora: product.lora_terms() }
    }
}

/// Dispatches of one kernel, and of one size where it is a product.
#[derive(Serialize)]
pub struct Kind {
    pub kernel: &'static str,
    pub product: Option<Named>,
    pub count: usize,
    pub ms: f64,
    pub gflop_per_s: f64,
}

/// Adds up dispatches of one kind, each with its milliseconds; longest first.
pub fn kinds<'a>(dispatches: impl Iterator<Item = (&'a Timed, f64)>) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = Vec::new();
    for (timed, ms) in dispatches {
        let product = timed.work.product.map(Named::of);
        let gflop = timed.work.flop / 1e9;
        match kinds.iter_mut().find(|k| k.kernel == timed.label && k.product == product) {
            None => kinds.push(Kind { kernel: timed.label, product, count: 1, ms, gflop_per_s: gflop }),
            Some(kind) => {
                kind.count += 1;
                kind.ms += ms;
                kind.gflop_per_s += gflop;
            }
        }
    }
    kinds.iter_mut().for_each(|k| k.gflop_per_s *= 1e3 / k.ms);
    kinds.sort_by(|a, b| b.ms.total_cmp(&a.ms));
    kinds
}

impl Report {
    pub fn print(&self) {
        let (a, m, f) = (&self.adapter, &self.model, &self.first_step);
        println!("{}: {}; {}, {} parameters, rank {}", a.backend, a.name, m.name, m.parameters, self.rank);
        println!(
            "to the first step {:.0} ms: open {:.0}, load {:.0}, step {:.0}",
            f.total_ms, f.open_ms, f.load_ms, f.step_ms
        );
        self.sizes.iter().for_each(SizeReport::print);
    }
}

impl SizeReport {
    fn print(&self) {
        println!("\n{} x {} tokens", self.rows, self.time);
        println!(
            "{:10} {:>10} {:>10} {:>11} {:>9} {:>8}",
            "", "first ms", "ms", "tokens/s", "GFLOP/s", "of best"
        );
        let generation = &self.generation.speed;
        let rows = [
            ("forward", &self.forward),
            ("LoRA step", &self.lora_step),
            ("full step", &self.full_step),
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
        println!("LoRA to full {:.2}", self.lora_to_full);
        let arms = [
            ("LoRA", &self.lora_dispatches, &self.lora_traffic),
            ("full", &self.full_dispatches, &self.full_traffic),
        ];
        for (name, dispatches, traffic) in arms {
            if let (Some(d), Some(t)) = (dispatches, traffic) {
                println!(
                    "{name} step: {} dispatches ({} forward and {} backward a layer), {} submits, {} bytes written, {} read back",
                    d.total, d.layer_forward, d.layer_backward, t.submits, t.written_bytes, t.read_bytes
                );
            }
        }
        println!("products alone, best {:.2} GFLOP/s:", self.best_gflop_per_s);
        for r in &self.products {
            println!("  {:42} {:>10} {:8.2}", describe(Some(&r.product)), r.variant, r.gflop_per_s);
        }
        for k in &self.profile {
            let what = format!("{} {}", k.kernel, describe(k.product.as_ref()));
            println!("  {what:52} x{:<4} {:9.2} ms {:8.2} GFLOP/s", k.count, k.ms, k.gflop_per_s);
        }
    }
}

fn describe(product: Option<&Named>) -> String {
    product.map_or(String::new(), |p| format!("{} {} x {} x {} + {}", p.layout, p.m, p.n, p.k, p.lora))
}
