//! What is measured on an arm: loss, drift, recall, and the kinds of its errors.

use serde::{Deserialize, Serialize};

use super::arm::ArmId;
use super::event::Split;

/// Everything measured on an arm after `step` steps (0: before the first).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Measure {
    pub run: u32,
    pub arm: ArmId,
    pub step: u32,
    /// Mean over the held-out response tokens, nats.
    pub heldout_loss: f32,
    /// Mean KL(base || tuned) over the same tokens, nats: of what the new task says, where [`Shift::kl`] is
    /// KL(tuned || base) of what the model says itself. Not in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kl_task: Option<f32>,
    pub shift: Shift,
    pub recall: Vec<Recall>,
    /// Cloze errors on kept facts by kind.
    pub errors: Errors,
    /// One letter per wall fact: see [`Cell`].
    pub cells: String,
    /// Log-probability of each wall fact's object, nats, in cell order.
    pub logprobs: Vec<f32>,
    /// The wrong answers on the wall.
    pub wrong: Vec<WrongAnswer>,
    /// How held-out questions on facts are answered; before the first step and after the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<Conversation>,
    /// How many ways it has to answer one question; before the first step and after the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diversity: Option<Diversity>,
    /// Mean rank of the right object among up to 16 of its relation, 1 the likeliest, over the first kept facts of the
    /// wall; where the settings ask for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_rank: Option<f32>,
    /// Mean number of intruder dimensions of a matrix, among its ten largest ([`super::MatrixChange::intruders`]); of models
    /// whose weights are looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intruders: Option<f32>,
    /// Wall time of the measurement, milliseconds.
    pub ms: f32,
}

/// Token-distribution shift on the tuned model's own greedy answers (Lin et al., arXiv 2312.01552).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Shift {
    /// Mean KL(tuned || base), nats per token.
    pub kl: f32,
    /// Tokens compared.
    pub n: u32,
    /// Rank 1 in the base.
    pub unshifted: u32,
    /// Rank 2 or 3.
    pub marginal: u32,
    /// Rank above 3.
    pub shifted: u32,
    /// The same by position in the response; a record of the command line keeps n and KL of each.
    pub positions: Vec<PositionShift>,
    /// The same by what the tokens are for; not in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<ClassShift>,
}

/// Shift of the tokens of an opener, of a stated object, and of the rest (see `measure::classes`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ClassShift {
    pub opener: PositionShift,
    pub fact: PositionShift,
    pub style: PositionShift,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PositionShift {
    pub n: u32,
    pub kl: f32,
    #[serde(default)]
    pub unshifted: u32,
    #[serde(default)]
    pub marginal: u32,
    #[serde(default)]
    pub shifted: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Recall {
    pub split: Split,
    pub form: RecallForm,
    pub correct: u32,
    pub n: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RecallForm {
    /// A pre-training sentence cut before its object.
    Cloze,
    /// The question in the chat template.
    Asked,
}

/// Wrong cloze answers on kept facts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Errors {
    /// A candidate that the instruction set states for another subject.
    pub borrowed: u32,
    /// Another candidate of the relation.
    pub other: u32,
    /// No candidate of the relation.
    pub malformed: u32,
    /// Kept facts probed.
    pub n: u32,
    /// Share of *errors* that would be borrowed if a wrong answer were a candidate drawn at random.
    pub borrowed_by_chance: f32,
}

/// Answers to held-out questions on facts that the set does not state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Conversation {
    /// They begin and end as the set's answers do, and end by themselves.
    pub format: u32,
    /// They name the object and no other candidate.
    pub right: u32,
    /// Both.
    pub both: u32,
    pub n: u32,
}

/// Answers to the first held-out question, drawn at temperature 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Diversity {
    /// Different ones.
    pub unique: u32,
    pub n: u32,
}

/// State of a wall cell; its letter in [`Measure::cells`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Right, and at least half as probable as in the base.
    Known,
    /// Right, but less than half as probable as in the base.
    Weakened,
    Borrowed,
    Other,
    Malformed,
}

impl Cell {
    pub fn letter(self) -> char {
        match self {
            Self::Known => 'k',
            Self::Weakened => 'w',
            Self::Borrowed => 'b',
            Self::Other => 'o',
            Self::Malformed => 'm',
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WrongAnswer {
    /// Index of the wall fact.
    pub cell: u32,
    pub answer: String,
    /// Rows (from 0) of the instruction set that state this answer for another subject; after its last row come
    /// those of [`super::RunInfo::added`].
    pub sources: Vec<u32>,
    /// Log-probability of the answer after the sentence, nats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logprob: Option<f32>,
}

#[cfg(test)]
impl Measure {
    /// Nothing measured.
    pub fn empty(arm: &str) -> Self {
        Self {
            run: 1,
            arm: arm.into(),
            step: 0,
            heldout_loss: 0.0,
            kl_task: None,
            shift: Shift::default(),
            recall: vec![],
            errors: Errors::default(),
            cells: String::new(),
            logprobs: vec![],
            wrong: vec![],
            conversation: None,
            diversity: None,
            object_rank: None,
            intruders: None,
            ms: 0.0,
        }
    }
}
