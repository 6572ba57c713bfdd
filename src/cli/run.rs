//! `driftscope run`: the runs of an experiment, one after the other, into one record.

mod shorten;

use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use indicatif::ProgressBar;
use pollster::block_on;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use web_time::Instant;

use super::opened::{BackendName, adapter_files};
use super::{model, outputs, progress_bar, remembered, write_whole};
use crate::data::facts;
use crate::lab::{Dose, Experiment, Session, Slice, Subject, Texts};
use crate::model::bundle;
use crate::record::{ArmSpec, Event, Metric, Preset, Record, Settings, Shown, Strength, Summary};

/// Runs an experiment over its conditions and seeds and writes its record, which the page shows.
///
/// After each run what is done so far goes to OUT.part; --resume goes on from there.
///
/// Examples:
///   driftscope run --preset f1 --backend cpu --out build/f1.json
///   driftscope run --arm "lora r=8 lr=3e-4" --arm "full lr=3e-5 kl=0.1" --seeds 3 --out build/arms.json
#[derive(Clone, Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// The experiment: one of the paper's findings f1 to f5, lora-vs-full (rates), harder, ranks, places, kl-to-base, keepers,
    /// keepers-facts, pretrained, or keepers-pretrained.
    #[arg(long, required_unless_present = "arms", conflicts_with = "arms")]
    preset: Option<String>,
    /// An arm, up to six times: "lora" or "full" and its settings, as r, alpha, targets, lr, schedule, warmup, kl,
    /// decay, neftune, replay, start, id and label.
    #[arg(long = "arm", value_name = "ARM")]
    arms: Vec<String>,
    /// A PEFT adapter of the model for arms to begin with, as --arm "lora start=NAME"; may be given several times.
    #[arg(long = "adapter", value_name = "NAME=DIR")]
    adapters: Vec<String>,
    /// The record, as the page reads it.
    #[arg(long)]
    out: PathBuf,
    /// Go on with the experiment that was interrupted, from OUT.part.
    #[arg(long)]
    resume: bool,
    /// A Hugging Face folder or a GGUF file.
    #[arg(long, default_value = "models/atlas")]
    model: PathBuf,
    /// Facts of your own, instead of the built-in ones: one JSON object a line, {"subject", "relation", "object"} and, as
    /// you like, "sentence" and "question"; {"question", "answer"}; or {"prompt", "answer"}.
    #[arg(long, value_name = "FILE.jsonl")]
    facts: Option<PathBuf>,
    /// The instruction set, instead of the preset's (data/instructions.jsonl; f2: data/instructions-1024.jsonl).
    #[arg(long)]
    data: Option<PathBuf>,
    /// The held-out part of the set.
    #[arg(long, default_value = "data/heldout.jsonl")]
    heldout: PathBuf,
    #[arg(long, value_enum, default_value = "auto")]
    backend: BackendName,
    /// Steps of each run, instead of the preset's.
    #[arg(long)]
    steps: Option<u32>,
    /// Number of seeds, instead of the preset's (with --arm: 1).
    #[arg(long)]
    seeds: Option<u32>,
    /// After each run measure every arm with this share, 0 to 1, of its intruder dimensions left, and at last with all of them.
    #[arg(long, value_delimiter = ',', value_name = "SHARE,…")]
    intruders: Vec<f32>,
    /// Most memory that the base and all arms may take, MB; what is free where that is known.
    #[arg(long, value_name = "MB")]
    memory: Option<u64>,
}

/// The facts that Atlas knows, of which replayed text is made.
const BUILT_IN: &[u8] = include_bytes!("../../data/facts.jsonl");

/// What has been done of an experiment: all that --resume needs.
#[derive(Serialize, Deserialize)]
struct Part {
    /// What was asked for; the same must be asked for again.
    asked: Asked,
    engine: String,
    experiment: Experiment,
    /// Events of the run that is kept whole, as JSON: numbers that are none stay null.
    kept: Vec<Value>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Asked {
    preset: Option<String>,
    arms: Vec<String>,
    #[serde(default)]
    adapters: Vec<String>,
    model: String,
    data: String,
    #[serde(default)]
    facts: Option<String>,
    steps: Option<u32>,
    seeds: Option<u32>,
    #[serde(default)]
    intruders: Vec<f32>,
}

pub fn run(args: Args) -> Result<()> {
    let preset = preset(&args)?;
    for &intruders in &args.intruders {
        Dose { intruders, ..Dose::WHOLE }.check().context("--intruders")?;
    }
    let adapters = args.adapters.iter().map(|text| named_folder(text)).collect::<Result<Vec<_>>>()?;
    let data = args.data.clone().unwrap_or_else(|| preset.set.file().into());
    let text = |path: &PathBuf| fs::read_to_string(path).with_context(|| path.display().to_string());
    let probes = args.facts.as_ref().map(text).transpose()?.unwrap_or_default();
    if let Some(path) = &args.facts {
        facts::parse(probes.as_bytes(), &path.display().to_string()).context("--facts")?;
    }
    let texts = Texts { instructions: text(&data)?, heldout: text(&args.heldout)?, probes };
    let facts = facts::parse(BUILT_IN, "facts.jsonl")?;
    let asked = Asked {
        preset: args.preset.clone(),
        arms: args.arms.clone(),
        adapters: args.adapters.clone(),
        model: args.model.display().to_string(),
        data: data.display().to_string(),
        facts: args.facts.as_ref().map(|path| path.display().to_string()),
        steps: args.steps,
        seeds: args.seeds,
        intruders: args.intruders.clone(),
    };
    let mut inputs: Vec<(&str, &Path)> =
        vec![("--data", &data), ("--heldout", &args.heldout), ("--model", &args.model)];
    inputs.extend(args.facts.as_deref().map(|facts| ("--facts", facts)));
    outputs::spare_inputs(&[("--out", &args.out)], &inputs)?;
    let saved = Saved::new(&args)?;
    let part = saved.read(&asked)?;
    let bundle = model::read(&args.model)?;
    let (backend, engine) = args.backend.open()?;
    let title = bundle::title(&name(&args.model), &bundle.config);
    let base = backend.load(&bundle.config, &bundle.weights)?;
    let mut subject = Subject::new(title, bundle.tokenizer, facts, base, backend);
    if let Some(megabytes) = args.memory {
        subject.memory_limit = Some(megabytes * 1_000_000);
    }
    for (name, folder) in &adapters {
        let [config, weights] = adapter_files(folder)?;
        let read = subject.adapters.read(name, &config, &weights, &bundle.config);
        read.with_context(|| format!("--adapter {name}={}", folder.display()))?;
    }
    let mut session = Session::new(subject);
    let mut part =
        part.unwrap_or_else(|| Part { asked, engine, experiment: Experiment::new(preset), kept: Vec::new() });

    let mut progress = Progress::new();
    let mut last = 0;
    loop {
        let is_new = part.experiment.is_between_runs();
        let shown = part.experiment.preset.shown.filter(|_| part.experiment.position().done == 0);
        if is_new {
            let Some(settings) = part.experiment.upcoming() else { break };
            remembered::autotune(&session.subject.backend, &session.products(settings))?;
            progress.begin(&part.experiment, settings);
            last = settings.steps;
        }
        let advanced = block_on(part.experiment.advance(&mut session, &texts, Slice::WHOLE))?;
        let events = advanced.unwrap_or_default();
        progress.count(&events);
        if let Some(Shown { measure_every, .. }) = shown {
            for event in shorten::worth_keeping(events, measure_every, last) {
                part.kept.push(serde_json::to_value(event)?);
            }
        }
        if part.experiment.is_between_runs() {
            for event in block_on(without_intruders(&mut session, &args.intruders))? {
                part.kept.push(serde_json::to_value(event)?);
            }
            progress.end();
            saved.write(&part)?;
        }
    }
    progress.bar.finish_and_clear();
    if let Some(summary) = part.experiment.summary() {
        print(&summary);
        part.kept.push(serde_json::to_value(Event::Summary(summary))?);
    }
    part.kept.iter_mut().for_each(shorten::shorten);
    let record = serde_json::json!({
        "format": Record::FORMAT, "version": Record::VERSION, "engine": part.engine, "events": part.kept,
    });
    write_whole(&args.out, record.to_string().as_bytes())?;
    saved.remove();
    Ok(())
}

/// Every arm with each of these shares of its intruder dimensions left, and with all, as the record's other figures have it.
async fn without_intruders(session: &mut Session, shares: &[f32]) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    if shares.is_empty() {
        return Ok(events);
    }
    for arm in &session.arms() {
        session.look(arm)?;
        while session.looked().is_some() {
            session.go_on_looking().await?;
        }
        for &intruders in shares.iter().chain(&[1.0]) {
            let dosed = session.dose(arm, Dose { intruders, ..Dose::WHOLE }).await?;
            events.extend(dosed.into_iter().filter_map(|event| match event {
                Event::Strength(dose) => {
                    Some(Event::Strength(Strength { measure: None, text: None, ..dose }))
                }
                _ => None,
            }));
        }
    }
    Ok(events)
}

/// NAME=DIR.
fn named_folder(text: &str) -> Result<(String, PathBuf)> {
    let (name, folder) = text.split_once('=').with_context(|| format!("--adapter {text}: write NAME=DIR"))?;
    Ok((name.into(), folder.into()))
}

fn preset(args: &Args) -> Result<Preset> {
    let mut preset = match &args.preset {
        Some(name) => {
            let Some(preset) = Preset::by_name(name) else {
                let names: Vec<String> = Preset::all().into_iter().map(|preset| preset.name).collect();
                bail!("--preset {name}: there is none of this name; use one of {}", names.join(", "));
            };
            preset
        }
        None => {
            let arms = ArmSpec::parse_all(&args.arms)?;
            let settings = Settings { measure_every: 20, ..Settings::default() }.with_arms(arms);
            settings.validate()?;
            Preset::of_arms(settings, 1)
        }
    };
    if let Some(steps) = args.steps {
        preset.shorten(steps);
    }
    if let Some(seeds) = args.seeds {
        preset.seeds = (1..=seeds).collect();
    }
    Ok(preset)
}

/// The file beside the record that an interrupted experiment goes on from.
struct Saved {
    path: PathBuf,
    resume: bool,
}

impl Saved {
    fn new(args: &Args) -> Result<Self> {
        let mut path = args.out.clone().into_os_string();
        path.push(".part");
        let saved = Self { path: path.into(), resume: args.resume };
        ensure!(
            saved.resume || !saved.path.exists(),
            "{} is left from an experiment that was interrupted; go on with --resume, or remove it",
            saved.path.display()
        );
        Ok(saved)
    }

    fn read(&self, asked: &Asked) -> Result<Option<Part>> {
        if !self.resume {
            return Ok(None);
        }
        let file = self.path.display();
        let text = fs::read_to_string(&self.path)
            .with_context(|| format!("--resume: {file} can't be read; leave --resume out to begin anew"))?;
        let part: Part = serde_json::from_str(&text).with_context(|| {
            format!("--resume: {file} is damaged or of another version; remove it to begin anew")
        })?;
        ensure!(
            part.asked == *asked,
            "--resume: {file} is of another experiment ({:?}); use its arguments, or remove it",
            part.asked
        );
        Ok(Some(part))
    }

    fn write(&self, part: &Part) -> Result<()> {
        write_whole(&self.path, serde_json::to_string(part)?.as_bytes())
    }

    /// One that is left does no harm.
    fn remove(&self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// A bar on a terminal, a line a run anywhere else.
struct Progress {
    bar: ProgressBar,
    is_terminal: bool,
    label: String,
    begun: Instant,
}

impl Progress {
    fn new() -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self { bar: progress_bar(0), is_terminal, label: String::new(), begun: Instant::now() }
    }

    fn begin(&mut self, experiment: &Experiment, settings: &Settings) {
        let position = experiment.position();
        self.label = format!("run {} of {}: {}", position.done + 1, position.total, position.label);
        self.begun = Instant::now();
        self.bar.inc_length(u64::from(settings.steps) * settings.arms.len() as u64);
        self.bar.set_message(self.label.clone());
        if !self.is_terminal {
            eprintln!("{}", self.label);
        }
    }

    fn count(&self, events: &[Event]) {
        let steps = events.iter().filter(|event| matches!(event, Event::Step(_))).count();
        self.bar.inc(steps as u64);
    }

    fn end(&self) {
        if !self.is_terminal {
            eprintln!("{} is done after {:.0} s", self.label, self.begun.elapsed().as_secs_f64());
        }
    }
}

/// "models/atlas" to "Atlas".
fn name(folder: &Path) -> String {
    let name = folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn print(summary: &Summary) {
    const COLUMNS: [Metric; 7] = [
        Metric::HeldoutLoss,
        Metric::RecallCloze,
        Metric::RecallAsked,
        Metric::Borrowed,
        Metric::Unshifted,
        Metric::Kl,
        Metric::Conversation,
    ];
    println!("{}\n{}", summary.title, summary.claim);
    for row in &summary.rows {
        let fairness = row.fairness.map_or("", |f| f.label());
        print!("{:30} {fairness:20} {:12} {:<6.0e} n={}", row.condition, row.arm, row.lr, row.seeds);
        for metric in COLUMNS {
            let figure = row.figures.get(&metric).map_or("-".into(), |s| metric.write(*s));
            print!(" {figure:>13}");
        }
        println!();
    }
    for comparison in &summary.comparisons {
        println!("{}", comparison.text);
    }
    for check in &summary.counterfactual {
        println!("{check:?}");
    }
    println!("{}", summary.verdict);
}
