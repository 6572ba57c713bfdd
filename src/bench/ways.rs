//! What training a model takes on a back end, before the model is loaded: memory, counted, and time, estimated.

use super::cost::Cost;
use crate::engine::{Backend, Storage, Tuning, plan_memory};
use crate::error::{Result, megabytes};
use crate::model::config::LlamaConfig;
use crate::model::lora::{AdapterStart, Lora};
use crate::model::weights::Precision;
use crate::record::{HeldAs, LoraSpec, Method, Settings, Way};

/// A step's share of the rate of a product alone, as docs/speed.md has it for software and docs/gpu.md for hardware.
const SHARE: [f64; 2] = [0.7, 0.3];

/// A measurement's share: it writes token by token.
const MEASURED: f64 = 0.2;
/// Tokens of a fact's sentence, of a question in the chat template, and of the held-out set.
const CLOZE: u32 = 12;
const QUESTION: u32 = 20;
const HELDOUT: u32 = 4000;

impl From<HeldAs> for Precision {
    fn from(held: HeldAs) -> Self {
        match held {
            HeldAs::F32 => Self::F32,
            HeldAs::F16 => Self::F16,
        }
    }
}

/// Each way of training such a model that makes a difference on this back end, for arms as the settings have them.
/// `rate`: of a product alone, operations per second ([`crate::engine::rate`]); `available`: bytes that the base and an arm may take,
/// where that is known.
///
/// # Errors
/// Whatever the back end refuses.
pub fn ways(
    config: &LlamaConfig,
    settings: &Settings,
    backend: &Backend,
    rate: f64,
    available: Option<u64>,
) -> Result<Vec<Way>> {
    let is_hardware = matches!(backend, Backend::Gpu(gpu) if !gpu.is_software());
    let spec = settings.arms.iter().find_map(|arm| match &arm.method {
        Method::Lora(spec) => Some(spec.clone()),
        Method::Full {} => None,
    });
    let lora = Lora::of(&spec.unwrap_or_else(LoraSpec::default));
    let (rows, accumulate) = (settings.batch as usize, settings.accumulate as usize);
    let time = (settings.max_len as usize).min(config.max_position_embeddings);
    let cost = Cost { config, rows, time, counted: rows * time, rank: lora.rank };
    let mut ways = Vec::new();
    for full in [false, true] {
        let tuning = match full {
            true => Tuning::Full,
            false => Tuning::Lora { lora: lora.clone(), start: AdapterStart::Seed(0) },
        };
        let flop = if full { cost.full_step() } else { cost.lora_step() } * accumulate as f64;
        for (weights, checkpoint) in storages(backend) {
            let storage = Storage { checkpoint, weights: weights.into() };
            let plan = plan_memory(config, &tuning, storage, rows, time, accumulate, false)?;
            let too_large = available.filter(|available| plan.total > *available).map(|available| {
                format!("It takes {}, and {} are free", megabytes(plan.total), megabytes(available))
            });
            let refusal = match backend {
                Backend::Gpu(gpu) => plan.check(&gpu.limits, full).err().map(|error| error.to_string()),
                Backend::Cpu => None,
            };
            // With checkpoints the forward pass runs twice, a third of a full step's work or half of LoRA's.
            let again = if checkpoint { cost.forward() * accumulate as f64 } else { 0.0 };
            let seconds = (flop + again) / (rate * SHARE[usize::from(is_hardware)]);
            ways.push(Way {
                full,
                weights,
                checkpoint,
                bytes: plan.total,
                refusal: refusal.or(too_large),
                step_ms: (seconds * 1e3) as f32,
            });
        }
    }
    Ok(ways)
}

/// Milliseconds of one measurement of an arm with these settings, from the rate of a product alone: every token that is
/// read or written costs two operations a parameter. Estimated like [`ways`].
pub fn measurement_ms(config: &LlamaConfig, settings: &Settings, rate: f64) -> f32 {
    let Settings { probes, asked, shift_prompts, answer_len, .. } = settings;
    let (exchange, cloze) = (QUESTION + answer_len, 2 * CLOZE);
    // An answer of the shift is written once, and read by the arm and by the base.
    let tokens = probes * cloze + asked * exchange + 3 * shift_prompts * exchange + HELDOUT;
    let flop = 2.0 * config.parameters() as f64 * f64::from(tokens);
    (flop / (rate * MEASURED) * 1e3) as f32
}

/// On the CPU candle decides what is kept, and matrices are f32 however they were held.
fn storages(backend: &Backend) -> Vec<(HeldAs, bool)> {
    match backend {
        Backend::Cpu => vec![(HeldAs::F32, false)],
        Backend::Gpu(_) => {
            vec![(HeldAs::F32, false), (HeldAs::F16, false), (HeldAs::F32, true), (HeldAs::F16, true)]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::BenchShape;

    #[test]
    fn what_does_not_fit_says_why() {
        let config = BenchShape::Smollm2.config();
        let of = |available| ways(&config, &Settings::default(), &Backend::Cpu, 3e10, available).unwrap();
        let [lora, full] = of(None).try_into().unwrap();
        assert!(!lora.full && full.full && lora.bytes < full.bytes && lora.step_ms < full.step_ms);
        assert_eq!((&lora.refusal, &full.refusal), (&None, &None));
        let [lora, full] = of(Some(lora.bytes)).try_into().unwrap();
        assert_eq!(lora.refusal, None);
        assert!(full.refusal.unwrap().contains("are free"));
    }
}
