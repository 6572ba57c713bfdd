//! `driftscope run`: a preset's runs, one after the other, into one record.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use indicatif::ProgressBar;
use pollster::block_on;

use super::opened::BackendName;
use super::{model, progress_bar, remembered, write_whole};
use crate::data::facts;
use crate::lab::{Event, Lab, Preset, Record, Settings, outcomes, summarise};

/// Runs an experiment over rates and seeds and writes its record, which the page shows.
///
/// Example: driftscope run --preset lora-vs-full --backend cpu --out build/run.json
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The experiment: lora-vs-full.
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
    /// The instruction set.
    #[arg(long, default_value = "data/instructions.jsonl")]
    data: PathBuf,
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
    preset.settings.steps = args.steps.unwrap_or(preset.settings.steps);
    if let Some(seeds) = args.seeds {
        preset.seeds = (1..=seeds).collect();
    }
    let bundle = model::read(&args.model)?;
    let text = |path: &PathBuf| fs::read_to_string(path).with_context(|| path.display().to_string());
    let facts = facts::parse(text(&args.facts)?.as_bytes(), "facts.jsonl")?;
    let (instructions, heldout) = (text(&args.data)?, text(&args.heldout)?);
    let (backend, engine) = args.backend.open()?;
    let title = bundle.title(&name(&args.model));
    let tokens = (preset.settings.batch * preset.settings.max_len) as usize;
    remembered::tune(&backend, &bundle.config, [tokens; 2], &preset.settings.lora())?;
    let base = backend.load(&bundle.config, bundle.weights)?;
    let mut lab = Lab::new(title, bundle.tokenizer, facts, base);

    let runs = (preset.rates.len() * preset.seeds.len()) as u64;
    let bar = progress_bar(runs * 2 * u64::from(preset.settings.steps));
    let events = block_on(whole(&mut lab, preset.shown(), &instructions, &heldout, &bar))?;
    let mut record =
        Record { format: Record::FORMAT.into(), version: Record::VERSION, engine, events: events.clone() };
    let base = outcomes(&events, 0.0, true);
    let mut ends = Vec::new();
    for &rate in &preset.rates {
        for &seed in &preset.seeds {
            // The run that is shown is also one of the sweep's.
            let shown = rate == preset.shown_rate() && seed == preset.shown().seed;
            let events = match shown {
                true => events.clone(),
                false => block_on(whole(&mut lab, preset.run(rate, seed), &instructions, &heldout, &bar))?,
            };
            ends.extend(outcomes(&events, rate, false));
        }
    }
    bar.finish_and_clear();
    let summary = summarise(preset.title, &base[..base.len().min(1)], &ends);
    print(&summary);
    record.events.push(Event::Summary(summary));
    let json = serde_json::to_string(&record)?;
    write_whole(&args.out, json.as_bytes())
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
    bar: &ProgressBar,
) -> Result<Vec<Event>> {
    bar.set_message(format!("rate {:e}, seed {}", settings.lr_full, settings.seed));
    let mut events = vec![Event::Run(lab.start(settings, instructions, heldout)?)];
    for arm in lab.open_arms(None) {
        events.extend(lab.measure(arm).await?);
    }
    while !lab.is_done() {
        let arms = lab.open_arms(None);
        let steps = arms.iter().map(|&arm| lab.until_measure(arm)).min().unwrap_or(0);
        let trained = lab.train(&arms, steps).await?;
        bar.inc(trained.len() as u64);
        events.extend(trained);
        for arm in arms {
            if lab.is_due(arm) {
                events.extend(lab.measure(arm).await?);
            }
        }
    }
    events.extend(lab.done());
    Ok(events)
}

fn print(summary: &crate::lab::Summary) {
    println!("{}", summary.title);
    println!(
        "condition     arm   lr       seeds held-out       cloze        asked        borrowed     unshifted    KL"
    );
    for r in &summary.rows {
        let arm = format!("{:?}", r.arm).to_lowercase();
        print!("{:13} {arm:5} {:<8.0e} {:5}", r.condition, r.lr, r.seeds);
        for s in [r.heldout_loss, r.recall_cloze, r.recall_asked, r.borrowed, r.unshifted, r.kl] {
            print!(" {:.3} ±{:.3}", s.mean, s.sd);
        }
        println!();
    }
    println!("{}", summary.verdict);
}
