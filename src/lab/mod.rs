//! The experiment: arms in lockstep from one start, and the record of what happened.

pub mod adapters;
mod asking;
mod check;
mod comparison;
mod dataset;
mod doses;
mod experiment;
mod looking;
mod measuring;
pub mod memory;
mod pace;
mod probes;
mod probing;
mod resuming;
mod run;
mod saving;
mod session;
mod subject;
mod work;

pub use asking::{Answer, Asked};
pub use doses::Dose;
pub use experiment::{Experiment, Planned, Position};
pub use probing::Probing;
pub use resuming::Snapshot;
pub use saving::MOST_OF_A_FILE;
pub use session::{Session, Texts};
pub use subject::Subject;
pub use work::{Slice, Work};

/// What a visitor's own facts are called in errors.
const OWN_PROBES: &str = "probes";
