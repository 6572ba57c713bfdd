//! Driftscope: fine-tunes a small language model with LoRA and with full tuning from the same start and
//! measures how far each drifts from the base and which facts each still knows.

pub mod bench;
pub mod data;
pub mod engine;
pub mod error;
pub mod gpu;
pub mod kernels;
pub mod lab;
pub mod measure;
pub mod model;
pub mod record;
pub mod reference;
pub mod train;

#[cfg(not(target_arch = "wasm32"))]
pub mod cli;
#[cfg(target_arch = "wasm32")]
pub mod web;
