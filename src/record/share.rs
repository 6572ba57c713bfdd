//! How a run is shared out among workers that train side by side.

use serde::Deserialize;

use super::arm::{ArmId, BASE};
use super::settings::Settings;

/// One worker's part of a run. Its settings are whole, so that the record says what it would say of one worker.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Share {
    /// The run's number, which all workers give it.
    pub run: u32,
    /// The arms that train here, and [`BASE`] with the worker that answers for it.
    pub models: Vec<ArmId>,
}

impl Share {
    /// All of a run.
    pub fn whole(run: u32, settings: &Settings) -> Self {
        let arms = settings.arms.iter().map(|arm| arm.id.clone());
        Self { run, models: [BASE.to_string()].into_iter().chain(arms).collect() }
    }

    pub fn has(&self, model: &str) -> bool {
        self.models.iter().any(|id| id == model)
    }
}
