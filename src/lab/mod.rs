//! The experiment: two arms in lockstep from one start, and the record of what happened.

mod asking;
mod bench;
mod counterfactual;
mod dataset;
mod event;
mod experiment;
#[allow(clippy::module_inception)]
mod lab;
mod measuring;
mod metric;
mod preset;
mod probes;
mod settings;
mod weights;

pub use bench::*;
pub use counterfactual::{Check, Counterfactual, Fates};
pub use event::*;
pub use experiment::{Experiment, Planned};
pub use lab::Lab;
pub use metric::{Metric, Spread, Values};
pub use preset::{BEST_RATES, Fairness, Preset, Set};
pub use settings::*;
