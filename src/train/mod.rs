//! What training needs beside a model: learning rates, the optimiser's numbers, and LoRA's start.

mod lora;
mod optimizer;
pub mod schedule;

pub use lora::{AdapterStart, Lora};
pub use optimizer::Optimizer;
