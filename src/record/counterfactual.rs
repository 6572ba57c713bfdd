//! What became of borrowed answers when their source rows were changed.

use serde::{Deserialize, Serialize};

use super::arm::ArmId;

/// What became of borrowed answers after a training run with swapped rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Counterfactual {
    pub arm: ArmId,
    /// Training runs that are added up here.
    pub runs: u32,
    /// Answers whose source rows were swapped.
    pub swapped: Fates,
    /// Answers whose source rows stayed.
    pub control: Fates,
    /// Some of the swapped ones.
    pub examples: Vec<SwappedAnswer>,
}

/// Numbers of answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Fates {
    pub n: u32,
    /// Now the object that the rows were given.
    pub followed: u32,
    /// As before.
    pub unchanged: u32,
    /// Now the right one.
    pub right: u32,
    /// Now something else.
    pub other: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SwappedAnswer {
    pub cell: u32,
    pub from: String,
    pub to: String,
    /// The answer after the training run with the swapped rows.
    pub after: String,
}
