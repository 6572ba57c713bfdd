//! The messages between the page and its worker.

use serde::{Deserialize, Serialize};

use super::arm::ArmId;
use super::bench::{BenchReport, BenchSettings, RandomModel};
use super::event::{Event, ShiftToken};
use super::sampling::Sampling;
use super::settings::Settings;

/// Page to worker.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Command {
    /// The model's files and the facts; answered by [`Message::Ready`].
    Load(Box<Files>),
    /// Makes ready what the first step of a run with these settings needs, while nobody waits for it; not answered.
    WarmUp {
        settings: Settings,
    },
    /// A new run: replaces the current one, answered by a `run` event and, before the first measure
    /// of an arm, the measures of step 0.
    Start {
        settings: Settings,
        instructions: String,
        heldout: String,
    },
    /// Trains until the last step or [`Command::Pause`].
    Play,
    Pause,
    /// Trains `count` steps of `arm`, or of all arms.
    Step {
        count: u32,
        arm: Option<ArmId>,
    },
    /// A free prompt for base and arms; answered by one [`Message::Answer`] each.
    Ask {
        id: u32,
        question: String,
        max_tokens: u32,
        #[serde(default)]
        sampling: Sampling,
    },
    /// What the chat template makes of these rows, JSON Lines; answered by [`Message::Tokens`].
    CountTokens {
        id: u32,
        rows: String,
    },
    /// The arm's weights as a file; answered by [`Message::Saved`].
    Save {
        arm: ArmId,
    },
    /// All runs of a preset with `seeds` seeds, and what they show together.
    Experiment {
        preset: String,
        seeds: u32,
        instructions: String,
        heldout: String,
    },
    /// Trains the arm again with changed source rows of its borrowed answers; answered by a `counterfactual`
    /// event at the end of that run.
    Counterfactual {
        arm: ArmId,
    },
    /// Measures the base with `strength` times the arm's change; answered by a `strength` event.
    Strength {
        arm: ArmId,
        strength: f32,
    },
    /// Measures the speed of the loaded model, or of one with random weights; answered by [`Message::Bench`].
    Bench {
        settings: BenchSettings,
        #[serde(default)]
        random: Option<RandomModel>,
    },
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Files {
    pub backend: BackendChoice,
    pub name: String,
    pub config: String,
    pub tokenizer: String,
    pub tokenizer_config: Option<String>,
    /// model.safetensors, a Uint8Array.
    #[serde(with = "serde_bytes")]
    #[cfg_attr(test, schemars(schema_with = "super::contract_types::bytes"))]
    pub weights: Vec<u8>,
    /// facts.jsonl.
    pub facts: String,
    /// The last [`Message::Found`] on this machine.
    #[serde(default)]
    pub found: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum BackendChoice {
    /// What `engine::choose` expects to be the fastest.
    Auto,
    Webgpu,
    Cpu,
}

/// Worker to page.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Message {
    /// The worker listens; nothing may be sent before.
    Listening,
    /// The model is loaded.
    Ready {
        engine: EngineName,
        /// The adapter's name, or why there is none.
        adapter: String,
        /// Why this engine was chosen, a sentence.
        reason: String,
        model: String,
        parameters: u64,
    },
    /// Part of a run's record.
    Event {
        event: Box<Event>,
    },
    Progress {
        stage: String,
        done: u32,
        total: u32,
    },
    State {
        state: RunState,
    },
    /// What trials found about the adapter, to keep for the next visit.
    Found {
        json: String,
    },
    /// A run of an experiment begins; with an empty label and all runs done, it has ended.
    Experiment {
        preset: String,
        label: String,
        done: u32,
        total: u32,
    },
    Answer {
        id: u32,
        arm: ArmId,
        tokens: Vec<ShiftToken>,
    },
    Tokens {
        id: u32,
        counts: Vec<RowTokens>,
    },
    Saved {
        arm: ArmId,
        file: String,
        #[serde(with = "serde_bytes")]
        #[cfg_attr(test, schemars(schema_with = "super::contract_types::bytes"))]
        bytes: Vec<u8>,
    },
    Bench {
        report: Box<BenchReport>,
    },
    /// `name` is stable (see `Error::name`).
    Error {
        name: String,
        message: String,
    },
}

/// How long a row is, before it is cut to a run's `max_len`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RowTokens {
    /// Tokens before the answer.
    pub prompt: u32,
    /// Tokens of the answer and its end.
    pub response: u32,
    /// Why no run can use the row; both counts are 0 then.
    pub refused: Option<String>,
}

/// The engine that was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EngineName {
    Webgpu,
    Cpu,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    Preparing,
    Paused,
    Running,
    Done,
}
