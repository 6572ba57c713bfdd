//! A Llama model's parts: its shape, its weights, its tokenizer.

pub mod config;
pub mod tokenizer;
pub mod weights;
