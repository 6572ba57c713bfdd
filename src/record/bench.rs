//! What `driftscope bench` and bench.html measure, and the JSON that they write. docs/bench.md explains the fields.

use serde::{Deserialize, Serialize};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    /// Rounds, each of which measures everything once.
    pub repeat: usize,
    /// Also say where a step's time goes, dispatch by dispatch (WebGPU only).
    #[serde(default)]
    pub profile: bool,
}

fn whole() -> f64 {
    1.0
}

/// What is measured in place of a model with files: a known shape with random weights.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RandomModel {
    pub shape: BenchShape,
    /// Its first layers only.
    pub layers: Option<usize>,
}

/// A known shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum BenchShape {
    /// The built-in base model's.
    Atlas,
    /// SmolLM2-135M's.
    Smollm2,
}

/// Times are medians over the rounds, after a first one.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BenchReport {
    pub format: u32,
    pub adapter: BenchAdapter,
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
    pub profile: Vec<DispatchKind>,
    /// Of the page that is built, which the caller knows.
    pub wasm: Option<WasmSize>,
}

/// Bytes of the page's WebAssembly: unpacked, and as a host sends it.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WasmSize {
    pub bytes: u64,
    pub gzip: u64,
    pub brotli: u64,
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BenchAdapter {
    /// `webgpu` or `cpu`.
    pub backend: &'static str,
    pub name: String,
    pub driver: String,
    /// Whether it is a program on the CPU.
    pub software: bool,
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ModelShape {
    pub name: String,
    pub parameters: u64,
    pub hidden: usize,
    pub intermediate: usize,
    pub layers: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub vocabulary: usize,
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Generation {
    /// Of each row.
    pub new_tokens: usize,
    #[serde(flatten)]
    pub speed: Speed,
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Dispatches {
    pub total: usize,
    pub layer_forward: usize,
    pub layer_backward: usize,
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Traffic {
    pub submits: u64,
    pub written_bytes: u64,
    pub read_bytes: u64,
}

/// How fast one product is by itself.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Rate {
    #[serde(flatten)]
    pub product: NamedProduct,
    /// The kernel's variant; `candle` on the CPU.
    pub variant: String,
    pub gflop_per_s: f64,
}

/// A product's layout and size.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NamedProduct {
    pub layout: String,
    pub m: u32,
    pub n: u32,
    pub k: u32,
    /// Terms that LoRA adds to each sum.
    pub lora: u32,
}

/// Dispatches of one kernel, and of one size where it is a product.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DispatchKind {
    pub kernel: &'static str,
    pub product: Option<NamedProduct>,
    pub count: usize,
    pub ms: f64,
    pub gflop_per_s: f64,
}
