//! Tests that run as WebAssembly in a dedicated worker of a real browser: `scripts/test web`.
//!
//! `webdriver.json` gives headless Chromium WebGPU in software (SwiftShader). It proves correctness, never speed.
#![cfg(target_arch = "wasm32")]

use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

/// The browser of the tests must have WebGPU: without this, tests that fall back to the CPU would prove nothing.
#[wasm_bindgen_test]
async fn browser_has_webgpu_in_a_worker() {
    assert!(wgpu::util::is_browser_webgpu_supported().await);
}
