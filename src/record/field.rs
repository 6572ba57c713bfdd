//! The numbers and choices of a run and of an arm: name, range, label and help, once for the checks, the command
//! line and the page.

use serde::Serialize;
use serde_json::Value;

use super::arm::{MOST_RANK, Target};
use super::settings::{NEW_FACTS, setting};
use crate::error::Result;

/// What may be written in a field.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    /// A whole number in a range.
    Whole { low: f64, high: f64 },
    /// A number in a range.
    Real { low: f64, high: f64 },
    /// On or off.
    Switch,
    /// One of these.
    Choice { options: &'static [&'static str] },
    /// At least one of these.
    Several { options: &'static [&'static str] },
    /// The name of an adapter, or nothing.
    Adapter,
}

/// One field of [`super::Settings`] or [`super::ArmSpec`].
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Field {
    /// Where it is, with dots: `method.rank`.
    pub name: &'static str,
    /// What it is called in `--arm` and in links: `r`.
    pub key: &'static str,
    #[serde(flatten)]
    pub kind: Kind,
    pub label: &'static str,
    pub help: &'static str,
    /// The only method that has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<&'static str>,
    /// Shown without opening "More settings".
    pub is_main: bool,
}

impl Field {
    const fn new(
        name: &'static str,
        key: &'static str,
        kind: Kind,
        label: &'static str,
        help: &'static str,
    ) -> Self {
        Self { name, key, kind, label, help, method: None, is_main: false }
    }

    const fn main(self) -> Self {
        Self { is_main: true, ..self }
    }

    const fn only(self, method: &'static str) -> Self {
        Self { method: Some(method), ..self }
    }

    /// Where it is, as a JSON pointer.
    pub(super) fn pointer(&self) -> String {
        format!("/{}", self.name.replace('.', "/"))
    }

    /// Checks the range of a number in `owner`, the JSON of a run or of the arm with this label.
    pub(super) fn check(&self, owner: &Value, label: &str) -> Result<()> {
        let (Kind::Whole { low, high } | Kind::Real { low, high }) = self.kind else { return Ok(()) };
        // What the other method has; NaN is null in JSON, and is refused.
        let Some(value) = owner.pointer(&self.pointer()) else { return Ok(()) };
        if value.as_f64().is_some_and(|number| number >= low && number <= high) {
            return Ok(());
        }
        let number = value.as_f64().map_or("not a number".into(), |number| number.to_string());
        let whose = if label.is_empty() { String::new() } else { format!(" for {label}") };
        let remedy = format!("Use a value from {low} to {high}");
        Err(setting(self.name, format!("{number} is out of range{whose}"), &remedy))
    }
}

const fn whole(low: u32, high: u32) -> Kind {
    Kind::Whole { low: low as f64, high: high as f64 }
}

const fn real(low: f64, high: f64) -> Kind {
    Kind::Real { low, high }
}

const TARGETS: [&str; 7] = {
    let mut names = [""; 7];
    let mut i = 0;
    while i < 7 {
        names[i] = Target::ALL[i].name();
        i += 1;
    }
    names
};

/// Of the run, in the page's order.
pub const RUN_FIELDS: &[Field] = &[
    Field::new("batch", "batch", whole(1, 256), "Batch", "Examples of one step; every arm gets the same.")
        .main(),
    Field::new("steps", "steps", whole(0, 100_000), "Steps", "Optimiser steps of each arm; 0 measures only.")
        .main(),
    Field::new(
        "seed",
        "seed",
        whole(0, u32::MAX),
        "Seed",
        "Order of the batches and start of the LoRA matrices.",
    )
    .main(),
    Field::new(
        "examples",
        "examples",
        whole(0, 1_000_000),
        "Examples in use",
        "How many rows of the instruction set; 0 uses all.",
    )
    .main(),
    Field::new(
        "filter",
        "filter",
        Kind::Choice { options: &["first", "shortest", "longest", "confident"] },
        "Which examples",
        "Where not all are in use: the first ones, those with the shortest or longest answers, or those whose \
         answers the base finds likeliest.",
    ),
    Field::new(
        "simplified",
        "simplified",
        Kind::Switch,
        "Simplified answers",
        "The set's answers without openers and closers, one sentence long.",
    ),
    Field::new(
        "known_only",
        "known_only",
        Kind::Switch,
        "Only facts that the base knows",
        "Facts that the base does not complete correctly are set aside before the run; takes one more measurement for each model.",
    ),
    Field::new(
        "new_facts",
        "new_facts",
        whole(0, NEW_FACTS),
        "New facts",
        "Facts on invented countries that the base can't know; each replaces two examples.",
    ),
    Field::new(
        "accumulate",
        "accumulate",
        whole(1, 1024),
        "Batches of a step",
        "Their gradients are added up before the weights change.",
    ),
    Field::new("clip", "clip", real(0.0, 1e6), "Gradient clipping", "Largest global norm; 0 does not clip."),
    Field::new(
        "max_len",
        "max_len",
        whole(8, 2048),
        "Longest example",
        "Tokens; longer examples are cut at the end.",
    ),
    Field::new(
        "measure_every",
        "measure_every",
        whole(1, 100_000),
        "Steps between measurements",
        "Each measurement takes a moment.",
    ),
    Field::new("probes", "probes", whole(1, 100_000), "Facts on the walls", "Most of them are kept facts."),
    Field::new("asked", "asked", whole(0, 100_000), "Facts asked as questions", "At each measurement."),
    Field::new(
        "samples",
        "samples",
        whole(0, 1024),
        "Answers drawn",
        "To one held-out question at temperature 1, at the first and the last measurement: how many of them are different.",
    ),
    Field::new(
        "ranked",
        "ranked",
        whole(0, 1024),
        "Facts whose object is ranked",
        "Among 16 objects of its relation, at each measurement: how near a wrong answer is.",
    ),
    Field::new(
        "shift_prompts",
        "shift_prompts",
        whole(1, 1024),
        "Prompts for the shift",
        "Held-out questions answered at each measurement.",
    ),
    Field::new("answer_len", "answer_len", whole(1, 512), "Longest answer", "Tokens."),
];

/// Of an arm, in the page's order.
pub const ARM_FIELDS: &[Field] = &[
    Field::new("method.rank", "r", whole(1, MOST_RANK), "Rank", "Width r of the two LoRA matrices.").only("lora").main(),
    Field::new("method.alpha", "alpha", real(0.0, 1e4), "Alpha", "The update is scaled by alpha / rank.")
        .only("lora")
        .main(),
    Field::new(
        "method.targets",
        "targets",
        Kind::Several { options: &TARGETS },
        "Matrices",
        "The linear layers of each block that LoRA adapts.",
    )
    .only("lora"),
    Field::new("method.rslora", "rslora", Kind::Switch, "rsLoRA", "The update is scaled by alpha / sqrt(rank).")
        .only("lora"),
    Field::new(
        "method.dora",
        "dora",
        Kind::Switch,
        "DoRA",
        "The lengths of the adapted matrices' rows are trained too.",
    )
    .only("lora"),
    Field::new(
        "method.start",
        "start",
        Kind::Adapter,
        "Starts from",
        "An adapter of yours, whose shape the arm then has, or a fresh one.",
    )
    .only("lora")
    .main(),
    Field::new(
        "lr",
        "lr",
        real(0.0, 10.0),
        "Learning rate",
        "Peak rate. LoRA's best is often about ten times full tuning's.",
    )
    .main(),
    Field::new(
        "schedule",
        "schedule",
        Kind::Choice { options: &["constant", "linear", "cosine"] },
        "Schedule",
        "What the rate does after the warm-up.",
    ),
    Field::new("warmup", "warmup", whole(0, 100_000), "Warm-up steps", "The rate grows linearly over these."),
    Field::new(
        "regularisers.kl_to_base",
        "kl",
        real(0.0, 1e3),
        "KL to the base",
        "The loss gains this times KL(base || tuned) on the batch's answers; 0 adds none. A step takes longer.",
    )
    .main(),
    Field::new(
        "regularisers.weight_decay",
        "decay",
        real(0.0, 10.0),
        "Weight decay",
        "AdamW's, on all but the norms.",
    ),
    Field::new(
        "regularisers.pull",
        "pull",
        real(0.0, 1e4),
        "Pull to the base",
        "Decay towards the base's weights (L2-SP), in multiples of the rate; 0 does not.",
    )
    .only("full"),
    Field::new(
        "regularisers.neftune",
        "neftune",
        real(0.0, 1e3),
        "NEFTune alpha",
        "Noise on the embeddings while training; 0 adds none, 5 is usual.",
    ),
    Field::new(
        "regularisers.replay",
        "replay",
        whole(0, 256),
        "Replayed rows",
        "Rows of pre-training text in each batch beside its examples.",
    ),
];
