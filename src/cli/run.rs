//! `driftscope run`: a preset's runs, one after the other, into one record.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use indicatif::ProgressBar;
use pollster::block_on;

use super::opened::BackendName;
use super::{model, progress_bar, remembered, write_whole};
use crate::data::facts;
use crate::lab::{Event, Experiment, Lab, Metric, Preset, Record, Set, Settings, Summary};

/// Runs an experiment over its conditions and seeds and writes its record, which the page shows.
///
/// Example: driftscope run --preset f1 --backend cpu --out build/f1.json
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The experiment: lora-vs-full, or one of the paper's findings f1 to f5.
    #[arg(long)]
    preset: String,
    /// The record, as the page reads it.
    #[arg(long)]
    out: PathBuf,
    /// A Hugging Face folder or a GGUF file.
    #[arg(long, default_value = "models/atlas")]
    model: PathBuf,
    /// Facts, one JSON object a line.
    #[arg(long, default_value = "data/facts.jsonl")]
    facts: PathBuf,
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
    /// Number of seeds, instead of the preset's.
    #[arg(long)]
    seeds: Option<u32>,
}

pub fn run(args: Args) -> Result<()> {
    let Some(mut preset) = Preset::by_name(&args.preset) else {
        bail!("--preset {}: there is none of this name; use one of {:?}", args.preset, Preset::NAMES);
    };
    if let Some(steps) = args.steps {
        for condition in &mut preset.conditions {
            let s = &mut condition.settings;
            (s.steps, s.measure_every) = (steps, s.measure_every.min(steps));
        }
        preset.shown.1 = preset.shown.1.min(steps);
    }
    if let Some(seeds) = args.seeds {
        preset.seeds = (1..=seeds).collect();
    }
    let bundle = model::read(&args.model)?;
    let text = |path: &PathBuf| fs::read_to_string(path).with_context(|| path.display().to_string());
    let facts = facts::parse(text(&args.facts)?.as_bytes(), "facts.jsonl")?;
    let set = args.data.unwrap_or_else(|| match preset.set {
        Set::Small => "data/instructions.jsonl".into(),
        Set::Large => "data/instructions-1024.jsonl".into(),
    });
    let (instructions, heldout) = (text(&set)?, text(&args.heldout)?);
    let (backend, engine) = args.backend.open()?;
    let title = bundle.title(&name(&args.model));
    if let Some(first) = preset.conditions.first() {
        let tokens = (first.settings.batch * first.settings.max_len) as usize;
        remembered::tune(&backend, &bundle.config, [tokens; 2], &first.settings.lora())?;
    }
    let base = backend.load(&bundle.config, bundle.weights)?;
    let mut lab = Lab::new(title, bundle.tokenizer, facts, base, backend);

    let mut experiment = Experiment::new(preset);
    let bar = progress_bar(0);
    let mut kept = Vec::new();
    while let Some(planned) = experiment.next(&lab) {
        bar.set_message(format!("run {} of {}: {}", experiment.done + 1, experiment.total, planned.label));
        // Only the first run is kept, and its weights looked at.
        let keep = kept.is_empty();
        let events = block_on(whole(&mut lab, planned.settings, &instructions, &heldout, keep, &bar))?;
        for event in &events {
            experiment.take(event);
        }
        if keep {
            kept = events;
        }
    }
    bar.finish_and_clear();
    if let Some(summary) = experiment.summary() {
        print(&summary);
        kept.push(Event::Summary(summary));
    }
    let record = Record { format: Record::FORMAT.into(), version: Record::VERSION, engine, events: kept };
    write_whole(&args.out, serde_json::to_string(&record)?.as_bytes())
}

/// "models/atlas" to "Atlas".
fn name(folder: &std::path::Path) -> String {
    let name = folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// One run from its first measure to its last.
async fn whole(
    lab: &mut Lab,
    settings: Settings,
    instructions: &str,
    heldout: &str,
    weights: bool,
    bar: &ProgressBar,
) -> Result<Vec<Event>> {
    bar.inc_length(u64::from(settings.steps) * settings.arms.len() as u64);
    let mut events = vec![Event::Run(lab.start(settings, instructions, heldout).await?)];
    events.extend(lab.measure_start().await?);
    while !lab.is_done() {
        let arms = lab.open_arms(None);
        let steps = arms.iter().map(|&arm| lab.until_measure(arm)).min().unwrap_or(0);
        let trained = lab.train(&arms, steps).await?;
        bar.inc(trained.len() as u64);
        events.extend(trained);
        for arm in arms {
            if lab.is_due(arm) {
                events.extend(lab.measure(arm).await?);
                if weights {
                    events.push(lab.weights(arm).await?);
                }
            }
        }
    }
    events.extend(lab.done());
    Ok(events)
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
        let arm = format!("{:?}", row.arm).to_lowercase();
        let fairness = row.fairness.map_or("", |f| f.label());
        print!("{:30} {fairness:20} {arm:5} {:<6.0e} n={}", row.condition, row.lr, row.seeds);
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
