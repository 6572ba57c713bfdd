//! What the worker runs on: the chosen back end, and what its own code weighs.

use std::rc::Rc;

use super::protocol::BackendChoice;
use crate::engine::{Backend, Choice, choose};
use crate::error::Result;
use crate::gpu::Gpu;

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
