//! Tests that run as WebAssembly in a dedicated worker of a real browser: `scripts/test web`.
//!
//! `webdriver.json` gives headless Chromium WebGPU in software (SwiftShader). It proves correctness, never speed.
#![cfg(target_arch = "wasm32")]

#[expect(dead_code, reason = "the tiny models of the native engine tests, of which not all are used here")]
#[path = "engine/common.rs"]
mod common;

use common::{assert_tensors_close, batch, configs, dora, gpu_in_browser, load, lora, use_kernels};
use driftscope::engine::{Backend, Tuning};
use driftscope::kernels::Share;
use driftscope::record::Sampling;
use driftscope::record::Target;
use driftscope::train::Optimizer;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

/// The browser of the tests must have WebGPU: without this, tests that fall back to the CPU would prove nothing.
#[wasm_bindgen_test]
async fn browser_has_webgpu_in_a_worker() {
    assert!(wgpu::util::is_browser_webgpu_supported().await);
}

/// The same WGSL that the native tests run on lavapipe, here through the browser's compiler and API.
#[wasm_bindgen_test]
async fn training_on_webgpu_equals_candle() {
    let gpu = gpu_in_browser().await;
    let (name, config) = configs().remove(0);
    let tunings = || [Tuning::Full, lora(4, &Target::ALL), dora(3)];
    for (share, tuning) in Share::ALL.into_iter().flat_map(|share| tunings().map(|tuning| (share, tuning))) {
        let name = format!("{name}, {share:?}");
        use_kernels(&gpu, share, &config, 3 * 17);
        let mut on_gpu = load(&gpu, &config).tune(&tuning, Optimizer::default()).unwrap();
        let mut on_cpu = load(&Backend::Cpu, &config).tune(&tuning, Optimizer::default()).unwrap();
        for step in 0..2 {
            let batch = batch(&config, 3, 17, step);
            on_gpu.train_step(&batch, 1e-2).unwrap();
            on_cpu.train_step(&batch, 1e-2).unwrap();
            let (got, want) = (on_gpu.gradients().await.unwrap(), on_cpu.gradients().await.unwrap());
            assert_tensors_close(&format!("{name}, step {step}"), &got, &want, 1e-4);
        }
        let (got, want) = (on_gpu.take_metrics().await.unwrap(), on_cpu.take_metrics().await.unwrap());
        assert!((got[1].loss / want[1].loss - 1.0).abs() < 1e-4, "{got:?} {want:?}");
    }
}

#[wasm_bindgen_test]
async fn decoding_on_webgpu_equals_candle() {
    let gpu = gpu_in_browser().await;
    let (_, config) = configs().remove(0);
    let prompts = [vec![1, 2, 3], vec![4], vec![5, 6, 7, 8, 9]];
    let drawn = Sampling { temperature: 1.0, top_p: 0.9, seed: 5 };
    for sampling in [Sampling::default(), drawn] {
        let got = load(&gpu, &config).generate(&prompts, 6, &[63], sampling).await.unwrap();
        let want = load(&Backend::Cpu, &config).generate(&prompts, 6, &[63], sampling).await.unwrap();
        assert_eq!(got, want, "{sampling:?}");
    }
}
