//! What the worker runs on.

use std::rc::Rc;

use crate::engine::{Backend, Choice, Found, choose};
use crate::error::Result;
use crate::gpu::Gpu;
use crate::record::{BackendChoice, Said};

/// The back end and its adapter's name.
pub async fn open(wanted: BackendChoice, found: &mut Found) -> Result<(Choice, String)> {
    let asked = |backend, reason| Choice { backend, reason, is_tried: false };
    let choice = match wanted {
        BackendChoice::Auto => choose(found).await,
        BackendChoice::Cpu => {
            asked(Backend::Cpu, Said::new("cpu-asked", "The CPU engine was asked for.", &[]))
        }
        BackendChoice::Webgpu => {
            let gpu = Gpu::new().await?;
            asked(Backend::Gpu(Rc::new(gpu)), Said::new("webgpu-asked", "WebGPU was asked for.", &[]))
        }
    };
    let adapter = match &choice.backend {
        Backend::Gpu(gpu) => gpu.name(),
        Backend::Cpu => "CPU (WebAssembly with SIMD)".into(),
    };
    Ok((choice, adapter))
}
