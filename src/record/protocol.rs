//! The messages between the page and its worker.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::arm::{AdapterInfo, ArmId};
use super::bench::{BenchReport, BenchSettings, RandomModel};
use super::event::{Event, Fork, ShiftToken};
use super::inspected::ModelInfo;
use super::load::{Load, ModelFiles};
use super::probed::BaseAnswer;
use super::{said::Said, sampling::Sampling, settings::Settings, share::Share};

/// Bytes of an arm's state for each parameter that trains: itself and two moments.
pub const STATE_BYTES: u64 = 12;
/// Most bytes of all arms' states that are kept while a run goes on: writing more would take longer than what it saves.
pub const MOST_KEPT: u64 = 300_000_000;

/// Page to worker.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Command {
    /// A model and the facts; answered by [`Message::Ready`], or by [`Message::Refused`], and then the model before stays.
    Load(Box<Load>),
    /// What a model is and what it takes here, before it is loaded; answered by [`Message::Inspected`] or
    /// [`Message::Refused`].
    Inspect {
        model: ModelFiles,
        /// Of the first LoRA arm and its batches.
        settings: Settings,
        #[serde(default)]
        blobs: Blobs,
    },
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
        /// The visitor's own facts, JSON Lines; empty for the built-in ones.
        #[serde(default)]
        probes: String,
        /// What of it this worker trains; all of it if not given.
        share: Option<Share>,
    },
    /// What each arm of the worker has come to, answered by a [`Message::Snapshot`] each. One also comes after each measure of an arm.
    Snapshot,
    /// As [`Command::Start`], but each arm begins at a [`Message::Snapshot`], the Blobs.
    Resume {
        settings: Settings,
        instructions: String,
        heldout: String,
        #[serde(default)]
        probes: String,
        /// Where the settings are not those that the arms were trained with.
        #[serde(default)]
        fork: Option<Fork>,
        share: Option<Share>,
        #[serde(default)]
        blobs: Blobs,
    },
    /// Answered by [`Message::Alive`].
    Ping,
    /// Trains until the last step or [`Command::Pause`], or until its arms have taken `until` steps and are measured;
    /// answered by [`Message::Waiting`] then.
    Play {
        until: Option<u32>,
    },
    Pause,
    /// Trains `count` steps of `arm`, or of all arms.
    Step {
        count: u32,
        arm: Option<ArmId>,
    },
    /// A free question for base and arms, while no step is taken; answered by [`Message::Answering`] while they write, one
    /// [`Message::Answer`] each, and [`Message::Asked`]. Replaces the question before; an empty one only ends that.
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
    /// What the base says to a visitor's own facts, JSON Lines, while it has nothing else to do; answered by
    /// [`Message::Probed`] some facts at a time. Replaces the request before; an empty text only ends that.
    Probe {
        id: u32,
        probes: String,
    },
    /// The arm's files: a PEFT adapter, or a folder that transformers opens. Answered by [`Message::Part`]s and at the end
    /// [`Message::Saved`].
    Save {
        arm: ArmId,
    },
    /// Holds a PEFT adapter of the loaded model under a name, for arms to start from; answered by [`Message::Adapters`]
    /// or [`Message::AdapterRefused`].
    AddAdapter {
        name: String,
        /// The names of adapter_config.json and adapter_model.safetensors, in the order of the command's `blobs`.
        files: Vec<String>,
        #[serde(default)]
        blobs: Blobs,
    },
    /// Holds what an arm has come to as an adapter; answered as [`Command::AddAdapter`].
    KeepAdapter {
        name: String,
        arm: ArmId,
    },
    /// Forgets an adapter; answered by [`Message::Adapters`].
    RemoveAdapter {
        name: String,
    },
    /// All runs of a preset with `seeds` seeds, and what they show together.
    Experiment {
        preset: String,
        seeds: u32,
        instructions: String,
        heldout: String,
        /// As of [`Command::Start`].
        #[serde(default)]
        probes: String,
    },
    /// Trains the arm again with changed source rows of its borrowed answers; answered by a `counterfactual`
    /// event at the end of that run.
    Counterfactual {
        arm: ArmId,
    },
    /// From now until its next step the arm answers as the base with `strength` times its change, of whose intruder dimensions
    /// the share `intruders` is left, and is measured so; answered by a `strength` event.
    Strength {
        arm: ArmId,
        strength: f32,
        intruders: f32,
    },
    /// What training did to the arm's weights, looked at while nothing else is to be done; answered by a `weights` event. No arm
    /// only ends what was begun.
    Look {
        arm: Option<ArmId>,
    },
    /// Measures the speed of the loaded model, or of one with random weights; answered by [`Message::Bench`].
    Bench {
        settings: BenchSettings,
        #[serde(default)]
        random: Option<RandomModel>,
    },
}

/// The contents of files, which cross the worker's border beside what is parsed: Blobs, of which a range is read at a time.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Blobs {}

#[cfg(test)]
impl schemars::JsonSchema for Blobs {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Blobs".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "blobs" })
    }
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
        /// Why this engine was chosen.
        reason: Said,
        model: String,
        parameters: u64,
        /// Bytes of the worker's memory, the most it has been so far.
        memory: u64,
        /// The most bytes that the file of an adapter of this model may have.
        adapter_bytes: u64,
    },
    Inspected {
        model: ModelInfo,
    },
    /// A model that was inspected or loaded cannot be used; everything is as it was before.
    Refused {
        message: String,
    },
    /// Part of a run's record.
    Event {
        event: Box<Event>,
    },
    Progress {
        /// `base`: it is measured; `bench`: so is this machine; `weights`: an arm's are looked at.
        stage: String,
        done: u32,
        total: u32,
    },
    State {
        state: RunState,
    },
    /// All arms of the worker have come as far as [`Command::Play`] lets them, the last of them to this step.
    Waiting {
        step: u32,
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
    /// What each model whose answer is not complete has written so far, by id; at most ten a second.
    Answering {
        id: u32,
        texts: BTreeMap<ArmId, String>,
    },
    /// A whole answer.
    Answer {
        id: u32,
        arm: ArmId,
        tokens: Vec<ShiftToken>,
    },
    /// No more comes in answer to the question: all have answered, or another command ended it.
    Asked {
        id: u32,
    },
    Tokens {
        id: u32,
        counts: Vec<RowTokens>,
    },
    /// What the base says to the facts from the `from`th on, of `total`.
    Probed {
        id: u32,
        from: u32,
        total: u32,
        answers: Vec<BaseAnswer>,
    },
    /// The next bytes of one of an arm's files; those of one file follow each other.
    Part {
        arm: ArmId,
        file: String,
        #[serde(with = "serde_bytes")]
        #[cfg_attr(test, schemars(schema_with = "super::contract_types::bytes"))]
        bytes: Vec<u8>,
    },
    /// The state of an arm, the one Blob; none comes where all together have more than [`MOST_KEPT`] bytes.
    Snapshot {
        run: u32,
        arm: ArmId,
        step: u32,
        #[serde(default)]
        blobs: Blobs,
    },
    /// The worker is not stuck.
    Alive,
    /// All of the arm's files are there.
    Saved {
        arm: ArmId,
    },
    /// All adapters that are held, by name.
    Adapters {
        adapters: Vec<AdapterInfo>,
    },
    /// An adapter that cannot be used; everything is as it was before.
    AdapterRefused {
        message: String,
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
