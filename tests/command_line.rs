//! The native command line as a person uses it: files in, files out, and errors that say what to do.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

const ATLAS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/models/atlas");
const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/instructions.jsonl");

fn driftscope(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_driftscope"))
        .args(arguments)
        .env_remove("RUST_BACKTRACE")
        .output()
        .expect("the binary starts")
}

fn output(arguments: &[&str]) -> String {
    let output = driftscope(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn failure(arguments: &[&str]) -> String {
    let output = driftscope(arguments);
    assert!(!output.status.success(), "{arguments:?} succeeds");
    String::from_utf8(output.stderr).unwrap()
}

/// `tune` on Atlas with what all of these tests share, and `more`.
fn tune<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let common = ["tune", "--model", ATLAS, "--data", DATA, "--backend", "cpu", "--steps", "3"];
    let shape = ["--batch", "2", "--max-len", "48", "--lr", "1e-3"];
    [&common[..], &shape, more].concat()
}

fn path(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).to_str().unwrap().to_string()
}

fn log(file: &str) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn logits(more: &[&str]) -> Vec<f64> {
    let json = output(&[&["logits", "--backend", "cpu", "--tokens", "5,17,300", "--json"], more].concat());
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["shape"], serde_json::json!([3, 2048]));
    let row = json["logits"][2].as_array().unwrap();
    row.iter().map(|v| v.as_f64().unwrap()).collect()
}

fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn an_adapter_is_trained_saved_continued_and_merged() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second, full) = (path(&folder, "first"), path(&folder, "second"), path(&folder, "full"));
    let (log_file, once_more) = (path(&folder, "logs/first.jsonl"), path(&folder, "again.jsonl"));
    output(&tune(&["--method", "lora", "--dora", "--save", &first, "--log", &log_file]));
    let lines = log(&log_file);
    assert_eq!(lines.len(), 3);
    for (i, line) in lines.iter().enumerate() {
        let fields: Vec<&String> = line.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["grad_norm", "loss", "lr", "step", "tokens"]);
        assert_eq!(line["step"], i + 1);
    }
    output(&tune(&["--method", "lora", "--dora", "--log", &once_more]));
    assert_eq!(log(&log_file), log(&once_more), "the same seed gives the same curve");

    let (base, adapted) = (logits(&["--model", ATLAS]), logits(&["--model", ATLAS, "--adapter", &first]));
    assert!(largest_difference(&base, &adapted) > 1e-3);
    // Going on from it keeps its shape; a rate of zero changes nothing.
    output(&tune(&["--method", "lora", "--adapter", &first, "--lr", "0", "--save", &second]));
    let continued = logits(&["--model", ATLAS, "--adapter", &second]);
    assert_eq!(largest_difference(&adapted, &continued), 0.0);
    // Full tuning begins with the adapter merged.
    output(&tune(&["--method", "full", "--adapter", &first, "--lr", "0", "--save", &full]));
    // transformers loads the numbers as config.json says; they are f32 now.
    let config: Value =
        serde_json::from_str(&fs::read_to_string(path(&folder, "full/config.json")).unwrap()).unwrap();
    assert!(
        config.get("dtype").or(config.get("torch_dtype")).is_some_and(|dtype| dtype == "float32"),
        "{config}"
    );
    assert!(largest_difference(&adapted, &logits(&["--model", &full])) < 1e-4);
}

/// Atlas's file is f16, so nothing is rounded; and the CPU back end keeps what it always keeps.
#[test]
fn memory_is_saved_without_a_difference() {
    let folder = tempfile::tempdir().unwrap();
    let (plain, saving) = (path(&folder, "plain.jsonl"), path(&folder, "saving.jsonl"));
    output(&tune(&["--method", "full", "--log", &plain]));
    output(&tune(&["--method", "full", "--checkpoint", "--weights", "f16", "--log", &saving]));
    assert_eq!(log(&plain), log(&saving));
    assert_eq!(logits(&["--model", ATLAS]), logits(&["--model", ATLAS, "--weights", "f16"]));
}

#[test]
fn recall_and_drift_are_measured() {
    let folder = tempfile::tempdir().unwrap();
    let (probes, prompts) = (path(&folder, "probes.jsonl"), path(&folder, "prompts.jsonl"));
    let fact = r#"{"id":"x","subject":"France","kind":"country","relation":"capital","object":"Paris"}"#;
    let cloze = r#"{"prompt":"The capital of Peru is","answer":"Lima","relation":"capital"}"#;
    let asked = r#"{"question":"What is the capital of Peru?","answer":"Oslo","relation":"capital"}"#;
    fs::write(&probes, [fact, cloze, asked].join("\n")).unwrap();
    let lines = [
        r#"{"instruction":"What is the symbol of iron?","output":"It is Fe."}"#,
        r#"{"prompt":"Where is Norway?"}"#,
    ];
    fs::write(&prompts, lines.join("\n")).unwrap();
    let eval = ["eval", "--model", ATLAS, "--backend", "cpu", "--probes", &probes, "--prompts", &prompts];
    let report: Value = serde_json::from_str(&output(&[&eval[..], &["--json"]].concat())).unwrap();
    assert_eq!(report["recall"]["cloze"]["correct"], 2);
    assert_eq!(report["recall"]["asked"]["correct"], 1, "Oslo is not the capital of Peru");
    assert_eq!(report["recall"]["asked"]["n"], 2);
    assert_eq!(report["drift"]["kl"], 0.0, "a model does not drift from itself");
    assert_eq!(report["drift"]["unshifted"], 1.0);
    assert!(report["drift"]["heldout_loss"].as_f64().unwrap() > 0.0);
    assert!(output(&eval).contains("100.0 % unshifted"));
}

/// An interrupted training goes on to the same curve and the same files, to the last bit.
#[test]
fn a_run_is_tested_with_facts_of_ones_own() {
    let folder = TempDir::new().unwrap();
    let (facts, out) = (path(&folder, "facts.jsonl"), path(&folder, "run.json"));
    let lines = [
        r#"{"subject":"Peru","relation":"seat of government","object":"Lima"}"#,
        r#"{"question":"What is 3.14 called?","answer":"pi"}"#,
    ];
    fs::write(&facts, lines.join("\n")).unwrap();
    let run =
        ["run", "--arm", "lora r=2", "--steps", "1", "--backend", "cpu", "--facts", &facts, "--out", &out];
    output(&run);
    let record: Value = serde_json::from_str(&fs::read_to_string(&out).unwrap()).unwrap();
    let events = record["events"].as_array().unwrap();
    let begun = events.iter().find(|event| event["type"] == "run").unwrap();
    let tested: Vec<&str> =
        begun["facts"].as_array().unwrap().iter().map(|fact| fact["cloze"].as_str().unwrap()).collect();
    assert_eq!(tested, ["The seat of government of Peru is", "Question: What is 3.14 called?\nAnswer:"]);
    fs::write(&facts, r#"{"question":"What is 3.14 called?"}"#).unwrap();
    let error = failure(&run);
    assert!(error.contains("facts.jsonl: line 1: it has no answer. Each line is"), "{error}");
}

#[test]
fn an_interrupted_training_is_resumed() {
    let folder = tempfile::tempdir().unwrap();
    for (name, method) in [("lora", &["lora", "--dora"][..]), ("full", &["full"])] {
        let (whole, parted) =
            (path(&folder, &format!("{name}-whole")), path(&folder, &format!("{name}-parted")));
        let (whole_log, parted_log) = (format!("{whole}.jsonl"), format!("{parted}.jsonl"));
        let arguments = |save: &str, log: &str, more: &[&str]| -> Vec<String> {
            let common = [
                "tune",
                "--model",
                ATLAS,
                "--data",
                DATA,
                "--backend",
                "cpu",
                "--steps",
                "7",
                "--batch",
                "2",
            ];
            let shape =
                ["--max-len", "32", "--lr", "1e-3", "--schedule", "cosine", "--warmup", "2", "--method"];
            let rest = ["--save", save, "--log", log, "--save-every", "2"];
            [&common[..], &shape, method, &rest, more].concat().iter().map(|a| a.to_string()).collect()
        };
        let run = |arguments: &[String]| output(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        run(&arguments(&whole, &whole_log, &[]));
        // Ended by force once a state was left.
        let state = Path::new(&parted).join("unfinished.safetensors");
        let mut child = Command::new(env!("CARGO_BIN_EXE_driftscope"))
            .args(arguments(&parted, &parted_log, &[]))
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        while !state.exists() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        let _ = child.kill();
        child.wait().unwrap();
        if state.exists() {
            let other = arguments(&parted, &parted_log, &["--resume", "--seed", "9"]);
            let message = failure(&other.iter().map(String::as_str).collect::<Vec<_>>());
            assert!(message.contains("--resume") && message.contains("seed was 1"), "{message}");
            run(&arguments(&parted, &parted_log, &["--resume"]));
        }
        assert!(!state.exists(), "a finished training leaves no state");
        assert_eq!(fs::read_to_string(&parted_log).unwrap(), fs::read_to_string(&whole_log).unwrap());
        let file = if name == "lora" { "adapter_model.safetensors" } else { "model.safetensors" };
        let bytes = |folder: &str| fs::read(Path::new(folder).join(file)).unwrap();
        assert!(bytes(&parted) == bytes(&whole), "{name}");
    }
}

/// What a command reads is still there when it has failed, and no folder comes to mean something else.
#[test]
fn nothing_is_written_over_an_input_or_beside_what_misleads() {
    let folder = tempfile::tempdir().unwrap();
    let (data, adapter) = (path(&folder, "data.jsonl"), path(&folder, "adapter"));
    fs::copy(DATA, &data).unwrap();
    let before = fs::read(&data).unwrap();
    output(&tune(&["--method", "lora", "--rank", "2", "--targets", "q_proj", "--save", &adapter]));
    let tune_on = |more: &[&str]| {
        let common = ["tune", "--model", ATLAS, "--data", &data, "--backend", "cpu", "--steps", "1"];
        failure(&[&common[..], more].concat())
    };
    let linked = path(&folder, "./adapter/../data.jsonl");
    for (arguments, parts) in [
        (&["--method", "lora", "--log", &data][..], ["--log", "--data"]),
        (&["--method", "lora", "--log", &linked], ["--log", "--data"]),
        (&["--method", "lora", "--log", &format!("{ATLAS}/config.json")], ["--log", "--model"]),
        (&["--method", "lora", "--save", ATLAS], ["--save", "--model"]),
        (&["--method", "full", "--save", ATLAS], ["--save", "--model"]),
        (&["--method", "full", "--save", &adapter], ["adapter_config.json", "another folder"]),
        (&["--method", "lora", "--adapter", &adapter, "--save", &adapter], ["--save", "--adapter"]),
    ] {
        let message = tune_on(arguments);
        assert!(parts.iter().all(|part| message.contains(part)), "{arguments:?}: {message}");
    }
    let arms = ["run", "--arm", "full", "--data", &data, "--out", &data];
    assert!(failure(&arms).contains("--out"));
    assert_eq!(fs::read(&data).unwrap(), before);

    let model = path(&folder, "model");
    fs::create_dir(&model).unwrap();
    fs::write(path(&folder, "model/config.json"), "{}").unwrap();
    assert!(tune_on(&["--method", "lora", "--save", &model]).contains("holds a model"));
}

#[test]
fn errors_name_the_file_the_field_and_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let (data, adapter) = (path(&folder, "data.jsonl"), path(&folder, "adapter"));
    let save = path(&folder, "save");
    fs::write(&data, "{\"instruction\": \"Hi\", \"output\": \"Hello\"}\n{\"instruction\": 3}\n").unwrap();
    output(&tune(&["--method", "lora", "--rank", "2", "--targets", "q_proj", "--save", &adapter]));
    let contains = |message: String, parts: &[&str]| {
        assert!(parts.iter().all(|part| message.contains(part)), "{parts:?}: {message}");
    };
    contains(
        failure(&["tune", "--model", "nowhere", "--data", DATA, "--method", "lora"]),
        &["nowhere", "--model"],
    );
    contains(
        failure(&["tune", "--model", ATLAS, "--data", &data, "--method", "lora"]),
        &["data.jsonl", "line 2", "instruction"],
    );
    contains(failure(&tune(&["--method", "lora", "--targets", "q_proj,lm_head"])), &["lm_head", "down_proj"]);
    contains(failure(&tune(&["--method", "lora", "--rank", "0"])), &["rank", "from 1 to 256"]);
    contains(
        failure(&tune(&["--method", "lora", "--adapter", &adapter, "--rank", "4"])),
        &["--rank 4", "--adapter has 2"],
    );
    let blocked = path(&folder, "data.jsonl/save");
    contains(failure(&tune(&["--method", "lora", "--save", &blocked])), &["--save", "can't be written"]);
    contains(
        failure(&tune(&[
            "--method",
            "full",
            "--lr",
            "10",
            "--weight-decay",
            "10",
            "--steps",
            "40",
            "--save",
            &save,
        ])),
        &["the loss is", "--lr"],
    );
    assert!(!Path::new(&save).join("model.safetensors").exists(), "nothing broken is saved");
    contains(failure(&["logits", "--model", ATLAS, "--tokens", "1,2048"]), &["2048", "tokens"]);
    contains(
        failure(&["logits", "--model", ATLAS, "--adapter", ATLAS, "--tokens", "1"]),
        &["adapter_config"],
    );
    contains(
        failure(&["eval", "--model", ATLAS, "--backend", "cpu", "--probes", DATA]),
        &["instructions.jsonl line 1", "answer"],
    );
    contains(failure(&["run", "--preset", "f9", "--out", &data]), &["f9", "lora-vs-full"]);
}
