//! The arguments of `driftscope tune`, and the settings that follow from them.

use std::path::PathBuf;

use anyhow::{Result, bail, ensure};

use crate::cli::opened::{BackendName, WeightsName};
use crate::model::lora::Lora;
use crate::model::peft;
use crate::record::{ArmSpec, LoraSpec, Method as ArmMethod, Regularisers, ScheduleKind, Settings, Target};

/// Fine-tunes a model with LoRA or fully, as PyTorch with PEFT would.
///
/// Data is JSONL: {"instruction", "input", "output"} or {"messages": […]} a line. The loss is the mean over
/// the response tokens of a step. The log has a line for each step, with the loss before its update and the
/// gradient's norm before clipping.
///
/// Examples:
///   driftscope tune --model models/atlas --data data/instructions.jsonl --method lora --save build/lora
///   driftscope tune --model models/atlas --data data/instructions.jsonl --method full --lr 1e-4 \
///     --steps 200 --schedule cosine --warmup 20 --weight-decay 0.1 --save build/full --log build/full.jsonl
#[derive(Clone, Debug, clap::Args)]
#[command(verbatim_doc_comment, args_override_self = true)]
pub struct Args {
    /// A Hugging Face folder (config.json, model.safetensors, tokenizer.json) or a GGUF file.
    #[arg(long, value_name = "DIR|FILE.gguf")]
    pub(super) model: PathBuf,
    /// The instruction set.
    #[arg(long, value_name = "FILE.jsonl")]
    pub(super) data: PathBuf,
    /// What is trained: an adapter, or every weight.
    #[arg(long, value_enum)]
    pub(super) method: Method,
    /// LoRA: r, the rank of the update [default: 8].
    #[arg(long)]
    pub(super) rank: Option<u32>,
    /// LoRA: the update is scaled by alpha / r [default: 16].
    #[arg(long)]
    pub(super) alpha: Option<f32>,
    /// LoRA: the linear layers that are adapted, separated by commas [default: all seven].
    #[arg(long, value_delimiter = ',', value_parser = target)]
    pub(super) targets: Option<Vec<Target>>,
    /// LoRA: scale by alpha / sqrt(r) (rsLoRA).
    #[arg(long)]
    pub(super) rslora: bool,
    /// LoRA: train the lengths of the adapted weights' rows too (DoRA).
    #[arg(long)]
    pub(super) dora: bool,
    /// Peak learning rate.
    #[arg(long, default_value_t = 1e-3)]
    pub(super) lr: f32,
    /// Optimiser steps.
    #[arg(long, default_value_t = 200)]
    pub(super) steps: u32,
    /// Examples of a batch.
    #[arg(long, default_value_t = 8)]
    pub(super) batch: u32,
    /// Batches whose gradients make up one step.
    #[arg(long, default_value_t = 1)]
    pub(super) accumulate: u32,
    /// Save memory: keep only each layer's input and compute the layer again for its gradients. The results are
    /// the same; a step takes up to half longer. No effect on the CPU back end, where candle decides.
    #[arg(long)]
    pub(super) checkpoint: bool,
    /// Tokens of an example, prompt and response; longer ones are cut at the end.
    #[arg(long, default_value_t = 512)]
    pub(super) max_len: u32,
    /// Steps in which the rate rises from 0.
    #[arg(long, default_value_t = 0)]
    pub(super) warmup: u32,
    /// How the rate goes on: as Hugging Face's get_*_schedule_with_warmup.
    #[arg(long, value_enum, default_value = "constant")]
    pub(super) schedule: Schedule,
    /// AdamW's decoupled weight decay, on all but the norms.
    #[arg(long, default_value_t = 0.0)]
    pub(super) weight_decay: f32,
    /// The loss gains this times KL(base || tuned) over the response tokens, full vocabulary. The base is the model
    /// without its adapter; for full tuning what training starts from.
    #[arg(long, value_name = "C", default_value_t = 0.0)]
    pub(super) kl_to_base: f32,
    /// Largest norm of the gradient; 0 does not clip.
    #[arg(long, default_value_t = 1.0)]
    pub(super) clip: f32,
    /// Decides the order of the examples and the adapter's start.
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u32,
    /// Take the examples in the file's order, again and again.
    #[arg(long)]
    pub(super) no_shuffle: bool,
    /// LoRA: go on from this PEFT adapter, whose rank, alpha and targets are kept. Full: merge it first.
    #[arg(long, value_name = "DIR")]
    pub(super) adapter: Option<PathBuf>,
    /// Where it runs.
    #[arg(long, value_enum, default_value = "auto")]
    pub(super) backend: BackendName,
    /// How the base's matrices are held; what trains is f32.
    #[arg(long, value_enum, default_value = "f32")]
    pub(super) weights: WeightsName,
    /// Where the result goes: a PEFT adapter, or a model folder.
    #[arg(long, value_name = "DIR")]
    pub(super) save: Option<PathBuf>,
    /// Write a checkpoint to the --save folder every N steps, for --resume after an interruption.
    #[arg(long, value_name = "N", requires = "save", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) save_every: Option<u32>,
    /// Go on where an interrupted training was last saved; everything else must be asked for as before. The steps and
    /// the log are those of a training that was never interrupted.
    #[arg(long, requires = "save")]
    pub(super) resume: bool,
    /// A line {"step", "loss", "lr", "grad_norm", "tokens"} for each step.
    #[arg(long, value_name = "FILE.jsonl")]
    pub(super) log: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Method {
    Lora,
    Full,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum Schedule {
    Constant,
    Linear,
    Cosine,
}

fn target(name: &str) -> Result<Target, String> {
    let names = || Target::ALL.map(Target::name).join(", ");
    let found = Target::ALL.into_iter().find(|t| t.name() == name.trim());
    found.ok_or_else(|| format!("{name} is no linear layer of a Llama; use some of {}", names()))
}

impl Args {
    /// The run as settings of one arm, within their ranges.
    pub(super) fn settings(&self, given: Option<&peft::Adapter>) -> Result<Settings> {
        let method = match self.method {
            Method::Lora => ArmMethod::Lora(self.lora(given)?),
            Method::Full => ArmMethod::Full {},
        };
        let arm = ArmSpec {
            method,
            schedule: match self.schedule {
                Schedule::Constant => ScheduleKind::Constant,
                Schedule::Linear => ScheduleKind::Linear,
                Schedule::Cosine => ScheduleKind::Cosine,
            },
            warmup: self.warmup,
            regularisers: Regularisers {
                weight_decay: self.weight_decay,
                kl_to_base: self.kl_to_base,
                ..Regularisers::default()
            },
            ..if self.method == Method::Lora { ArmSpec::lora(self.lr) } else { ArmSpec::full(self.lr) }
        };
        let settings = Settings {
            arms: vec![arm],
            seed: self.seed,
            steps: self.steps,
            batch: self.batch,
            accumulate: self.accumulate,
            max_len: self.max_len,
            clip: self.clip,
            ..Settings::default()
        };
        settings.validate()?;
        Ok(settings)
    }

    /// The adapter that trains: as the arguments say, or as the given one is.
    fn lora(&self, given: Option<&peft::Adapter>) -> Result<LoraSpec> {
        let defaults = LoraSpec::default();
        let mut spec = LoraSpec {
            rank: self.rank.unwrap_or(defaults.rank),
            alpha: self.alpha.unwrap_or(defaults.alpha),
            rslora: self.rslora,
            dora: self.dora,
            targets: self.targets.clone().unwrap_or(defaults.targets),
            start: defaults.start,
        };
        spec.targets.sort();
        spec.targets.dedup();
        let Some(adapter) = given else { return Ok(spec) };
        ensure!(
            !adapter.is_unified,
            "--adapter has ranks, alphas or layers of its own (rank_pattern, alpha_pattern, layers_to_transform), which would \
             train otherwise than in PEFT; merge it, or tune an adapter of one rank on every layer"
        );
        ensure!(
            adapter.dropout == 0.0,
            "adapter_config.json: lora_dropout {} is not supported in training; set it to 0",
            adapter.dropout
        );
        self.check_same(&adapter.lora, &spec)?;
        let Lora { rank, alpha, targets, rank_stabilised, dora } = adapter.lora.clone();
        let rslora = rank_stabilised;
        Ok(LoraSpec { rank: rank as u32, alpha, targets, rslora, dora, start: String::new() })
    }

    /// Refuses arguments that contradict the given adapter's shape.
    fn check_same(&self, lora: &Lora, said: &LoraSpec) -> Result<()> {
        let differs = |flag: &str, said: String, has: String| {
            bail!("--{flag} {said}, but the --adapter has {has}; leave the flag out to keep the adapter's")
        };
        if let Some(rank) = self.rank.filter(|rank| *rank as usize != lora.rank) {
            return differs("rank", rank.to_string(), lora.rank.to_string());
        }
        if let Some(alpha) = self.alpha.filter(|alpha| *alpha != lora.alpha) {
            return differs("alpha", alpha.to_string(), lora.alpha.to_string());
        }
        if self.targets.is_some() && said.targets != lora.targets {
            let names = |t: &[Target]| t.iter().map(|t| t.name()).collect::<Vec<_>>().join(",");
            return differs("targets", names(&said.targets), names(&lora.targets));
        }
        if self.rslora && !lora.rank_stabilised {
            return differs("rslora", String::new(), "use_rslora false".into());
        }
        if self.dora && !lora.dora {
            return differs("dora", String::new(), "use_dora false".into());
        }
        Ok(())
    }
}
