//! An arm of a run: what it trains, how fast, and what holds it near the base.

use serde::{Deserialize, Serialize};

use super::settings::setting;
use crate::error::Result;

/// Names an arm within its run.
pub type ArmId = String;

/// The untouched model that all arms start from; no arm may be called so.
pub const BASE: &str = "base";

/// Most arms of a run: as many as there are colours, dashes and markers to tell them apart.
pub const MOST_ARMS: usize = 6;

/// Highest rank of an adapter.
pub const MOST_RANK: u32 = 256;

/// Longest id and label, in bytes and characters.
const LONGEST_ID: usize = 24;
const LONGEST_LABEL: usize = 40;

/// The seven linear layers of a Llama block, in the order the engine keeps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Target {
    QProj,
    KProj,
    VProj,
    OProj,
    GateProj,
    UpProj,
    DownProj,
}

impl Target {
    pub const ALL: [Self; 7] =
        [Self::QProj, Self::KProj, Self::VProj, Self::OProj, Self::GateProj, Self::UpProj, Self::DownProj];

    /// Hugging Face's name of the module.
    pub const fn name(self) -> &'static str {
        match self {
            Self::QProj => "q_proj",
            Self::KProj => "k_proj",
            Self::VProj => "v_proj",
            Self::OProj => "o_proj",
            Self::GateProj => "gate_proj",
            Self::UpProj => "up_proj",
            Self::DownProj => "down_proj",
        }
    }
}

/// Learning-rate schedules of Hugging Face's `get_*_schedule_with_warmup`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    #[default]
    Constant,
    Linear,
    Cosine,
}

/// What an arm trains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Method {
    /// An adapter on frozen weights.
    Lora(LoraSpec),
    /// Every weight.
    Full {},
}

/// LoRA (Hu et al., arXiv 2106.09685) and its variants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct LoraSpec {
    /// r.
    pub rank: u32,
    /// The update is scaled by alpha / r.
    pub alpha: f32,
    /// rsLoRA: the update is scaled by alpha / sqrt(r).
    pub rslora: bool,
    /// DoRA: rows of the adapted weights have trained lengths.
    pub dora: bool,
    /// Linear layers that are adapted.
    pub targets: Vec<Target>,
    /// Name of the adapter that it starts from, whose shape it then has; empty for a fresh one, which starts at the
    /// base.
    pub start: String,
}

impl Default for LoraSpec {
    fn default() -> Self {
        let targets = Target::ALL.to_vec();
        Self { rank: 8, alpha: 16.0, rslora: false, dora: false, targets, start: String::new() }
    }
}

/// An adapter that is held.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AdapterInfo {
    pub name: String,
    /// Its shape, which an arm that starts from it has; `start` is its name.
    pub spec: LoraSpec,
    /// Numbers that it trains.
    pub parameters: u64,
    /// What was taken otherwise than the files say, a sentence each.
    pub notes: Vec<String>,
}

/// What keeps an arm near the base, or from learning its set by heart. 0 switches each off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Regularisers {
    /// The loss gains this times KL(base || tuned) over the batch's response tokens, full vocabulary.
    pub kl_to_base: f32,
    /// AdamW's decoupled weight decay, on all but norms.
    pub weight_decay: f32,
    /// Full tuning: decay towards the base's weights (L2-SP) instead of zero, in multiples of the rate.
    pub pull: f32,
    /// NEFTune's alpha: noise on the embeddings while training.
    pub neftune: f32,
    /// Rows of pre-training text that each batch has beside its examples.
    pub replay: u32,
}

/// Whether a text can name an arm or an adapter: 1 to 24 lower-case letters, digits and hyphens.
pub fn is_id(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.len() <= LONGEST_ID && text.chars().all(is_plain)
}

/// One arm. Its place in the run's list is its colour, dash and marker on the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ArmSpec {
    /// Unique in the run: lower-case letters, digits and hyphens.
    pub id: ArmId,
    /// What a reader sees.
    pub label: String,
    pub method: Method,
    /// Peak learning rate.
    pub lr: f32,
    #[serde(default)]
    pub schedule: ScheduleKind,
    /// Steps of linear warm-up.
    #[serde(default)]
    pub warmup: u32,
    #[serde(default)]
    pub regularisers: Regularisers,
}

impl ArmSpec {
    fn new(id: &str, label: &str, method: Method, lr: f32) -> Self {
        Self {
            id: id.into(),
            label: label.into(),
            method,
            lr,
            schedule: ScheduleKind::Constant,
            warmup: 10,
            regularisers: Regularisers::default(),
        }
    }

    /// LoRA with its defaults, at this rate.
    pub fn lora(lr: f32) -> Self {
        Self::new("lora", "LoRA", Method::Lora(LoraSpec::default()), lr)
    }

    /// Full tuning at this rate.
    pub fn full(lr: f32) -> Self {
        Self::new("full", "Full", Method::Full {}, lr)
    }

    pub fn is_lora(&self) -> bool {
        matches!(self.method, Method::Lora(_))
    }

    /// The adapter that it starts from, which is not the base.
    pub fn start(&self) -> Option<&str> {
        match &self.method {
            Method::Lora(LoraSpec { start, .. }) if !start.is_empty() => Some(start),
            _ => None,
        }
    }

    /// Refuses an id or a label that can't be shown or saved, and an adapter without a layer.
    pub(super) fn check(&self) -> Result<()> {
        if !is_id(&self.id) || self.id == BASE {
            let message = format!("an arm can't have the id {:?}", self.id);
            let remedy =
                format!("Use 1 to {LONGEST_ID} lower-case letters, digits and hyphens, and not \"{BASE}\"");
            return Err(setting("arms.id", message, &remedy));
        }
        if self.label.trim().is_empty() || self.label.chars().count() > LONGEST_LABEL {
            let message = format!("the label of {} is empty or too long", self.id);
            return Err(setting("arms.label", message, &format!("Use 1 to {LONGEST_LABEL} characters")));
        }
        if let Method::Lora(LoraSpec { targets, .. }) = &self.method
            && targets.is_empty()
        {
            let message = format!("{} has no layer to adapt", self.label);
            return Err(setting("arms.targets", message, "Choose at least one of q_proj … down_proj"));
        }
        Ok(())
    }
}
