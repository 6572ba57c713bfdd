//! Driftscope: fine-tunes a small language model with LoRA and with full tuning from the same start and
//! measures how far each drifts from the base and which facts each still knows.

pub mod error;
pub mod gpu;
pub mod kernels;
