//! Which back end to use when none is asked for. A hardware adapter always wins; a software adapter, which runs
//! on the CPU itself, competes with the CPU engine in a short trial.

use std::rc::Rc;

use candle_core::{Device, Tensor};
use web_time::Instant;

use super::found::{Found, Speeds};
use crate::engine::Backend;
use crate::error::Result;
use crate::gpu::{Gpu, PlanBuilder};
use crate::kernels::{Layout, Matmul};
use crate::record::{Said, SaidValue};

/// M, N and K of a product.
type Shape = (usize, usize, usize);

/// The trial's product: 512 tokens through a linear layer of a small model.
const SHAPE: Shape = (512, 512, 192);

/// A product large enough to keep hardware busy.
const LARGE: Shape = (2048, 1536, 576);

/// Each side of the trial takes about this long, warm-up aside.
const SECONDS: f64 = 0.1;
/// Parts that a trial on the CPU is split into.
const PARTS: u32 = 4;

/// A back end, and why it is used.
pub struct Choice {
    pub backend: Backend,
    pub reason: Said,
    /// Whether a trial was held, so that there is something new to remember.
    pub is_tried: bool,
}

/// The back end expected to be the fastest here. Holds a trial if `found` has none for this adapter. Never
/// fails: the CPU engine is always there.
pub async fn choose(found: &mut Found) -> Choice {
    let untried = |backend, reason| Choice { backend, reason, is_tried: false };
    let gpu = match Gpu::new().await {
        Ok(gpu) => gpu,
        Err(error) => {
            let english = "There is no usable WebGPU here ({error}), so the CPU engine runs.";
            return untried(Backend::Cpu, Said::new("no-webgpu", english, &[("error", (&error).into())]));
        }
    };
    let adapter = ("adapter", (&gpu.name()).into());
    if !gpu.is_software() {
        let reason = Said::new("hardware", "The adapter, {adapter}, is hardware.", &[adapter]);
        return untried(Backend::Gpu(Rc::new(gpu)), reason);
    }
    let software = |name: &str, english: &str, more: &[(&'static str, SaidValue)]| {
        let english =
            format!("The only WebGPU adapter here, {{adapter}}, is a program on the CPU itself. {english}");
        Said::new(name, &english, &[&[adapter], more].concat())
    };
    let known = found.speeds(&gpu);
    let is_tried = known.is_none();
    let Speeds { adapter: webgpu, cpu } = match *known {
        Some(speeds) => speeds,
        None => match (adapter_speed(&gpu, SHAPE).await, cpu_speed(SHAPE)) {
            (Ok(adapter), Ok(cpu)) => *known.insert(Speeds { adapter, cpu }),
            (Err(error), _) => {
                let english = "It failed in a trial ({error}), so the CPU engine runs.";
                let reason = software("webgpu-failed", english, &[("error", (&error).into())]);
                return untried(Backend::Cpu, reason);
            }
            (_, Err(error)) => {
                let english = "The CPU engine failed in a trial ({error}), so WebGPU runs.";
                let reason = software("cpu-failed", english, &[("error", (&error).into())]);
                return untried(Backend::Gpu(Rc::new(gpu)), reason);
            }
        },
    };
    let values = [("webgpu", gigaflops(webgpu)), ("cpu", gigaflops(cpu))];
    let (backend, reason) = if webgpu > cpu {
        let english = "In a trial it did {webgpu} GFLOP/s and the CPU engine {cpu} GFLOP/s, so WebGPU runs.";
        (Backend::Gpu(Rc::new(gpu)), software("webgpu-faster", english, &values))
    } else {
        let english =
            "In a trial it did {webgpu} GFLOP/s and the CPU engine {cpu} GFLOP/s, so the CPU engine runs.";
        (Backend::Cpu, software("cpu-faster", english, &values))
    };
    Choice { backend, reason, is_tried }
}

/// To two digits.
fn gigaflops(speed: f64) -> SaidValue {
    let figure = speed / 1e9;
    SaidValue::Number(if figure < 10.0 { (10.0 * figure).round() / 10.0 } else { figure.round() })
}

/// Operations per second of a product on a back end, by a trial of [`SECONDS`].
///
/// # Errors
/// Whatever the back end refuses.
pub async fn rate(backend: &Backend) -> Result<f64> {
    match backend {
        Backend::Gpu(gpu) => adapter_speed(gpu, if gpu.is_software() { SHAPE } else { LARGE }).await,
        Backend::Cpu => cpu_speed(SHAPE),
    }
}

/// Operations per second of `count` products that took `seconds`.
fn speed((m, n, k): Shape, count: usize, seconds: f64) -> f64 {
    (2 * m * n * k * count) as f64 / seconds
}

/// Operands x (M,K) and w (N,K).
fn operands((m, n, k): Shape) -> (Vec<f32>, Vec<f32>) {
    let values = |len: usize| (0..len).map(|i| (i % 13) as f32 / 13.0 - 0.5).collect();
    (values(m * k), values(n * k))
}

/// x·Wᵀ by our own kernel, operations per second.
async fn adapter_speed(gpu: &Gpu, shape: Shape) -> Result<f64> {
    let (m, n, k) = shape;
    let (x, w) = operands(shape);
    let (x, w) = (gpu.upload("x", &x)?, gpu.upload("w", &w)?);
    let out = gpu.buffer("out", m * n)?;
    let mut plan = PlanBuilder::new(gpu);
    Matmul::new(Layout::Nt, m as u32, n as u32, k as u32).record(&mut plan, &x, &w, &out);
    let plan = plan.finish("trial");
    let end = out.sub(0, 1);
    plan.submit(gpu); // compiles
    gpu.read::<f32>(&end).await?;
    let (mut count, mut next) = (0, 1);
    let begun = Instant::now();
    while begun.elapsed().as_secs_f64() < SECONDS {
        // Waiting costs too: wait ever less often, as training does.
        for _ in 0..next {
            plan.submit(gpu);
        }
        gpu.read::<f32>(&end).await?;
        count += next;
        next = (2 * next).min(16);
    }
    Ok(speed(shape, count, begun.elapsed().as_secs_f64()))
}

/// The same product by candle.
fn cpu_speed(shape: Shape) -> Result<f64> {
    let (m, n, k) = shape;
    let (x, w) = operands(shape);
    let x = Tensor::from_vec(x, (m, k), &Device::Cpu)?;
    let w = Tensor::from_vec(w, (n, k), &Device::Cpu)?;
    x.matmul(&w.t()?)?;
    // The best of some parts: another thread of the browser may hold one up for longer than a whole trial.
    let mut best: f64 = 0.0;
    for _ in 0..PARTS {
        let mut count = 0;
        let begun = Instant::now();
        while begun.elapsed().as_secs_f64() < SECONDS / f64::from(PARTS) {
            x.matmul(&w.t()?)?;
            count += 1;
        }
        best = best.max(speed(shape, count, begun.elapsed().as_secs_f64()));
    }
    Ok(best)
}
