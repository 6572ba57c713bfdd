//! What a model is: its configuration, its tensors and where they lie, its tokenizer.

pub mod bundle;
pub mod config;
pub mod layout;
pub mod peft;
pub mod tokenizer;
pub mod weights;
