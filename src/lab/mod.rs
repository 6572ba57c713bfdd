//! The experiment: two arms in lockstep from one start, and the record of what happened.

mod event;
#[allow(clippy::module_inception)]
mod lab;
mod measuring;
mod probes;
mod settings;

pub use event::*;
pub use lab::Lab;
pub use settings::*;
