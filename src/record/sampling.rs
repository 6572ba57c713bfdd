//! How generated tokens are chosen.

use serde::{Deserialize, Serialize};

/// The likeliest token each time, or a draw. The same on both back ends: the noise is a hash of seed,
/// sequence, position and token.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Sampling {
    /// What logits are divided by: 0 is greedy, otherwise from 0.001 to 100; 1 is the model's own distribution.
    pub temperature: f32,
    /// Only the likeliest tokens that together have this probability are drawn, 0 to 1; 1 draws among all.
    pub top_p: f32,
    pub seed: u32,
}

impl Default for Sampling {
    /// Greedy.
    fn default() -> Self {
        Self { temperature: 0.0, top_p: 1.0, seed: 0 }
    }
}
