//! Tiny random models, the same on both back ends.

use std::rc::Rc;

use driftscope::data::batch::{Batch, Sequence};
use driftscope::engine::{Backend, Model, Tensors, Tuning, step_products};
use driftscope::gpu::Gpu;
use driftscope::kernels::{Share, Variant};
use driftscope::model::config::LlamaConfig;
use driftscope::model::lora::{AdapterStart, Lora};
use driftscope::model::rope::Llama3Scaling;
use driftscope::model::weights::{Array, Precision, Weights};
use driftscope::record::Target;
use driftscope::train::Optimizer;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Names and configurations: grouped heads, odd widths, an untied head, a vocabulary that 4 does not divide,
/// scaled rotations, heads that are together wider than the residual stream.
pub fn configs() -> Vec<(&'static str, LlamaConfig)> {
    let base = r#"{"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_act":"silu",
        "hidden_size":32,"intermediate_size":48,"num_hidden_layers":2,"num_attention_heads":4,
        "num_key_value_heads":2,"head_dim":8,"vocab_size":64,"rope_theta":10000.0,"rms_norm_eps":1e-5,
        "tie_word_embeddings":true,"max_position_embeddings":64}"#;
    let tied = LlamaConfig::from_json(base.as_bytes()).unwrap();
    let grouped = LlamaConfig {
        num_attention_heads: 8,
        num_key_value_heads: 1,
        head_dim: 6,
        hidden_size: 48,
        tie_word_embeddings: false,
        ..tied.clone()
    };
    let odd = LlamaConfig {
        hidden_size: 30,
        intermediate_size: 41,
        num_attention_heads: 3,
        num_key_value_heads: 3,
        head_dim: 10,
        vocab_size: 67,
        num_hidden_layers: 3,
        rope_scaling: Some(Llama3Scaling {
            factor: 8.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_max_position_embeddings: 32,
        }),
        ..tied.clone()
    };
    let wide = LlamaConfig { head_dim: 12, ..tied.clone() };
    vec![
        ("tied, heads 4/2", tied),
        ("untied, heads 8/1", grouped),
        ("odd widths, heads 3/3, llama3 rotations", odd),
        ("wide heads", wide),
    ]
}

pub fn weights(config: &LlamaConfig, seed: u64) -> Weights {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let tensor = |(name, shape): (String, Vec<usize>)| {
        let n = shape.iter().product();
        // Norms around 1, matrices small enough for stable training.
        let data = match shape.len() {
            1 => (0..n).map(|_| rng.random_range(0.5..1.5)).collect(),
            _ => (0..n).map(|_| rng.random_range(-0.25..0.25)).collect(),
        };
        (name, Array { shape, data })
    };
    config.tensors().into_iter().map(tensor).collect()
}

#[cfg(not(target_arch = "wasm32"))]
pub fn gpu() -> Backend {
    pollster::block_on(gpu_in_browser())
}

/// The GPU with the kernels of hardware and with those of software, and the CPU engine.
#[cfg(not(target_arch = "wasm32"))]
pub fn back_ends() -> [Backend; 3] {
    let [threads, tiles] = Share::ALL.map(|share| {
        let gpu = gpu();
        if let Backend::Gpu(gpu) = &gpu {
            gpu.choose(|choices| choices.share = share);
        }
        gpu
    });
    [threads, tiles, Backend::Cpu]
}

pub async fn gpu_in_browser() -> Backend {
    Backend::Gpu(Rc::new(Gpu::new().await.expect("a WebGPU adapter")))
}

/// Lets the adapter run one kind of kernels for steps over `tokens` tokens, whatever it is: those of hardware
/// (shared rows, and products in large tiles where their shape allows it), or those of software.
pub fn use_kernels(backend: &Backend, share: Share, config: &LlamaConfig, tokens: usize) {
    let (Backend::Gpu(gpu), Tuning::Lora { lora, .. }) = (backend, lora(4, &Target::ALL)) else { return };
    let variant = match share {
        Share::Threads => Variant::Tiled,
        Share::Tiles => Variant::Register,
    };
    gpu.choose(|choices| choices.share = share);
    let products = step_products(config, tokens, tokens, &lora);
    let variants = products.iter().map(|p| (p.matmul.kind(), variant)).collect();
    gpu.choose(|choices| choices.variants = variants);
}

pub fn load(backend: &Backend, config: &LlamaConfig) -> Model {
    backend.load(config, weights(config, 7)).unwrap()
}

pub fn load_as(backend: &Backend, config: &LlamaConfig, precision: Precision) -> Model {
    backend.load_as(config, weights(config, 7), precision).unwrap()
}

/// `rows` random sequences of odd lengths up to `time`, with random prompts.
pub fn batch(config: &LlamaConfig, rows: usize, time: usize, seed: u64) -> Batch {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let sequences: Vec<Sequence> = (0..rows)
        .map(|_| {
            let len = rng.random_range(4..=time);
            let tokens: Vec<u32> = (0..len).map(|_| rng.random_range(0..config.vocab_size as u32)).collect();
            let response = rng.random_range(0..len - 1);
            Sequence { tokens, response }
        })
        .collect();
    Batch::new(&sequences.iter().collect::<Vec<_>>(), rows, time)
}

pub fn lora(rank: usize, targets: &[Target]) -> Tuning {
    let alpha = 2.0 * rank as f32;
    let lora = Lora { rank, alpha, targets: targets.to_vec(), rank_stabilised: false, dora: false };
    Tuning::Lora { lora, start: AdapterStart::Seed(5) }
}

/// DoRA on some members of each stack and not on others.
pub fn dora(rank: usize) -> Tuning {
    let targets = vec![Target::QProj, Target::VProj, Target::OProj, Target::UpProj, Target::DownProj];
    let alpha = 2.0 * rank as f32;
    let lora = Lora { rank, alpha, targets, rank_stabilised: false, dora: true };
    Tuning::Lora { lora, start: AdapterStart::Seed(5) }
}

/// An arm of each kind before its first step, on each back end and model: what it is called, itself, its base and a batch.
#[cfg(not(target_arch = "wasm32"))]
pub fn each_arm(mut test: impl FnMut(&str, &mut Model, &mut Model, &Batch)) {
    for backend in back_ends() {
        for (name, config) in configs() {
            let mut base = load(&backend, &config);
            for tuning in [Tuning::Full, lora(2, &Target::ALL), dora(2)] {
                let mut arm = base.tune(&tuning, Optimizer::default()).unwrap();
                test(&format!("{name} {tuning:?}"), &mut arm, &mut base, &batch(&config, 3, 17, 1));
            }
        }
    }
}

/// Relative error at most `tolerance` and cosine at least `1 - 1e-4`, for every tensor.
pub fn assert_tensors_close(what: &str, got: &Tensors, want: &Tensors, tolerance: f64) {
    assert_eq!(got.keys().collect::<Vec<_>>(), want.keys().collect::<Vec<_>>(), "{what}: names");
    for (name, (shape, got)) in got {
        assert_eq!(*shape, want[name].0, "{what}: {name}: shape");
        let want = &want[name].1;
        let pairs = || got.iter().zip(want).map(|(g, w)| (f64::from(*g), f64::from(*w)));
        let norm = |f: fn((f64, f64)) -> f64| pairs().map(f).sum::<f64>();
        let (dot, gg, ww) = (norm(|(g, w)| g * w), norm(|(g, _)| g * g), norm(|(_, w)| w * w));
        let error = norm(|(g, w)| (g - w).powi(2)).sqrt() / ww.sqrt().max(1e-12);
        if ww == 0.0 {
            assert_eq!(gg, 0.0, "{what}: {name} must be zero");
            continue;
        }
        assert!(error <= tolerance, "{what}: {name}: relative error {error:.2e}");
        let cosine = dot / (gg * ww).sqrt();
        assert!(cosine >= 0.9999, "{what}: {name}: cosine {cosine}");
    }
}
