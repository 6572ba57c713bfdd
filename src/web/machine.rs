//! What the worker runs on: the chosen back end, and what its own code weighs.

use std::rc::Rc;

use js_sys::Reflect;
use wasm_bindgen::JsValue;
use web_sys::DedicatedWorkerGlobalScope;

use super::protocol::BackendChoice;
use crate::engine::{Backend, Choice, choose};
use crate::error::Result;
use crate::gpu::Gpu;

/// Bytes of this worker's WebAssembly: transferred, and unpacked; 0 where the browser does not tell.
pub fn wasm_bytes(scope: &DedicatedWorkerGlobalScope) -> (f64, f64) {
    let entries = scope.performance().map(|p| p.get_entries_by_type("resource"));
    let entries: Vec<JsValue> = entries.map(|entries| entries.iter().collect()).unwrap_or_default();
    let field = |entry: &JsValue, name: &str| Reflect::get(entry, &name.into()).unwrap_or(JsValue::UNDEFINED);
    let is_wasm = |entry: &&JsValue| field(entry, "name").as_string().is_some_and(|n| n.contains(".wasm"));
    match entries.iter().find(is_wasm) {
        None => (0.0, 0.0),
        Some(entry) => {
            let size = |name| field(entry, name).as_f64().unwrap_or(0.0);
            (size("transferSize"), size("decodedBodySize"))
        }
    }
}

/// The back end, its adapter's name, and why it was chosen.
pub async fn open(wanted: BackendChoice) -> Result<(Backend, String, String)> {
    let Choice { backend, reason } = match wanted {
        BackendChoice::Auto => choose().await,
        BackendChoice::Cpu => {
            Choice { backend: Backend::Cpu, reason: "The CPU engine was asked for.".into() }
        }
        BackendChoice::Webgpu => {
            let backend = Backend::Gpu(Rc::new(Gpu::new().await?));
            Choice { backend, reason: "WebGPU was asked for.".into() }
        }
    };
    let adapter = match &backend {
        Backend::Gpu(gpu) => gpu.name(),
        Backend::Cpu => "CPU (WebAssembly with SIMD)".into(),
    };
    Ok((backend, adapter, reason))
}
