//! Driftscope.

pub mod data;
pub mod error;
pub mod model;
pub mod reference;
pub mod train;

#[cfg(not(target_arch = "wasm32"))]
pub mod cli;
