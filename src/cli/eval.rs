//! `driftscope eval`: what a model knows, and how far it is from its base.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result, anyhow, ensure};
use pollster::block_on;
use serde::Serialize;

use super::model;
use super::opened::{ModelArgs, Opened};
use crate::data::batch::Sequence;
use crate::data::facts::{self, Bad, Fact, Form, Relation};
use crate::data::instructions::Example;
use crate::data::rows;
use crate::engine::Model;
use crate::measure::recall::{AnswerKind, Probe};
use crate::measure::{loss, recall, shift};
use crate::model::tokenizer::Tokenizer;
use crate::record::{PositionShift, Shift};

/// Measures recall of facts, and on prompts the drift from the base.
///
/// A probe is one JSON object a line, of one of these forms:
///   {"prompt": "The capital of France is", "answer": "Paris"}           cloze: the greedy continuation
///   {"question": "What is the capital of France?", "answer": "Paris"}   asked in the chat template
///   {"subject": "Moby Dick", "relation": "author", "object": "Melville"}   both; with "sentence" and "question", in
///                                                                       these words; data/facts.jsonl has "id" and "kind"
/// "relation" groups the first two: an answer that names another answer of its relation is wrong.
///
/// Prompts are {"instruction", "input", "output"}, {"messages": […]} or {"prompt": "…"} a line. The model
/// answers them greedily, and the base (the model without its adapter, or --base) sees the same contexts.
///
/// Example: driftscope eval --model models/atlas --adapter build/lora --probes data/facts.jsonl \
///            --prompts data/heldout.jsonl --json
#[derive(Clone, Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// Facts to test.
    #[arg(long, value_name = "FILE.jsonl")]
    probes: PathBuf,
    /// Prompts whose greedy answers are compared with the base, token by token.
    #[arg(long, value_name = "FILE.jsonl")]
    prompts: Option<PathBuf>,
    /// The base of a fully tuned model: compared with instead of the model without its adapter.
    #[arg(long, value_name = "DIR|FILE.gguf")]
    base: Option<PathBuf>,
    /// Longest answer, in tokens.
    #[arg(long, default_value_t = 40)]
    max_new: usize,
    /// Print everything as one JSON object instead of a summary.
    #[arg(long)]
    json: bool,
}

/// Everything that was measured.
#[derive(Serialize)]
struct Report {
    model: PathBuf,
    adapter: Option<PathBuf>,
    backend: String,
    /// By form: "cloze", "asked".
    recall: BTreeMap<&'static str, Score>,
    /// By relation, then by form.
    relations: BTreeMap<String, BTreeMap<&'static str, Score>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drift: Option<Drift>,
    probes: Vec<ProbeResult>,
}

#[derive(Clone, Copy, Default, Serialize)]
struct Score {
    correct: usize,
    n: usize,
    /// correct / n.
    recall: f64,
}

#[derive(Serialize)]
struct ProbeResult {
    form: &'static str,
    relation: String,
    prompt: String,
    expected: String,
    answer: String,
    correct: bool,
    /// Cloze: of the expected answer, nats.
    #[serde(skip_serializing_if = "Option::is_none")]
    logprob: Option<f32>,
}

/// Of the model's own greedy answers.
#[derive(Serialize)]
struct Drift {
    /// Mean over the given responses' tokens, nats; of the prompts that have one.
    heldout_loss: Option<f32>,
    /// KL(model || base), mean over tokens, nats.
    kl: f32,
    tokens: u32,
    unshifted: f64,
    marginal: f64,
    shifted: f64,
    positions: Vec<PositionShift>,
    answers: Vec<String>,
}

/// A probe with what belongs to it in the report.
struct Item {
    probe: Probe,
    form: &'static str,
    relation: String,
    prompt: String,
}

pub fn run(args: Args) -> Result<()> {
    let mut opened = args.model.open()?;
    let items = items(&args.probes, &opened.tokenizer)?;
    let prompts = args.prompts.as_deref().map(prompts).transpose()?;
    let results = test(&mut opened, &items, args.max_new)?;
    let mut report = Report {
        model: args.model.model.clone(),
        adapter: args.model.adapter.clone(),
        backend: opened.engine.clone(),
        recall: BTreeMap::new(),
        relations: BTreeMap::new(),
        drift: None,
        probes: results,
    };
    for result in &report.probes {
        let relation = report.relations.entry(result.relation.clone()).or_default();
        for score in [report.recall.entry(result.form), relation.entry(result.form)] {
            let score = score.or_default();
            score.correct += usize::from(result.correct);
            score.n += 1;
            score.recall = score.correct as f64 / score.n as f64;
        }
    }
    if let Some(examples) = prompts {
        report.drift = Some(drift(&args, opened, &examples)?);
    }
    match args.json {
        true => println!("{}", serde_json::to_string(&report)?),
        false => print(&report),
    }
    Ok(())
}

/// The text of a file that an option names.
fn text(path: &Path, flag: &str) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("{flag} {} can't be read", path.display()))
}

/// The facts of a file, and the forms in which each is tested.
fn facts(path: &Path) -> Result<Vec<Fact>> {
    let bad =
        |Bad { line, why }| anyhow!("{} line {line}: {why}; --probes takes {}", path.display(), facts::FORMS);
    let facts = facts::read(&text(path, "--probes")?).map_err(bad)?;
    ensure!(!facts.is_empty(), "{}: there is no line in it", path.display());
    Ok(facts)
}

fn items(path: &Path, tokenizer: &Tokenizer) -> Result<Vec<Item>> {
    // (relation, form, prompt, answer) first: the candidates of a relation are known only at the end.
    let mut rows: Vec<(String, &'static str, String, String)> = Vec::new();
    for fact in facts(path)? {
        // Without a relation an answer has no candidates but itself.
        let is_alone = fact.form != Form::Fact && fact.relation == Relation::Unnamed;
        let relation = if is_alone { "" } else { fact.relation.label() };
        if fact.form != Form::Pair {
            rows.push((relation.into(), "cloze", fact.cloze().prompt, fact.object.clone()));
        }
        if fact.form != Form::Sentence {
            rows.push((relation.into(), "asked", fact.asked().prompt, fact.object));
        }
    }
    let mut objects: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (relation, _, _, answer) in &rows {
        let list = objects.entry(relation.clone()).or_default();
        if !list.contains(answer) {
            list.push(answer.clone());
        }
    }
    let lists: BTreeMap<String, Rc<Vec<String>>> =
        objects.into_iter().map(|(relation, list)| (relation, Rc::new(list))).collect();
    let item = |(relation, form, prompt, answer): (String, &'static str, String, String)| {
        let candidates = match relation.is_empty() {
            true => Rc::new(vec![answer.clone()]),
            false => lists[&relation].clone(),
        };
        let probe = Probe::new(&prompt, &prompt, &answer, candidates, tokenizer)?;
        Ok(Item { probe, form, relation, prompt })
    };
    rows.into_iter().map(item).collect()
}

fn prompts(path: &Path) -> Result<Vec<Example>> {
    let forms = r#"{"instruction", "input", "output"}, {"messages": […]} or {"prompt"}"#;
    let mut examples = Vec::new();
    for (line, row) in rows::rows(&text(path, "--prompts")?) {
        let example = row.and_then(|row| Example::of(&row, false));
        let bad = |why| anyhow!("{} line {line}: {why}; --prompts takes {forms}", path.display());
        examples.push(example.map_err(bad)?);
    }
    ensure!(!examples.is_empty(), "{}: there is no line in it", path.display());
    Ok(examples)
}

fn test(opened: &mut Opened, items: &[Item], max_new: usize) -> Result<Vec<ProbeResult>> {
    let of = |form: &'static str| items.iter().filter(move |item| item.form == form);
    let probes = |form: &'static str| of(form).map(|item| item.probe.clone()).collect::<Vec<Probe>>();
    let Opened { base, adapted, tokenizer, .. } = opened;
    let model: &mut Model = adapted.as_mut().unwrap_or(base);
    let cloze = block_on(recall::cloze(model, &probes("cloze"), tokenizer))?;
    let asked = block_on(recall::asked(model, &probes("asked"), max_new, tokenizer))?;
    let result = |item: &Item, answer: String, correct: bool, logprob: Option<f32>| ProbeResult {
        form: item.form,
        relation: item.relation.clone(),
        prompt: item.prompt.clone(),
        expected: item.probe.object.clone(),
        answer,
        correct,
        logprob,
    };
    let cloze = of("cloze")
        .zip(cloze)
        .map(|(item, said)| result(item, said.answer, said.kind == AnswerKind::Right, Some(said.logprob)));
    let asked = of("asked").zip(asked).map(|(item, said)| result(item, said.text, said.right, None));
    Ok(cloze.chain(asked).collect())
}

fn drift(args: &Args, opened: Opened, examples: &[Example]) -> Result<Drift> {
    let Opened { config, tokenizer, backend, base, adapted, .. } = opened;
    // Without an adapter or --base, the model is loaded a second time and compared with itself.
    let load = |path: &Path| -> Result<Model> {
        let bundle = model::read(path)?;
        ensure!(
            bundle.config.vocab_size == config.vocab_size,
            "--base {}: {} tokens, the model has {}; use the model that it was tuned from",
            path.display(),
            bundle.config.vocab_size,
            config.vocab_size
        );
        Ok(backend.load_as(&bundle.config, &bundle.weights, args.model.weights.into())?)
    };
    let (mut tuned, mut base) = match (adapted, &args.base) {
        (Some(adapted), None) => (adapted, base),
        (None, None) => (load(&args.model.model)?, base),
        (adapted, Some(path)) => (adapted.unwrap_or(base), load(path)?),
    };
    let prompts: Vec<Vec<u32>> =
        examples.iter().map(|e| tokenizer.prompt(&e.prompt)).collect::<Result<_, _>>()?;
    let given: Vec<Sequence> = examples
        .iter()
        .filter(|e| !e.answer.is_empty())
        .map(|e| e.tokenize(&tokenizer, config.max_position_embeddings))
        .collect::<Result<_, _>>()?;
    let heldout_loss = match given.is_empty() {
        true => None,
        false => Some(block_on(loss::mean(&mut tuned, &given))?),
    };
    let end = tokenizer.ends();
    let (answers, shifts) = block_on(shift::of_answers(&mut tuned, &mut base, &prompts, args.max_new, end))?;
    let Shift { kl, n, unshifted, marginal, shifted, positions, .. } = shift::aggregate(&shifts);
    let share = |count: u32| f64::from(count) / f64::from(n.max(1));
    let text = |answer: &Sequence| tokenizer.decode(&answer.tokens[answer.response..]);
    Ok(Drift {
        heldout_loss,
        kl,
        tokens: n,
        unshifted: share(unshifted),
        marginal: share(marginal),
        shifted: share(shifted),
        positions,
        answers: answers.iter().map(text).collect::<Result<_, _>>()?,
    })
}

fn print(report: &Report) {
    println!("{}", report.backend);
    let row = |name: &str, scores: &BTreeMap<&str, Score>| {
        print!("{name:20}");
        for (form, s) in scores {
            print!("  {form} {:5.1} % of {:4}", s.recall * 100.0, s.n);
        }
        println!();
    };
    report.relations.iter().filter(|(name, _)| !name.is_empty()).for_each(|(name, s)| row(name, s));
    row("all", &report.recall);
    if let Some(d) = &report.drift {
        println!(
            "KL to the base {:.4} nats a token; {:.1} % unshifted, {:.1} % marginal, {:.1} % shifted of {} tokens",
            d.kl,
            d.unshifted * 100.0,
            d.marginal * 100.0,
            d.shifted * 100.0,
            d.tokens
        );
        if let Some(loss) = d.heldout_loss {
            println!("held-out loss {loss:.4} nats a response token");
        }
    }
}
