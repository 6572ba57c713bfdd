//! How generated tokens are chosen.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::kernels::Draw;

/// The likeliest token each time, or a draw. The same on both back ends: the noise is a hash of seed,
/// sequence, position and token.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sampling {
    /// What logits are divided by: 0 is greedy, else from 0.001 to 100; 1 is the model's own distribution.
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

impl Sampling {
    /// # Errors
    /// [`Error::Setting`] for values outside their range.
    pub fn check(&self) -> Result<()> {
        let refuse = |field, value: f32, remedy: &str| {
            Err(Error::Setting { field, message: format!("{value}"), remedy: remedy.into() })
        };
        if self.temperature != 0.0 && !(1e-3..=100.0).contains(&self.temperature) {
            return refuse("temperature", self.temperature, "Use 0 (greedy), or 0.001 to 100");
        }
        if !(0.0..=1.0).contains(&self.top_p) {
            return refuse("top_p", self.top_p, "Use 0 to 1; 1 draws among all tokens");
        }
        Ok(())
    }

    /// For rows of which the first is `sequence` among all of the call.
    pub(super) fn draw(self, sequence: usize) -> Draw {
        let Self { temperature, top_p, seed } = self;
        Draw { temperature, top_p, seed, sequence: sequence as u32 }
    }
}
