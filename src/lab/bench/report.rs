//! The JSON of a benchmark. docs/bench.md explains the fields.

use serde::{Deserialize, Serialize};

use crate::engine::Backend;
use crate::gpu::{PlanReport, Timed};
use crate::kernels::Product;
use crate::model::config::LlamaConfig;

/// Changes when a field changes its meaning.
pub const FORMAT: u32 = 1;

/// Times are medians over the rounds, after a first one.
#[derive(Clone, Debug, Serialize)]
pub struct BenchReport {
    pub format: u32,
    pub adapter: Adapter,
    pub model: ModelShape,
    pub batch: usize,
    pub time: usize,
    pub rank: u32,
    /// Share of the tokens that count.
    pub response: f64,
    /// From where the caller began, the program's or the page's start, to the end of the first LoRA step: the
    /// model, the arm, its plan, the kernels' compilation and the step are in it.
    pub to_first_step_ms: f64,
    /// Of the LoRA steps, the first and one a round: what proves that two machines train the same.
    pub losses: Vec<f32>,
    pub forward: Speed,
    pub lora_step: Speed,
    pub full_step: Speed,
    pub generation: Generation,
    /// Time of a LoRA step over that of a full one.
    pub lora_to_full: f64,
    /// GPU memory of each arm, the base's weights included.
    pub lora_bytes: Option<u64>,
    pub full_bytes: Option<u64>,
    pub lora_dispatches: Option<Dispatches>,
    pub full_dispatches: Option<Dispatches>,
    pub lora_traffic: Option<Traffic>,
    pub full_traffic: Option<Traffic>,
    /// The highest rate in `products`.
    pub best_gflop_per_s: f64,
    pub products: Vec<Rate>,
    /// Of a LoRA step; empty unless asked for.
    pub profile: Vec<Kind>,
    /// Of the page that is built, which the caller knows.
    pub wasm: Option<WasmSize>,
}

/// Bytes of the page's WebAssembly: unpacked, and as a host sends it.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct WasmSize {
    pub bytes: u64,
    pub gzip: u64,
    pub brotli: u64,
}

#[derive(Clone, Debug, Serialize)]
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

#[derive(Clone, Debug, Serialize)]
pub struct ModelShape {
    pub name: String,
    pub parameters: usize,
    pub hidden: usize,
    pub intermediate: usize,
    pub layers: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub vocabulary: usize,
}

impl ModelShape {
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

#[derive(Clone, Debug, Serialize)]
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

#[derive(Clone, Debug, Serialize)]
pub struct Generation {
    /// Of each row.
    pub new_tokens: usize,
    #[serde(flatten)]
    pub speed: Speed,
}

#[derive(Clone, Debug, Serialize)]
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

#[derive(Clone, Debug, Serialize)]
pub struct Traffic {
    pub submits: u64,
    pub written_bytes: u64,
    pub read_bytes: u64,
}

/// How fast one product is by itself.
#[derive(Clone, Debug, Serialize)]
pub struct Rate {
    #[serde(flatten)]
    pub product: Named,
    /// The kernel's variant; `candle` on the CPU.
    pub variant: String,
    pub gflop_per_s: f64,
}

/// A product's layout and size.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
#[derive(Clone, Debug, Serialize)]
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
