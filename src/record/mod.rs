//! The contract: what crosses the worker's border or is saved. The page's JavaScript takes its types and its data
//! (names, ranges, defaults, labels, help) from `www/js/contract`, which is generated from this room; a test fails
//! when the committed files are old (`contract.rs`).
//!
//! Nothing of the project is imported here but the error type.

mod arm;
mod arm_text;
mod bench;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod contract_types;
mod counterfactual;
mod event;
mod field;
mod inspected;
#[cfg(test)]
mod lesson;
mod load;
mod measure;
mod metric;
mod preset;
mod presets;
mod probed;
mod protocol;
mod said;
mod sampling;
mod settings;
mod share;
mod summary;

pub use arm::{
    AdapterInfo, ArmId, ArmSpec, BASE, LoraSpec, MOST_ARMS, MOST_RANK, Method, Regularisers, ScheduleKind,
    Target, is_id,
};
pub use bench::*;
pub use counterfactual::{Counterfactual, Fates, SwappedAnswer};
pub use event::*;
pub use field::{ARM_FIELDS, Field, Kind, RUN_FIELDS};
pub use inspected::{ModelInfo, Way};
pub use load::*;
pub use measure::*;
pub use metric::{Metric, Spread, Values};
pub use preset::{Condition, Doses, Expect, Fairness, Preset, Question, Set, Shown, Side};
pub use presets::BEST_RATES;
pub use probed::{AskedOfBase, BaseAnswer};
pub use protocol::*;
pub use said::{Said, SaidValue};
pub use sampling::Sampling;
pub use settings::{Filter, NEW_FACTS, Settings, Swap};
pub use share::Share;
pub use summary::*;
