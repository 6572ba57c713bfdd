//! Checks and draws of [`Sampling`].

use crate::error::{Error, Result};
use crate::kernels::Draw;
use crate::record::Sampling;

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
