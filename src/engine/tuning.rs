//! What an arm trains, and where it starts.

use crate::model::config::LlamaConfig;
use crate::model::layout::AdapterLayout;
use crate::model::lora::{AdapterStart, Lora};
use crate::record::{ArmSpec, Method};

/// What an arm trains.
#[derive(Clone, Debug, PartialEq)]
pub enum Tuning {
    /// A LoRA or DoRA adapter; the weights are frozen.
    Lora { lora: Lora, start: AdapterStart },
    /// Every weight, embeddings included.
    Full,
}

impl Tuning {
    /// What an arm trains; `seed` is where an adapter starts.
    pub fn of(arm: &ArmSpec, seed: u64) -> Self {
        match &arm.method {
            Method::Lora(spec) => Self::Lora { lora: Lora::of(spec), start: AdapterStart::Seed(seed) },
            Method::Full {} => Self::Full,
        }
    }

    /// How many parameters of such a model train.
    pub fn parameters(&self, config: &LlamaConfig) -> u64 {
        match self {
            Self::Lora { lora, .. } => AdapterLayout::new(config, lora).parameters() as u64,
            Self::Full => config.parameters(),
        }
    }
}
