//! What most commands begin with: a model, perhaps an adapter, on a back end.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result};

use super::{model, remembered};
use crate::engine::{Backend, Model, Tuning};
use crate::gpu::Gpu;
use crate::model::config::LlamaConfig;
use crate::model::lora::AdapterStart;
use crate::model::peft;
use crate::model::tokenizer::Tokenizer;
use crate::model::weights::Precision;
use crate::train::Optimizer;

/// Where the model runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum BackendName {
    /// WebGPU through the system's Vulkan driver.
    Gpu,
    /// candle.
    Cpu,
    /// WebGPU on a real GPU, otherwise whichever of the two is measured faster.
    Auto,
}

impl BackendName {
    /// The back end and its name for records; says on standard error what was chosen and why.
    pub fn open(self) -> Result<(Backend, String)> {
        let backend = match self {
            Self::Cpu => Backend::Cpu,
            Self::Gpu => {
                let gpu = pollster::block_on(Gpu::new()).context("--backend cpu needs no GPU")?;
                Backend::Gpu(Rc::new(gpu))
            }
            Self::Auto => {
                let choice = remembered::choose();
                eprintln!("{}", choice.reason.english);
                choice.backend
            }
        };
        let name = match &backend {
            Backend::Gpu(gpu) => format!("webgpu: {}", gpu.name()),
            Backend::Cpu => "cpu".into(),
        };
        Ok((backend, name))
    }
}

/// How the GPU holds a model's matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum WeightsName {
    /// As they are computed with.
    F32,
    /// Rounded to f16, in half the memory. Norms and whatever trains stay f32; the CPU back end rounds only.
    F16,
}

impl From<WeightsName> for Precision {
    fn from(name: WeightsName) -> Self {
        match name {
            WeightsName::F32 => Self::F32,
            WeightsName::F16 => Self::F16,
        }
    }
}

/// Which model, with which adapter, on which back end.
#[derive(Clone, Debug, clap::Args)]
pub struct ModelArgs {
    /// A Hugging Face folder (config.json, model.safetensors, tokenizer.json) or a GGUF file.
    #[arg(long, value_name = "DIR|FILE.gguf")]
    pub model: PathBuf,
    /// A PEFT adapter for it (adapter_config.json, adapter_model.safetensors): LoRA, rsLoRA or DoRA.
    #[arg(long, value_name = "DIR")]
    pub adapter: Option<PathBuf>,
    /// Where it runs.
    #[arg(long, value_enum, default_value = "auto")]
    pub backend: BackendName,
    /// How the model's matrices are held.
    #[arg(long, value_enum, default_value = "f32")]
    pub weights: WeightsName,
}

/// A model ready to run.
pub struct Opened {
    pub config: LlamaConfig,
    pub tokenizer: Tokenizer,
    pub backend: Backend,
    /// Name of the back end and its adapter.
    pub engine: String,
    /// Without the adapter.
    pub base: Model,
    /// With the adapter, if there is one.
    pub adapted: Option<Model>,
}

impl ModelArgs {
    pub fn open(&self) -> Result<Opened> {
        let bundle = model::read(&self.model)?;
        let adapter = self.adapter.as_deref().map(|dir| read_adapter(dir, &bundle.config)).transpose()?;
        let (backend, engine) = self.backend.open()?;
        let base = backend.load_as(&bundle.config, &bundle.weights, self.weights.into())?;
        let adapted = adapter.map(|a| {
            let start = AdapterStart::Tensors(Rc::new(a.tensors));
            base.tune(&Tuning::Lora { lora: a.lora, start }, Optimizer::default())
        });
        let adapted = adapted.transpose()?;
        Ok(Opened { config: bundle.config, tokenizer: bundle.tokenizer, backend, engine, base, adapted })
    }
}

impl Opened {
    /// The model that the arguments name: with its adapter, if there is one.
    pub fn model(&mut self) -> &mut Model {
        self.adapted.as_mut().unwrap_or(&mut self.base)
    }
}

/// Reads a PEFT folder.
pub fn read_adapter(folder: &Path, model: &LlamaConfig) -> Result<peft::Adapter> {
    let [config, weights] = adapter_files(folder)?;
    peft::read(&config, &weights, model).with_context(|| format!("in {}", folder.display()))
}

/// The two files of a PEFT folder.
pub fn adapter_files(folder: &Path) -> Result<[Vec<u8>; 2]> {
    let read = |name: &str| {
        let path = folder.join(name);
        fs::read(&path).with_context(|| {
            format!("{} can't be read; --adapter takes a folder that PEFT or --save wrote", path.display())
        })
    };
    Ok([read(peft::CONFIG_FILE)?, read(peft::WEIGHTS_FILE)?])
}
