//! What a run takes of memory, known before anything is allocated: the base once, and each arm.

use crate::engine::{Backend, MemoryPlan, Storage, Tuning, plan_memory};
use crate::error::{Error, Result};
use crate::model::config::LlamaConfig;
use crate::model::weights::Precision;
use crate::record::{ArmSpec, Settings};

/// Refuses a model with more parameters than a `usize` can count, for which no size can be computed.
///
/// # Errors
/// [`Error::Memory`].
pub fn check_size(config: &LlamaConfig) -> Result<()> {
    let parameters = config.parameters();
    // Buffers are a little longer than the tensors in them.
    if parameters <= usize::MAX as u64 / 8 * 7 {
        return Ok(());
    }
    let (needed, available) = (parameters.saturating_mul(4), usize::MAX as u64);
    Err(Error::Memory { what: "the model", needed, available, remedy: "Use a smaller model".into() })
}

/// Bytes that are free for a run; `None` where nobody can say, as on a GPU of its own memory.
pub fn available(backend: &Backend) -> Option<u64> {
    match backend {
        Backend::Gpu(gpu) if !gpu.is_software() => None,
        _ => free_memory(),
    }
}

/// A page's WebAssembly addresses 4 GiB.
#[cfg(target_arch = "wasm32")]
fn free_memory() -> Option<u64> {
    const PAGE: u64 = 65_536;
    Some((1 << 32) - core::arch::wasm32::memory_size(0) as u64 * PAGE)
}

/// What Linux says is available.
#[cfg(not(target_arch = "wasm32"))]
fn free_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Rows and tokens of an arm's micro-batches, and how many of them make a step.
pub type BatchShape = (usize, usize, usize);

/// Refuses a run that does not fit `limit`, and names what would.
///
/// # Errors
/// [`Error::Memory`].
pub fn check(
    config: &LlamaConfig,
    settings: &Settings,
    storage: Storage,
    shape: impl Fn(&ArmSpec) -> BatchShape,
    limit: Option<u64>,
) -> Result<()> {
    let Some(limit) = limit else { return Ok(()) };
    let base = config.parameters() * if storage.weights == Precision::F16 { 2 } else { 4 };
    let own = |arm: &ArmSpec, divisor: usize| -> Result<u64> {
        let (rows, time, accumulate) = shape(arm);
        let rows = rows.div_ceil(divisor);
        Ok(plan(config, arm, storage, (rows, time, accumulate * divisor))?.total.saturating_sub(base))
    };
    let each = settings.arms.iter().map(|arm| own(arm, 1)).collect::<Result<Vec<u64>>>()?;
    let needed = base + each.iter().sum::<u64>();
    if needed <= limit {
        return Ok(());
    }
    let mut room = limit.saturating_sub(base);
    let mut fitting = Vec::new();
    for (arm, bytes) in settings.arms.iter().zip(&each) {
        if *bytes <= room {
            room -= bytes;
            fitting.push(arm.label.as_str());
        }
    }
    let mut remedies = Vec::new();
    if !fitting.is_empty() {
        remedies.push(format!("these arms alone: {}", fitting.join(", ")));
    }
    let mut divisor = 2;
    while divisor <= settings.batch as usize {
        let sum: u64 = settings.arms.iter().map(|arm| own(arm, divisor)).sum::<Result<u64>>()?;
        if base + sum <= limit {
            let (batch, batches) =
                (settings.batch.div_ceil(divisor as u32), settings.accumulate * divisor as u32);
            remedies.push(format!("all of them with a batch of {batch}, {batches} batches to a step"));
            break;
        }
        divisor *= 2;
    }
    let remedy = match remedies.is_empty() {
        true => "No arm fits; use a smaller model".into(),
        false => format!("What fits: {}", remedies.join("; or ")),
    };
    Err(Error::Memory { what: "the run", needed, available: limit, remedy })
}

/// Sees to it that a base held by the CPU engine finds its memory: a browser may give a page less than it can address, and an
/// allocation that fails ends the worker, with the model that is loaded.
///
/// # Errors
/// [`Error::Memory`].
pub fn reserve(config: &LlamaConfig) -> Result<()> {
    const PIECE: usize = 16 << 20;
    let needed = config.parameters() * 4;
    let mut held = Vec::new();
    for got in (0..needed).step_by(PIECE) {
        let mut piece = Vec::<u8>::new();
        if piece.try_reserve_exact(PIECE.min((needed - got) as usize)).is_err() {
            let remedy = "Use a smaller model, or keep fewer of its layers".into();
            return Err(Error::Memory { what: "the model", needed, available: got, remedy });
        }
        held.push(piece);
    }
    Ok(())
}

fn plan(
    config: &LlamaConfig,
    arm: &ArmSpec,
    storage: Storage,
    (rows, time, accumulate): BatchShape,
) -> Result<MemoryPlan> {
    let to_base = arm.regularisers.kl_to_base > 0.0;
    plan_memory(config, &Tuning::of(arm, 0), storage, rows, time, accumulate, to_base)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::BenchShape;

    #[test]
    fn a_run_that_does_not_fit_is_refused_with_what_does() {
        let config = BenchShape::Atlas.config();
        let arm = |id: &str, full: bool| {
            let spec = if full { ArmSpec::full(1e-3) } else { ArmSpec::lora(1e-3) };
            ArmSpec { id: id.into(), label: id.into(), ..spec }
        };
        let settings = Settings::default().with_arms(vec![arm("a", false), arm("b", true), arm("c", true)]);
        let shape = |_: &ArmSpec| (8, 64, 1);
        let refused = |limit| {
            check(&config, &settings, Storage::default(), shape, Some(limit)).map_err(|e| e.to_string())
        };
        let base = config.parameters() * 4;
        let each: Vec<u64> = settings
            .arms
            .iter()
            .map(|a| plan(&config, a, Storage::default(), (8, 64, 1)).unwrap().total - base)
            .collect();
        let all = base + each.iter().sum::<u64>();
        refused(all).unwrap();
        check(&config, &settings, Storage::default(), shape, None).unwrap();
        let message = refused(all - 1).unwrap_err();
        assert!(message.contains("these arms alone: a, b"), "{message}");
        assert!(message.contains("a batch of 4, 2 batches to a step"), "{message}");
        assert!(refused(base + each[0]).unwrap_err().contains("these arms alone: a"));
        assert!(refused(base).unwrap_err().contains("No arm fits"));
    }
}
