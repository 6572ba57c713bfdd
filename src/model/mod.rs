//! What a model is: its configuration, its tensors and where they lie, its tokenizer.

pub mod bundle;
pub mod config;
mod config_json;
pub mod layout;
pub mod peft;
pub mod rope;
pub mod tokenizer;
pub mod weights;
