//! What a model is: its configuration, its tensors and where they lie.

pub mod config;
pub mod layout;
