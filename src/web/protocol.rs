//! The typed messages between the page and its worker. `www/js/protocol.js` documents the same union.

use serde::{Deserialize, Serialize};

use crate::engine::Sampling;
use crate::lab::{ArmName, BenchReport, BenchSettings, Event, RandomModel, Settings, ShiftToken};

/// Page to worker.
#[derive(Debug, Deserialize)]
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
    /// Trains `count` steps of `arm`, or of all arms in turn.
    Step {
        count: u32,
        arm: Option<ArmName>,
    },
    /// A free prompt for base and arms; answered by one [`Message::Answer`] each.
    Ask {
        id: u32,
        question: String,
        max_tokens: u32,
        #[serde(default)]
        sampling: Sampling,
    },
    /// The arm's weights as a file; answered by [`Message::Saved`].
    Save {
        arm: ArmName,
    },
    /// All runs of a preset with so many seeds, and what they show together.
    Experiment {
        preset: String,
        seeds: u32,
        instructions: String,
        heldout: String,
    },
    /// Trains the arm again with changed source rows of its borrowed answers; answered by a `counterfactual`
    /// event at the end of that run.
    Counterfactual {
        arm: ArmName,
    },
    /// Measures the base with `strength` times the arm's change; answered by a `strength` event.
    Strength {
        arm: ArmName,
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
pub struct Files {
    pub backend: BackendChoice,
    pub name: String,
    pub config: String,
    pub tokenizer: String,
    pub tokenizer_config: Option<String>,
    /// model.safetensors, a Uint8Array.
    #[serde(with = "serde_bytes")]
    pub weights: Vec<u8>,
    /// facts.jsonl.
    pub facts: String,
    /// The last [`Message::Found`] on this machine.
    #[serde(default)]
    pub found: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackendChoice {
    /// What `engine::choose` expects to be the fastest.
    Auto,
    Webgpu,
    Cpu,
}

/// Worker to page.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Message {
    /// The worker listens; nothing may be sent before.
    Listening,
    /// The model is loaded.
    Ready {
        /// `webgpu` or `cpu`.
        engine: &'static str,
        /// The adapter's name, or why there is none.
        adapter: String,
        /// Why this engine was chosen, a sentence.
        reason: String,
        model: String,
        parameters: u64,
    },
    /// Part of a run's record.
    Event {
        event: Event,
    },
    Progress {
        stage: String,
        done: u32,
        total: u32,
    },
    State {
        state: RunState,
    },
    /// What trials found out about the adapter, to be kept for the next visit.
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
        arm: ArmName,
        tokens: Vec<ShiftToken>,
    },
    Saved {
        arm: ArmName,
        file: String,
        #[serde(with = "serde_bytes")]
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    Preparing,
    Paused,
    Running,
    Done,
}
