//! Reading models from disk and choosing a back end.

use std::fs;
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context, Result};

use crate::engine::Backend;
use crate::gpu::Gpu;
use crate::model::bundle::{Bundle, Files};

/// Where the model runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum BackendName {
    /// WebGPU through the system's Vulkan driver.
    Gpu,
    /// candle.
    Cpu,
}

impl BackendName {
    /// The back end and its name for records.
    pub fn open(self) -> Result<(Backend, String)> {
        match self {
            Self::Cpu => Ok((Backend::Cpu, "cpu".into())),
            Self::Gpu => {
                let gpu = pollster::block_on(Gpu::new())?;
                let name = format!("webgpu: {}", gpu.info.name);
                Ok((Backend::Gpu(Rc::new(gpu)), name))
            }
        }
    }
}

/// Reads a Hugging Face folder.
pub fn read(folder: &Path) -> Result<Bundle> {
    let required = |name: &str| {
        let path = folder.join(name);
        fs::read(&path).with_context(|| format!("{} is needed", path.display()))
    };
    let config = required("config.json")?;
    let tokenizer = required("tokenizer.json")?;
    let weights = required("model.safetensors")?;
    let tokenizer_config = fs::read(folder.join("tokenizer_config.json")).ok();
    let chat_template = fs::read_to_string(folder.join("chat_template.jinja")).ok();
    let files = Files {
        config: &config,
        tokenizer: &tokenizer,
        tokenizer_config: tokenizer_config.as_deref(),
        chat_template: chat_template.as_deref(),
        weights: &weights,
    };
    Bundle::read(&files).with_context(|| format!("in {}", folder.display()))
}
