//! The events of a run. They cross the worker's border live, and a list of them *is* the recorded run:
//! first paint, playback, export and import, and the history slider all read this one format.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::counterfactual::Counterfactual;
use super::metric::{Metric, Spread};
use super::preset::Fairness;
use super::settings::{ArmName, Settings};

/// A recorded run: the file that `driftscope run` writes and the page plays back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Always [`Record::FORMAT`].
    pub format: String,
    /// Always [`Record::VERSION`]; a reader refuses others.
    pub version: u32,
    /// What it was recorded on, e.g. "cpu" or "webgpu: llvmpipe".
    pub engine: String,
    pub events: Vec<Event>,
}

impl Record {
    pub const FORMAT: &'static str = "driftscope-run";
    pub const VERSION: u32 = 1;
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// Start of a run, before the first step.
    Run(RunInfo),
    /// One optimiser step of one arm.
    Step(StepEvent),
    /// Drift and recall of one arm at one step.
    Measure(Measure),
    /// One held-out answer of one arm, token by token.
    Text(ShiftText),
    /// The steps of the run are done.
    Done { run: u32, seconds: f32 },
    /// How an arm's weights differ from the base's.
    Weights(WeightsEvent),
    /// The base with another dose of an arm's change.
    Strength(Strength),
    /// What became of borrowed answers when their source rows were changed.
    Counterfactual(Counterfactual),
    /// Runs of the same settings over several seeds, and what they show together.
    Summary(Summary),
}

/// What a run is made of; the lists that later events refer to by index.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunInfo {
    pub run: u32,
    pub settings: Settings,
    /// "Atlas, 2,016,960 parameters".
    pub model: String,
    pub arms: Vec<ArmInfo>,
    /// Facts on the walls, in cell order.
    pub facts: Vec<WallFact>,
    /// Training examples in use, and held-out ones.
    pub examples: u32,
    pub heldout: u32,
    /// Rows that the settings add to the instruction set: question and answer. [`WrongAnswer::sources`] counts
    /// them on behind the set's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<(String, String)>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ArmInfo {
    pub arm: ArmName,
    pub lr: f32,
    pub trainable_parameters: u64,
    /// Gradients and AdamW's two moments, in bytes.
    pub optimizer_bytes: u64,
    /// All of the GPU's memory that training this arm takes, the base's weights included; unknown on the CPU and
    /// in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WallFact {
    pub subject: String,
    pub relation: String,
    pub object: String,
    /// The sentence up to the object, as the model reads it.
    pub cloze: String,
    pub split: Split,
}

/// How a fact relates to the instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Its subject never occurs in the set.
    Kept,
    /// It, or its subject, is in the set.
    Seen,
    /// Only in the set, unknown to the base.
    New,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StepEvent {
    pub run: u32,
    pub arm: ArmName,
    /// From 1.
    pub step: u32,
    /// Mean over the batch's response tokens, before the update, nats.
    pub loss: f32,
    pub lr: f32,
    /// Before clipping.
    pub grad_norm: f32,
    /// Response tokens of the batch.
    pub tokens: u32,
    /// Wall time of the step, milliseconds; on a GPU, where the steps of all arms are queued together, their mean.
    pub ms: f32,
}

/// Everything measured on an arm after `step` steps (0: before the first).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measure {
    pub run: u32,
    pub arm: ArmName,
    pub step: u32,
    /// Mean over the held-out response tokens, nats.
    pub heldout_loss: f32,
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
    /// Wall time of the measurement, milliseconds.
    pub ms: f32,
}

/// Token-distribution shift on the tuned model's own greedy answers (Lin et al., arXiv 2312.01552).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    /// The same by position in the response.
    pub positions: Vec<PositionShift>,
    /// The same by what the tokens are for; not in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<ClassShift>,
}

/// Shift of the tokens of an opener, of a stated object, and of the rest (see `measure::classes`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassShift {
    pub opener: PositionShift,
    pub fact: PositionShift,
    pub style: PositionShift,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PositionShift {
    pub n: u32,
    pub kl: f32,
    pub unshifted: u32,
    pub marginal: u32,
    pub shifted: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recall {
    pub split: Split,
    pub form: RecallForm,
    pub correct: u32,
    pub n: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecallForm {
    /// A pre-training sentence cut before its object.
    Cloze,
    /// The question in the chat template.
    Asked,
}

/// Wrong cloze answers on kept facts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
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
pub struct Conversation {
    /// They begin and end as the set's answers do, and end by themselves.
    pub format: u32,
    /// They name the object and no other candidate.
    pub right: u32,
    /// Both.
    pub both: u32,
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
pub struct WrongAnswer {
    /// Index of the wall fact.
    pub cell: u32,
    pub answer: String,
    /// Rows (from 0) of the instruction set that state this answer for another subject; behind its last row come
    /// those of [`RunInfo::added`].
    pub sources: Vec<u32>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WeightsEvent {
    pub run: u32,
    pub arm: ArmName,
    pub step: u32,
    /// The linear layers, layer by layer.
    pub matrices: Vec<MatrixChange>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatrixChange {
    /// E.g. `model.layers.0.self_attn.q_proj`.
    pub name: String,
    /// ‖ΔW‖ / ‖W‖, Frobenius norms.
    pub relative: f32,
    /// Directions that hold 90 % of the variance of ΔW.
    pub rank90: u32,
    /// Directions that there are.
    pub of: u32,
}

/// Measures of `W0 + strength (W - W0)`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Strength {
    pub run: u32,
    pub arm: ArmName,
    pub step: u32,
    pub strength: f32,
    pub heldout_loss: f32,
    /// Nats per token.
    pub kl: f32,
    /// Shares, 0 to 1.
    pub unshifted: f32,
    /// Of the kept facts.
    pub recall_cloze: f32,
}

/// One answer with what base and arm thought at each token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShiftText {
    pub run: u32,
    pub arm: ArmName,
    pub step: u32,
    pub question: String,
    pub tokens: Vec<ShiftToken>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShiftToken {
    pub text: String,
    /// Rank of this token in the base's distribution, from 1.
    pub rank: u32,
    /// KL(tuned || base) at this position, nats.
    pub kl: f32,
    pub logprob: f32,
    pub base_logprob: f32,
    /// The ten likeliest tokens of the arm and of the base with their log-probabilities.
    pub top: Vec<(String, f32)>,
    pub base_top: Vec<(String, f32)>,
}

/// Figures over several seeds, one row per condition and arm.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Summary {
    /// The experiment's name; empty in older records.
    #[serde(default)]
    pub preset: String,
    pub title: String,
    /// What the paper says.
    #[serde(default)]
    pub claim: String,
    pub rows: Vec<SummaryRow>,
    /// Put to the claim, one by one.
    #[serde(default)]
    pub comparisons: Vec<Comparison>,
    /// What the figures say about the claim, made from the figures.
    pub verdict: String,
    /// All runs in their course.
    #[serde(default)]
    pub checkpoints: Vec<Checkpoint>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counterfactual: Vec<Counterfactual>,
}

/// Means and spreads over `seeds` at the end of training, or where [`Fairness`] says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SummaryRow {
    /// What is done to the data or the method.
    pub condition: String,
    #[serde(default)]
    pub fairness: Option<Fairness>,
    pub arm: ArmName,
    pub lr: f32,
    pub seeds: u32,
    #[serde(flatten)]
    pub figures: BTreeMap<Metric, Spread>,
}

/// Two figures, their difference `b - a`, and what it says about the claim.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Comparison {
    pub fairness: Option<Fairness>,
    pub a: ComparedSide,
    pub b: ComparedSide,
    pub difference: f32,
    /// Half width of the 95 % interval of the difference (Welch); needs two seeds a side.
    pub margin: Option<f32>,
    /// How much two seeds of the same side differ on average.
    pub noise: Option<f32>,
    pub reading: Reading,
    /// All of it as a sentence.
    pub text: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ComparedSide {
    pub condition: String,
    pub arm: ArmName,
    pub metric: Metric,
    /// Seeds.
    pub n: u32,
    pub spread: Spread,
}

/// A difference counts when it is larger than its interval and than the noise floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    Supports,
    Contradicts,
    NoDifference,
    /// Too few seeds to tell.
    OneSeed,
}

impl Reading {
    pub fn label(self) -> &'static str {
        match self {
            Self::Supports => "agrees with the claim",
            Self::Contradicts => "speaks against the claim",
            Self::NoDifference => "no difference beyond the spread over seeds",
            Self::OneSeed => "a direction only",
        }
    }
}

/// One measure of one run, for the curve of learning against forgetting.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Checkpoint {
    pub condition: String,
    pub fairness: Option<Fairness>,
    pub arm: ArmName,
    pub lr: f32,
    pub seed: u32,
    pub step: u32,
    pub heldout_loss: f32,
    pub recall_cloze: f32,
    pub kl: f32,
}

#[cfg(test)]
impl Measure {
    /// Nothing measured.
    pub fn empty(arm: ArmName) -> Self {
        Self {
            run: 1,
            arm,
            step: 0,
            heldout_loss: 0.0,
            shift: Shift::default(),
            recall: vec![],
            errors: Errors::default(),
            cells: String::new(),
            logprobs: vec![],
            wrong: vec![],
            conversation: None,
            ms: 0.0,
        }
    }
}
