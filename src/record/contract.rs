//! Writes what the page knows of this room, `www/js/contract`: `types.d.ts`, and `data.js` with the names, ranges,
//! defaults, labels and help that its views show; and for its tests measures with the value of every metric.
//! `scripts/contract` brings all three up to date.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::lesson::Lesson;
use super::*;
use crate::error;

const NOTE: &str = "// Generated from src/record by scripts/contract. Do not edit.\n";

#[derive(Serialize, JsonSchema)]
struct FieldData {
    /// Where it is, with dots: `method.rank`.
    name: String,
    /// What it is called in links: `r`.
    key: String,
    kind: FieldKind,
    low: Option<f64>,
    high: Option<f64>,
    options: Option<Vec<String>>,
    label: String,
    help: String,
    /// The only method that has it.
    method: Option<String>,
    /// Shown without opening "More settings".
    is_main: bool,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum FieldKind {
    Whole,
    Real,
    Switch,
    Choice,
    Several,
    Adapter,
}

#[derive(Serialize, JsonSchema)]
struct MetricData {
    name: Metric,
    /// At the head of a column.
    label: String,
    /// With its unit.
    long: String,
    is_share: bool,
}

#[derive(Serialize, JsonSchema)]
struct Named {
    name: Fairness,
    label: String,
    help: String,
}

#[derive(Serialize, JsonSchema)]
struct ReadingData {
    name: Reading,
    label: String,
    /// Beside the word, never colour alone.
    sign: String,
}

#[derive(Serialize, JsonSchema)]
struct PresetData {
    name: String,
    short: String,
    title: String,
    claim: String,
    /// Training runs per seed.
    runs: usize,
    /// Its instruction set; none where it is the usual one.
    data: Option<String>,
    /// The model that it is for; none for the page's own.
    model: Option<String>,
}

fn types() -> String {
    let mut all = SchemaSettings::draft2020_12().for_serialize().into_generator();
    all.subschema_for::<(Command, Message, Record)>();
    all.subschema_for::<(FieldData, MetricData, Named, PresetData, ReadingData, Lesson)>();
    format!("{NOTE}{}", contract_types::declarations(&all.take_definitions(true)))
}

/// The schema of a file that the page reads, without what only people read.
fn schema_of<T: JsonSchema>() -> Value {
    let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    generator.subschema_for::<T>();
    let mut definitions: Map<String, Value> = generator.take_definitions(true);
    definitions.values_mut().for_each(strip);
    Value::Object(definitions)
}

fn strip(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            for key in ["description", "title", "format", "minItems", "maxItems"] {
                if map.get(key).is_some_and(|v| !v.is_object()) {
                    map.remove(key);
                }
            }
            map.values_mut().for_each(strip);
        }
        Value::Array(parts) => parts.iter_mut().for_each(strip),
        _ => {}
    }
}

fn field(field: &Field) -> FieldData {
    let (kind, range, options) = match field.kind {
        Kind::Whole { low, high } => (FieldKind::Whole, Some((low, high)), None),
        Kind::Real { low, high } => (FieldKind::Real, Some((low, high)), None),
        Kind::Switch => (FieldKind::Switch, None, None),
        Kind::Adapter => (FieldKind::Adapter, None, None),
        Kind::Choice { options } => (FieldKind::Choice, None, Some(options)),
        Kind::Several { options } => (FieldKind::Several, None, Some(options)),
    };
    FieldData {
        name: field.name.into(),
        key: field.key.into(),
        kind,
        low: range.map(|r| r.0),
        high: range.map(|r| r.1),
        options: options.map(|options| options.iter().map(ToString::to_string).collect()),
        label: field.label.into(),
        help: field.help.into(),
        method: field.method.map(Into::into),
        is_main: field.is_main,
    }
}

/// As text has it: 1e-3 of an f32 stays 0.001.
fn as_written<T: Serialize>(value: &T) -> Value {
    let text = serde_json::to_string(value).expect("the contract serialises");
    serde_json::from_str(&text).expect("what was written parses")
}

fn data() -> String {
    let mut out = NOTE.to_string();
    let mut export = |name: &str, doc: &str, of: &str, value: Value| {
        let text = match &value {
            Value::Array(rows) => {
                let rows: String = rows.iter().map(|row| format!("  {row},\n")).collect();
                format!("[\n{rows}]")
            }
            other => other.to_string(),
        };
        let _ = writeln!(out, "\n/** {doc} @type {{{of}}} */\nexport const {name} = {text};");
    };
    let import = |name: &str| format!("import(\"./types.js\").{name}");
    let fields = |all: &[Field]| json!(all.iter().map(field).collect::<Vec<_>>());
    export("RECORD_FORMAT", "What a record's format is.", "string", json!(Record::FORMAT));
    export("RECORD_VERSION", "The version of records that is written.", "number", json!(Record::VERSION));
    export("BASE", "The id of the untouched model.", "string", json!(BASE));
    export("MOST_ARMS", "Most arms of a run.", "number", json!(MOST_ARMS));
    export(
        "STATE_BYTES",
        "Bytes of an arm's state for each parameter that trains.",
        "number",
        json!(STATE_BYTES),
    );
    export(
        "MOST_KEPT",
        "Most bytes of all arms' states that are kept while a run goes on.",
        "number",
        json!(MOST_KEPT),
    );
    let of_a_spectrum = "A direction that is nearer than this, |cos|, to none of the base's is an intruder.";
    export("INTRUDER", of_a_spectrum, "number", json!(Spectrum::INTRUDER));
    export("RUN_FIELDS", "The choices of a run.", &import("FieldData[]"), fields(RUN_FIELDS));
    export("ARM_FIELDS", "The choices of an arm.", &import("FieldData[]"), fields(ARM_FIELDS));
    export(
        "DEFAULT_SETTINGS",
        "A run that nothing was chosen for.",
        &import("Settings"),
        as_written(&Settings::default()),
    );
    let arms = json!({ "lora": as_written(&ArmSpec::lora(1e-3)), "full": as_written(&ArmSpec::full(1e-3)) });
    export("DEFAULT_ARMS", "An arm of each method.", &format!("Record<string, {}>", import("ArmSpec")), arms);
    let (lora, full) = BEST_RATES;
    export(
        "BEST_RATES",
        "The rates of the lowest held-out loss in the recorded sweep, by method.",
        "Record<string, number>",
        as_written(&BTreeMap::from([("lora", lora), ("full", full)])),
    );
    let metrics = Metric::ALL.map(|metric| MetricData {
        name: metric,
        label: metric.short().into(),
        long: metric.label().into(),
        is_share: metric.is_share(),
    });
    export("METRICS", "The figures of a summary.", &import("MetricData[]"), json!(metrics));
    let fairness = Fairness::ALL.map(|f| Named { name: f, label: f.label().into(), help: f.help().into() });
    export("FAIRNESS", "The ways to compare.", &import("Named[]"), json!(fairness));
    let readings =
        Reading::ALL.map(|r| ReadingData { name: r, label: r.label().into(), sign: r.sign().into() });
    export("READINGS", "What a comparison says about its claim.", &import("ReadingData[]"), json!(readings));
    let presets: Vec<PresetData> = Preset::all()
        .into_iter()
        .map(|p| PresetData {
            runs: p.conditions.len(),
            data: (p.set == Set::Large).then(|| p.set.file().into()),
            model: p.model,
            name: p.name,
            short: p.short,
            title: p.title,
            claim: p.claim,
        })
        .collect();
    export("PRESETS", "The experiments.", &import("PresetData[]"), json!(presets));
    let help: Map<String, Value> =
        error::HELP.iter().map(|(name, help)| ((*name).into(), json!(help))).collect();
    export(
        "ERROR_HELP",
        "What to do about an error, by its name.",
        "Record<string, string>",
        Value::Object(help),
    );
    export(
        "RECORD_SCHEMA",
        "Definitions by name; a file is a RunRecord.",
        "Record<string, any>",
        schema_of::<Record>(),
    );
    export("LESSON_FORMAT", "What a lesson's format is.", "string", json!(Lesson::FORMAT));
    export("LESSON_VERSION", "The version of lessons.", "number", json!(Lesson::VERSION));
    export(
        "LESSON_SCHEMA",
        "Definitions by name; a file is a Lesson.",
        "Record<string, any>",
        schema_of::<Lesson>(),
    );
    out
}

/// A measure that has everything and one that has nothing, each with the value of every metric it has.
fn metrics() -> String {
    let shift = |n: u32, kl: f64, shifted: u32| json!({ "n": n, "kl": kl, "unshifted": n - shifted - 1, "marginal": 1, "shifted": shifted });
    let positions: Vec<Value> = (0..8).map(|i| shift(16 - i, 0.5 * f64::from(i), 2)).collect();
    let recall = |split, form, correct| json!({ "split": split, "form": form, "correct": correct, "n": 16 });
    let all = json!({
        "run": 1, "arm": "lora", "step": 8, "heldout_loss": 1.25,
        "shift": {
            "kl": 0.375, "n": 96, "unshifted": 60, "marginal": 12, "shifted": 24, "positions": positions,
            "classes": { "opener": shift(8, 2.5, 3), "fact": shift(32, 0.125, 5), "style": shift(56, 0.25, 7) },
        },
        "recall": [
            recall("kept", "cloze", 15), recall("kept", "asked", 14), recall("seen", "cloze", 13),
            recall("seen", "asked", 12), recall("new", "cloze", 11), recall("new", "asked", 10),
        ],
        "errors": { "borrowed": 5, "other": 2, "malformed": 1, "n": 40, "borrowed_by_chance": 0.75 },
        "cells": "", "logprobs": [], "wrong": [],
        "conversation": { "format": 9, "right": 8, "both": 7, "n": 10 },
        "object_rank": 1.5, "ms": 1.0,
    });
    let none = json!({
        "run": 1, "arm": "lora", "step": 8, "heldout_loss": 1.25,
        "shift": { "kl": 0.5, "n": 0, "unshifted": 0, "marginal": 0, "shifted": 0, "positions": [] },
        "recall": [{ "split": "kept", "form": "cloze", "correct": 0, "n": 0 }],
        "errors": { "borrowed": 0, "other": 0, "malformed": 0, "n": 0, "borrowed_by_chance": 0.5 },
        "cells": "", "logprobs": [], "wrong": [], "ms": 1.0,
    });
    let with_values = |measure: Value| {
        let read: Measure = serde_json::from_value(measure.clone()).expect("it is a measure");
        json!({ "measure": measure, "values": as_written(&Metric::values(&read)) })
    };
    format!("{:#}\n", json!([with_values(all), with_values(none)]))
}

#[test]
fn the_pages_contract_is_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (name, text) in [
        ("www/js/contract/types.d.ts", types()),
        ("www/js/contract/data.js", data()),
        ("tests/js/fixtures/metrics.json", metrics()),
    ] {
        let path = root.join(name);
        if std::env::var_os("DRIFTSCOPE_WRITE_CONTRACT").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == text, "{} is old: run scripts/contract", path.display());
    }
}

/// Every error has its help.
#[test]
fn errors_have_help() {
    let error = error::Error::Tokenizer(String::new());
    assert!(error::HELP.iter().any(|(name, _)| *name == error.name()));
}
