//! Fills in the report of a benchmark.

use crate::engine::Backend;
use crate::gpu::{PlanReport, Timed};
use crate::kernels::Product;
use crate::model::config::LlamaConfig;
use crate::record::{BenchAdapter, DispatchKind, Dispatches, ModelShape, NamedProduct};

/// Changes when a field changes its meaning.
pub const FORMAT: u32 = 1;

impl BenchAdapter {
    pub(super) fn of(backend: &Backend) -> Self {
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

impl ModelShape {
    pub(super) fn of(name: &str, c: &LlamaConfig) -> Self {
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

impl Dispatches {
    pub(super) fn of(plan: &PlanReport) -> Self {
        let PlanReport { dispatches, layer_forward, layer_backward, .. } = *plan;
        Self { total: dispatches, layer_forward, layer_backward }
    }
}

impl NamedProduct {
    pub(super) fn of(product: Product) -> Self {
        let m = product.matmul;
        Self { layout: format!("{:?}", m.layout), m: m.m, n: m.n, k: m.k, lora: product.lora_terms() }
    }
}

/// Adds up dispatches of one kind, each with its milliseconds; longest first.
pub fn kinds<'a>(dispatches: impl Iterator<Item = (&'a Timed, f64)>) -> Vec<DispatchKind> {
    let mut kinds: Vec<DispatchKind> = Vec::new();
    for (timed, ms) in dispatches {
        let product = timed.work.product.map(NamedProduct::of);
        let gflop = timed.work.flop / 1e9;
        match kinds.iter_mut().find(|k| k.kernel == timed.label && k.product == product) {
            None => {
                kinds.push(DispatchKind { kernel: timed.label, product, count: 1, ms, gflop_per_s: gflop })
            }
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
