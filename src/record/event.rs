//! The events of a run. They cross the worker's border live, and a list of them *is* the recorded run:
//! first paint, playback, export and import, and the history slider all read this one format.

use serde::{Deserialize, Serialize};

use super::arm::ArmId;
use super::counterfactual::Counterfactual;
use super::measure::Measure;
use super::settings::Settings;
use super::summary::Summary;

/// A recorded run: the file that `driftscope run` writes and the page plays back.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "RunRecord"))]
pub struct Record {
    /// Always [`Record::FORMAT`].
    pub format: String,
    /// Always [`Record::VERSION`]; a reader refuses others.
    pub version: u32,
    /// What it was recorded on, e.g. "cpu" or "webgpu: llvmpipe".
    pub engine: String,
    pub events: Vec<Event>,
    /// The instruction set, where it is not the built-in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
}

impl Record {
    pub const FORMAT: &'static str = "driftscope-run";
    pub const VERSION: u32 = 2;
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "RunEvent"))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RunInfo {
    pub run: u32,
    pub settings: Settings,
    /// "Atlas, 2,016,960 parameters".
    pub model: String,
    pub arms: Vec<ArmInfo>,
    /// Facts on the walls, in cell order.
    pub facts: Vec<WallFact>,
    /// How many facts the base completes correctly, and of how many; where the others were set aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<[u32; 2]>,
    /// Training examples in use, and held-out ones.
    pub examples: u32,
    pub heldout: u32,
    /// Rows that the settings add to the instruction set: question and answer. [`super::WrongAnswer::sources`]
    /// numbers them after the set's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<(String, String)>,
    /// Where it forked from another run, whose steps up to there it shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fork: Option<Fork>,
}

/// A step of a run from which another one went on with other settings.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Fork {
    pub step: u32,
    /// What the arms were trained with up to there.
    pub settings: Settings,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ArmInfo {
    pub arm: ArmId,
    pub trainable_parameters: u64,
    /// Gradients and AdamW's two moments, in bytes.
    pub optimizer_bytes: u64,
    /// All of the GPU's memory that training this arm takes, the base's weights included; unknown on the CPU and
    /// in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WallFact {
    pub subject: String,
    pub relation: String,
    pub object: String,
    /// The sentence up to the object, as the model reads it.
    pub cloze: String,
    /// The question that asks for the object; empty in older records.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub asked: String,
    pub split: Split,
}

/// How a fact relates to the instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StepEvent {
    pub run: u32,
    pub arm: ArmId,
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

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WeightsEvent {
    pub run: u32,
    pub arm: ArmId,
    pub step: u32,
    /// The linear layers, layer by layer.
    pub matrices: Vec<MatrixChange>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MatrixChange {
    /// E.g. `model.layers.0.self_attn.q_proj`.
    pub name: String,
    /// ‖ΔW‖ / ‖W‖, Frobenius norms.
    pub relative: f32,
    /// Directions that hold 90 % of the variance of ΔW.
    pub rank90: u32,
    /// Directions that there are.
    pub of: u32,
    /// How many of the ten largest left singular vectors of W are intruder dimensions, nearer than
    /// [`Spectrum::INTRUDER`] to none of W0's; not in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intruders: Option<u32>,
    /// In records at an arm's last step alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spectrum: Option<Spectrum>,
}

/// The ten largest singular values, falling, of W0 and of W.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Spectrum {
    pub base: Vec<f32>,
    pub tuned: Vec<f32>,
    /// For each left singular vector of W the largest |cos| of its angle to any of W0's.
    pub nearest: Vec<f32>,
}

impl Spectrum {
    /// How many of a weight's largest singular vectors are looked at.
    pub const LARGEST: usize = 10;
    /// One of them is an intruder dimension where it is less [`Self::nearest`] than this.
    pub const INTRUDER: f64 = 0.5;
}

/// Measures of `W0 + strength (W - W0)`, where of each intruder dimension of W the share `intruders` is left; it answers
/// questions until the arm takes its next step.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Strength {
    pub run: u32,
    pub arm: ArmId,
    pub step: u32,
    pub strength: f32,
    /// 1 in older records.
    #[serde(default = "whole")]
    pub intruders: f32,
    pub heldout_loss: f32,
    /// Nats per token.
    pub kl: f32,
    /// Shares, 0 to 1.
    pub unshifted: f32,
    /// Of the kept facts.
    pub recall_cloze: f32,
    /// Everything else that was measured, and an answer; not in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure: Option<Box<Measure>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Box<ShiftText>>,
}

/// One answer with what base and arm thought at each token.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ShiftText {
    pub run: u32,
    pub arm: ArmId,
    pub step: u32,
    pub question: String,
    pub tokens: Vec<ShiftToken>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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

/// Nothing taken away.
fn whole() -> f32 {
    1.0
}
