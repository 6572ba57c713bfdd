//! The reference engine: the same Llama on the CPU, differentiated by candle.
//!
//! It pre-trains the built-in model, stands in where there is no GPU, and is what the GPU kernels
//! are compared with.

pub mod adamw;
pub mod adapter;
pub mod llama;
pub mod ops;
pub mod rows;
