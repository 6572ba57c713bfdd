//! What the worker runs on.

use std::rc::Rc;

use crate::engine::{Backend, Choice, Found, choose};
use crate::error::Result;
use crate::gpu::Gpu;
use crate::record::BackendChoice;

/// The back end and its adapter's name.
pub async fn open(wanted: BackendChoice, found: &mut Found) -> Result<(Choice, String)> {
    let asked =
        |backend, which| Choice { backend, reason: format!("{which} was asked for."), is_tried: false };
    let choice = match wanted {
        BackendChoice::Auto => choose(found).await,
        BackendChoice::Cpu => asked(Backend::Cpu, "The CPU engine"),
        BackendChoice::Webgpu => asked(Backend::Gpu(Rc::new(Gpu::new().await?)), "WebGPU"),
    };
    let adapter = match &choice.backend {
        Backend::Gpu(gpu) => gpu.name(),
        Backend::Cpu => "CPU (WebAssembly with SIMD)".into(),
    };
    Ok((choice, adapter))
}
