//! What a model is and what it takes, before it is loaded.

use serde::Serialize;

use super::load::HeldAs;

/// A model that was inspected.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ModelInfo {
    /// "SmolLM2, 134,515,008 parameters".
    pub title: String,
    pub parameters: u64,
    pub layers: u32,
    pub vocabulary: u32,
    /// Longest text, in tokens.
    pub positions: u32,
    /// What was taken otherwise than the files say, a sentence each.
    pub notes: Vec<String>,
    pub ways: Vec<Way>,
    /// Milliseconds of one measurement of an arm, estimated.
    pub measurement_ms: f32,
    /// Bytes that the base and its arms may take together; unknown where there is none.
    pub available: Option<u64>,
}

/// One way of training a model, and what it takes here.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Way {
    /// Whether every weight trains, and not an adapter.
    pub full: bool,
    pub weights: HeldAs,
    pub checkpoint: bool,
    /// Bytes of the base and one arm.
    pub bytes: u64,
    /// Why it does not fit; nothing where it does, or where nobody can say.
    pub refusal: Option<String>,
    /// Milliseconds of a step, estimated from this engine's rate in a short trial.
    pub step_ms: f32,
}
