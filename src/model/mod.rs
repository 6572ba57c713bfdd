//! What a model is: its configuration, its tensors and where they lie, its tokenizer.

pub mod bundle;
pub mod chat;
pub mod checkpoint;
pub mod config;
pub mod config_json;
mod encoding;
pub mod folder;
pub mod gguf;
mod jinja;
pub mod layout;
pub mod lora;
pub mod peft;
mod peft_patterns;
pub mod rope;
pub mod shards;
pub mod source;
pub mod tokenizer;
mod tokenizer_file;
pub mod weights;
