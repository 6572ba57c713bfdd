//! The experiment: two arms in lockstep from one start, and the record of what happened.

mod asking;
mod bench;
mod event;
#[allow(clippy::module_inception)]
mod lab;
mod measuring;
mod preset;
mod probes;
mod settings;

pub use bench::*;
pub use event::*;
pub use lab::Lab;
pub use preset::{Preset, outcomes, summarise};
pub use settings::*;
