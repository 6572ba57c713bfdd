//! `driftscope pretrain`: trains the base model that the page starts from.

mod card;
mod checkpoint;
mod recall;
mod vocabulary;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::outputs;
use crate::data::corpus::{self, Corpus};
use crate::data::facts::{self, Fact};
use crate::model::config::LlamaConfig;
use crate::model::tokenizer::{SpecialIds, Tokenizer, TokenizerFiles};
use crate::model::weights::{self, Array, Weights};
use crate::reference::adamw::{AdamW, AdamWConfig};
use crate::reference::llama::{Llama, named};
use crate::reference::ops;
use crate::train::schedule::{Decay, Schedule};

use checkpoint::{LogLine, Progress};

/// Trains the built-in base model from its facts and glosses.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Facts, one JSON object a line.
    #[arg(long, default_value = "data/facts.jsonl")]
    facts: PathBuf,
    /// WordNet glosses, tab-separated.
    #[arg(long, default_value = "data/glosses.txt")]
    glosses: PathBuf,
    /// Where the finished model goes.
    #[arg(long, default_value = "models/atlas")]
    out: PathBuf,
    /// Where an interrupted run is kept; a run with the same folder goes on from there.
    #[arg(long, default_value = "build/pretrain")]
    checkpoint: PathBuf,
    /// Decides the initial weights and every document.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Optimizer steps.
    #[arg(long, default_value_t = 4500)]
    steps: usize,
    /// Rows of a batch.
    #[arg(long, default_value_t = 16)]
    batch: usize,
    /// Tokens of a row.
    #[arg(long, default_value_t = 96)]
    time: usize,
    /// Peak learning rate.
    #[arg(long, default_value_t = 3e-3)]
    rate: f64,
    /// Steps between tests of some of the facts.
    #[arg(long, default_value_t = 500)]
    test_every: usize,
    /// Width of the residual stream.
    #[arg(long, default_value_t = 192)]
    width: usize,
    /// Layers.
    #[arg(long, default_value_t = 4)]
    layers: usize,
    /// Width of the feed-forward layer.
    #[arg(long, default_value_t = 512)]
    feed_forward: usize,
    /// Tokens of the vocabulary.
    #[arg(long, default_value_t = 2048)]
    vocabulary: usize,
}

/// Steps of learning rate warm-up.
const WARMUP: usize = 100;
/// Steps between lines of the loss curve.
const LOG_EVERY: usize = 50;
/// A test during training asks every 12th fact, which takes seconds; the one at the end asks all.
const TEST_STRIDE: usize = 12;
const OPTIMIZER: AdamWConfig =
    AdamWConfig { beta1: 0.9, beta2: 0.95, eps: 1e-8, weight_decay: 0.1, clip: 1.0 };

/// Runs the command.
pub fn run(args: Args) -> Result<()> {
    let inputs = [("--facts", args.facts.as_path()), ("--glosses", &args.glosses)];
    outputs::spare_inputs(&[("--out", &args.out), ("--checkpoint", &args.checkpoint)], &inputs)?;
    let facts = facts::parse(&read(&args.facts)?, &args.facts.display().to_string())?;
    let text = String::from_utf8(read(&args.glosses)?).context("glosses are not UTF-8")?;
    let glosses = corpus::parse_glosses(&text, &args.glosses.display().to_string())?;
    let corpus = Corpus::new(&facts, &glosses)?;
    fs::create_dir_all(&args.checkpoint)?;
    let tokenizer = tokenizer(&args, &corpus)?;
    let config = shape(&args, &tokenizer)?;
    println!("{} facts, {} glosses, {} parameters", facts.len(), glosses.len(), config.parameters());
    let (model, progress) = train(&args, &corpus, &tokenizer, &config, &facts)?;
    finish(&args, &model, &tokenizer, &config, &facts, &progress)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| path.display().to_string())
}

/// The checkpoint's tokenizer, trained first if there is none.
fn tokenizer(args: &Args, corpus: &Corpus) -> Result<Tokenizer> {
    let path = args.checkpoint.join("tokenizer.json");
    if !path.exists() {
        fs::write(&path, vocabulary::train(corpus, args.seed, args.vocabulary)?)?;
    }
    let config = vocabulary::config_json();
    let files =
        TokenizerFiles { tokenizer: &read(&path)?, config: Some(config.as_bytes()), ..Default::default() };
    Ok(Tokenizer::read(&files, SpecialIds::default())?)
}

fn shape(args: &Args, tokenizer: &Tokenizer) -> Result<LlamaConfig> {
    const HEADS: usize = 4;
    ensure!(args.width.is_multiple_of(2 * HEADS), "--width must be a multiple of {}", 2 * HEADS);
    let config = LlamaConfig {
        hidden_size: args.width,
        intermediate_size: args.feed_forward,
        num_hidden_layers: args.layers,
        num_attention_heads: HEADS,
        num_key_value_heads: 2,
        head_dim: args.width / HEADS,
        vocab_size: tokenizer.vocab_size(),
        rope_theta: 10_000.0,
        rope_scaling: None,
        rms_norm_eps: 1e-5,
        tie_word_embeddings: true,
        max_position_embeddings: 512,
        bos_token_id: Some(tokenizer.eos_id()),
        eos_token_ids: vec![tokenizer.eos_id()],
        // Here the end token separates documents, and is learned.
        pad_token_id: None,
    };
    ensure!(config.parameters() <= 3_000_000, "more than 3 million parameters");
    Ok(config)
}

/// Trains from the checkpoint or from fresh weights.
fn train(
    args: &Args,
    corpus: &Corpus,
    tokenizer: &Tokenizer,
    config: &LlamaConfig,
    facts: &[Fact],
) -> Result<(Llama, Progress)> {
    let mut optimizer = AdamW::new(OPTIMIZER);
    let (initial, mut progress) = match checkpoint::load(&args.checkpoint, &mut optimizer)? {
        Some(saved) => saved,
        None => (initialise(config, args.seed)?, Progress::default()),
    };
    let model = Llama::full(config, &named(initial)?)?;
    let schedule =
        Schedule { peak: args.rate, warmup: WARMUP, steps: args.steps, decay: Decay::Cosine { floor: 0.05 } };
    let bar = super::progress_bar(args.steps as u64).with_position(progress.step as u64);
    let before = progress.seconds;
    let start = Instant::now();
    let (mut sum, mut count) = (0.0, 0);
    while progress.step < args.steps {
        let step = progress.step;
        let (ids, targets) = batch(corpus, tokenizer, args, step as u64)?;
        let logits = model.logits(&model.hidden(&ids, args.batch)?)?;
        let loss = ops::cross_entropy(&logits, &targets)?;
        let gradients = loss.backward()?;
        optimizer.update(model.trainable(), &gradients, schedule.rate(step))?;
        progress.step += 1;
        progress.seconds = before + start.elapsed().as_secs_f64();
        sum += f64::from(loss.to_scalar::<f32>()?);
        count += 1;
        bar.inc(1);
        if progress.step % LOG_EVERY == 0 || progress.step == args.steps {
            let mut line = LogLine {
                step: progress.step,
                loss: sum / f64::from(count),
                seconds: progress.seconds,
                cloze: None,
                asked: None,
            };
            (sum, count) = (0.0, 0);
            if progress.step % args.test_every == 0 {
                test(&model, tokenizer, facts, &mut line)?;
                progress.log.push(line.clone());
                checkpoint::save(&args.checkpoint, &model, &optimizer, &progress)?;
            } else {
                progress.log.push(line.clone());
            }
            bar.set_message(format!("loss {:.3}", line.loss));
            println!("{}", serde_json::to_string(&line)?);
        }
    }
    bar.finish();
    checkpoint::save(&args.checkpoint, &model, &optimizer, &progress)?;
    Ok((model, progress))
}

/// Adds recall on some facts to a line of the loss curve.
fn test(model: &Llama, tokenizer: &Tokenizer, facts: &[Fact], line: &mut LogLine) -> Result<()> {
    let weights = checkpoint::weights_of(model)?;
    let scores = recall::evaluate(weights, model.config(), tokenizer, facts, TEST_STRIDE)?;
    let total = recall::Score::total(&scores);
    line.cloze = Some(total.cloze as f64 / total.facts as f64);
    line.asked = Some(total.asked as f64 / total.facts as f64);
    Ok(())
}

/// Inputs and next-token targets of one step, `batch` rows of `time` tokens.
///
/// A row starts at the start of a document, as a prompt does, and holds whole documents but the
/// last, each followed by the end token.
fn batch(corpus: &Corpus, tokenizer: &Tokenizer, args: &Args, step: u64) -> Result<(Vec<u32>, Vec<u32>)> {
    let mut rng = Corpus::generator(args.seed, step);
    let (mut inputs, mut targets) = (Vec::new(), Vec::new());
    for _ in 0..args.batch {
        let mut row = Vec::with_capacity(2 * args.time);
        while row.len() <= args.time {
            row.extend(tokenizer.encode(&corpus.document(&mut rng))?);
            row.push(tokenizer.eos_id());
        }
        inputs.extend_from_slice(&row[..args.time]);
        targets.extend_from_slice(&row[1..=args.time]);
    }
    Ok((inputs, targets))
}

/// Fresh weights: norms 1, matrices normal with deviation 0.02, those that write into the residual
/// stream smaller by sqrt(2 L) so that its size does not grow with depth (GPT-2).
fn initialise(config: &LlamaConfig, seed: u64) -> Result<Weights> {
    // A part that no step and no vocabulary uses.
    let mut rng = Corpus::generator(seed, u64::MAX - 1);
    let residual = 0.02 / (2.0 * config.num_hidden_layers as f32).sqrt();
    let mut all = Weights::new();
    for (name, shape) in config.tensors() {
        let size = shape.iter().product();
        let writes_residual = name.contains("o_proj") || name.contains("down_proj");
        let deviation = if writes_residual { residual } else { 0.02 };
        let data = match shape.len() {
            1 => vec![1.0; size],
            _ => (0..size).map(|_| deviation * normal(&mut rng)).collect(),
        };
        all.insert(name, Array::new(shape, data)?);
    }
    Ok(all)
}

/// A standard normal number (Box and Muller).
fn normal(rng: &mut ChaCha8Rng) -> f32 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    (radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()) as f32
}

/// Tests the rounded weights on every fact and writes the model folder.
fn finish(
    args: &Args,
    model: &Llama,
    tokenizer: &Tokenizer,
    config: &LlamaConfig,
    facts: &[Fact],
    progress: &Progress,
) -> Result<()> {
    let mut weights = checkpoint::weights_of(model)?;
    weights::round_to_f16(&mut weights);
    let scores = recall::evaluate(weights.clone(), config, tokenizer, facts, 1)?;
    fs::create_dir_all(&args.out)?;
    let write = |name: &str, bytes: &[u8]| fs::write(args.out.join(name), bytes);
    let config = LlamaConfig { pad_token_id: config.eos_token_ids.first().copied(), ..config.clone() };
    write("config.json", config.to_json(weights::Precision::F16).as_bytes())?;
    write("model.safetensors", &weights::write(&weights, weights::Precision::F16)?)?;
    write("tokenizer.json", &read(&args.checkpoint.join("tokenizer.json"))?)?;
    write("tokenizer_config.json", vocabulary::config_json().as_bytes())?;
    write("special_tokens_map.json", vocabulary::special_tokens_json().as_bytes())?;
    let card = card::write(args, &config, progress, &scores);
    write("README.md", card.as_bytes())?;
    let total = recall::Score::total(&scores);
    println!("cloze {}/{}, asked {}/{}", total.cloze, total.facts, total.asked, total.facts);
    Ok(())
}
