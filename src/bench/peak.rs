//! The best rate of matrix products on a back end: each of a step's own shapes by itself, and a large square.

use candle_core::{Device, Tensor};
use web_time::Instant;

use super::median;
use crate::engine::{Backend, step_products};
use crate::error::Result;
use crate::gpu::{Gpu, Plan, PlanBuilder, Slice};
use crate::kernels::{Layout, Matmul, Product};
use crate::model::config::LlamaConfig;
use crate::model::lora::Lora;
use crate::record::{NamedProduct, Rate};

/// Side of the square product, for adapters that are programs and for hardware.
const SIDES: [u32; 2] = [512, 2048];
/// A measurement repeats its product until about this many operations are done, on software and on hardware.
const FLOP: [f64; 2] = [5e7, 2e11];

enum Runner {
    Gpu { plan: Plan, end: Slice },
    Cpu { a: Tensor, b: Tensor },
}

struct Contender {
    product: Product,
    variant: String,
    repeats: usize,
    runner: Runner,
    gflop_per_s: Vec<f64>,
}

/// Products and how fast each was, round by round.
pub struct Peak<'a> {
    backend: &'a Backend,
    contenders: Vec<Contender>,
}

impl<'a> Peak<'a> {
    /// For steps over `tokens` tokens, `counted` of which count.
    pub fn new(
        backend: &'a Backend,
        config: &LlamaConfig,
        [tokens, counted]: [usize; 2],
        lora: &Lora,
    ) -> Result<Self> {
        let hardware = matches!(backend, Backend::Gpu(gpu) if !gpu.is_software());
        let (side, wanted) = (SIDES[usize::from(hardware)], FLOP[usize::from(hardware)]);
        let mut products = step_products(config, tokens, counted, lora);
        products.push(Product { matmul: Matmul::new(Layout::Nt, side, side, side), lora: None });
        if matches!(backend, Backend::Cpu) {
            products.retain(|p| p.lora.is_none()); // candle has no product with LoRA's part
        }
        let contender = |product: Product| {
            let repeats = (wanted / product.flop()).ceil() as usize;
            let (runner, variant) = match backend {
                Backend::Gpu(gpu) => on_gpu(gpu, product, repeats)?,
                Backend::Cpu => (on_cpu(product)?, "candle".into()),
            };
            Ok(Contender { product, variant, repeats, runner, gflop_per_s: Vec::new() })
        };
        let contenders = products.into_iter().map(contender).collect::<Result<_>>()?;
        Ok(Self { backend, contenders })
    }

    /// Measures each product once.
    pub async fn round(&mut self) -> Result<()> {
        for c in &mut self.contenders {
            if c.gflop_per_s.is_empty() {
                c.runner.run(self.backend, 1).await?; // compiles
            }
            let begun = Instant::now();
            c.runner.run(self.backend, c.repeats).await?;
            let seconds = begun.elapsed().as_secs_f64();
            c.gflop_per_s.push(c.product.flop() * c.repeats as f64 / seconds / 1e9);
        }
        Ok(())
    }

    /// Medians over the rounds.
    pub fn rates(&self) -> Vec<Rate> {
        let rate = |c: &Contender| Rate {
            product: NamedProduct::of(c.product),
            variant: c.variant.clone(),
            gflop_per_s: median(&c.gflop_per_s),
        };
        self.contenders.iter().map(rate).collect()
    }
}

impl Runner {
    async fn run(&self, backend: &Backend, repeats: usize) -> Result<()> {
        match (self, backend) {
            (Self::Gpu { plan, end }, Backend::Gpu(gpu)) => {
                plan.submit(gpu); // of `repeats` dispatches
                gpu.read::<f32>(end).await?;
            }
            (Self::Cpu { a, b }, _) => {
                for _ in 0..repeats {
                    a.matmul(b)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn on_gpu(gpu: &Gpu, product: Product, repeats: usize) -> Result<(Runner, String)> {
    let Matmul { m, n, k, .. } = product.matmul;
    let (rank, width) = product.lora.map_or((0, 0), |l| (l.rank, l.rank * l.groups));
    let upload = |len: u32| gpu.upload("operand", &vec![0.5f32; len as usize]);
    let operands = [upload(m * k)?, upload(k * n)?, upload(m * width)?, upload(n * rank.max(width))?];
    let out = gpu.buffer("product", (m * n) as usize)?;
    let launch = product.matmul.launch(gpu, product.lora);
    let mut plan = PlanBuilder::new(gpu);
    for _ in 0..repeats {
        launch.record(&mut plan, operands.each_ref(), &out);
    }
    let variant = format!("{:?}", product.matmul.variant(gpu));
    Ok((Runner::Gpu { plan: plan.finish("peak"), end: out.sub(0, 1) }, variant))
}

fn on_cpu(product: Product) -> Result<Runner> {
    let Matmul { m, n, k, layout, .. } = product.matmul;
    let tensor = |rows: u32, columns: u32| {
        let values = vec![0.5f32; (rows * columns) as usize];
        Tensor::from_vec(values, (rows as usize, columns as usize), &Device::Cpu)
    };
    let (a, b) = match layout {
        Layout::Nn => (tensor(m, k)?, tensor(k, n)?),
        Layout::Nt => (tensor(m, k)?, tensor(n, k)?.t()?),
        Layout::Tn => (tensor(k, m)?.t()?, tensor(k, n)?),
    };
    Ok(Runner::Cpu { a, b })
}
