//! Forward passes over whole sequences, and what is measured on them.

use std::collections::HashMap;

use super::activations::Activations;
use super::form::Shape;
use super::head::{Counted, Head, Loss, slots};
use super::net::Net;
use crate::data::batch::Batch;
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Plan, PlanBuilder, Slice};
use crate::kernels::Shift;

/// Blocks of rows begin at multiples of this: then they begin at multiples of 256 bytes.
const ROWS: usize = 64;

/// The forward pass of one batch shape, up to what the head reads.
pub struct Forward {
    shape: Shape,
    tokens: Slice,
    /// (N,C).
    normed: Slice,
    head: Head,
    plan: Plan,
    /// Gathered rows to their nll, by number of slots.
    losses: HashMap<usize, Plan>,
    /// All logits (N,V) and their plan; made when first asked for.
    logits: Option<(Slice, Plan)>,
}

impl Forward {
    pub async fn new(gpu: &Gpu, net: &Net<'_>, shape: Shape) -> Result<Self> {
        let n = shape.tokens();
        let acts = Activations::new(gpu, net.form(), shape, false)?;
        let head = Head::new(gpu, net.config, n, false)?;
        let (tokens, position) = (gpu.buffer("tokens", n)?, gpu.buffer("position", 1)?);
        let mut plan = PlanBuilder::new(gpu);
        net.measure_rows(&mut plan);
        net.forward(&mut plan, shape, &acts, &tokens, &position, None);
        let (plan, normed) = (plan.finish_with_pauses("forward").await, acts.normed);
        Ok(Self { shape, tokens, normed, head, plan, losses: HashMap::new(), logits: None })
    }

    /// Queues the pass and names the rows whose target counts.
    pub fn run(&self, gpu: &Gpu, batch: &Batch) -> Counted {
        let counted = Counted::new(&batch.targets, slots(batch.response_tokens(), self.shape.tokens()));
        gpu.write(&self.tokens, &batch.tokens);
        gpu.write(&self.head.rows, &counted.rows);
        gpu.write(&self.head.targets, &counted.targets);
        self.plan.submit(gpu);
        counted
    }

    /// Negative log-likelihood of the targets of the last [`Self::run`], 0 where there is none; (N), nats.
    pub async fn nll(&mut self, gpu: &Gpu, net: &Net<'_>, counted: &Counted) -> Result<Vec<f32>> {
        let slots = counted.rows.len();
        if !self.losses.contains_key(&slots) {
            let mut plan = PlanBuilder::new(gpu);
            Loss { net, head: &self.head, slots, normed: &self.normed }.forward(&mut plan);
            self.losses.insert(slots, plan.finish_with_pauses("nll").await);
        }
        self.losses[&slots].submit(gpu);
        let nll: Vec<f32> = gpu.read(&self.head.nll.sub(0, slots)).await?;
        Ok(counted.slots.iter().map(|&slot| nll.get(slot as usize).copied().unwrap_or(0.0)).collect())
    }

    /// What [`Self::run`] and [`Self::nll`] submit.
    pub fn plans(&self, slots: usize) -> Vec<&Plan> {
        [Some(&self.plan), self.losses.get(&slots)].into_iter().flatten().collect()
    }

    /// Queues the logits of all rows of the last [`Self::run`], (N,V).
    pub fn logits(&mut self, gpu: &Gpu, net: &Net) -> Result<Slice> {
        let (logits, plan) = match self.logits.take() {
            Some(made) => made,
            None => {
                check_logits(gpu, net, self.shape.tokens())?;
                let logits = gpu.buffer("logits", self.shape.tokens() * net.config.vocab_size)?;
                let mut plan = PlanBuilder::new(gpu);
                net.logits(&mut plan, &self.normed, &logits);
                (logits, plan.finish("logits"))
            }
        };
        plan.submit(gpu);
        Ok(self.logits.insert((logits, plan)).0.clone())
    }
}

/// Whole rows of logits bind the whole output layer, and `rows` rows of the vocabulary.
///
/// # Errors
/// [`Error::OutOfMemory`] when the adapter binds less.
fn check_logits(gpu: &Gpu, net: &Net, rows: usize) -> Result<()> {
    let limit = gpu.limits.max_storage_buffer_binding_size;
    let head = net.weight(&net.layout.head).size;
    let logits = (rows * net.config.vocab_size) as u64 * 4;
    let refuse = |buffer: &str, needed: u64, remedy: &str| {
        Err(Error::OutOfMemory { buffer: buffer.into(), needed, limit, remedy: remedy.into() })
    };
    match () {
        () if head > limit => {
            refuse("lm_head", head, "Use --weights f16, the CPU engine, or a smaller vocabulary")
        }
        () if logits > limit => refuse("logits", logits, "Use fewer tokens, or the CPU engine"),
        () => Ok(()),
    }
}

/// Compares a model's logits with another's where targets count, some rows at a time.
pub struct ShiftPlan {
    out: Slice,
    plan: Plan,
}

impl ShiftPlan {
    /// For KL(of || from) and the rank of targets under `from`; without a `from` the model is compared with itself,
    /// and one set of logits serves as both.
    pub async fn new(
        gpu: &Gpu,
        of: (&Net<'_>, &Forward),
        from: Option<(&Net<'_>, &Forward)>,
        slots: usize,
    ) -> Result<Self> {
        let vocab = of.0.config.vocab_size;
        let allowed = (gpu.choices().head_bytes / 4) as usize / vocab / ROWS * ROWS;
        let block = allowed.max(ROWS).min(slots);
        check_logits(gpu, of.0, block)?;
        let mut models = vec![(of, gpu.buffer("logits", block * vocab)?)];
        if let Some(from) = from {
            models.push((from, gpu.buffer("other logits", block * vocab)?));
        }
        let out = gpu.buffer("shift", slots * 4)?;
        let mut plan = PlanBuilder::new(gpu);
        for ((net, f), _) in &models {
            Loss { net, head: &f.head, slots, normed: &f.normed }.gather(&mut plan);
        }
        for start in (0..slots).step_by(block) {
            let rows = block.min(slots - start);
            let part = |whole: &Slice, width: usize| whole.sub(start * width, rows * width);
            let logits: Vec<Slice> = models.iter().map(|(_, logits)| logits.sub(0, rows * vocab)).collect();
            for (((net, f), _), logits) in models.iter().zip(&logits) {
                net.logits(&mut plan, &part(&f.head.gathered, net.config.hidden_size), logits);
            }
            let op = Shift { rows: rows as u32, vocab: vocab as u32 };
            let (targets, out) = (part(&of.1.head.targets, 1), part(&out, 4));
            op.record(&mut plan, &logits[0], &logits[logits.len() - 1], &targets, &out);
        }
        Ok(Self { out, plan: plan.finish_with_pauses("shift").await })
    }

    /// Four words for each row, zeros where no target counts.
    pub async fn run(&self, gpu: &Gpu, counted: &Counted) -> Result<Vec<[f32; 4]>> {
        self.plan.submit(gpu);
        let words: Vec<[f32; 4]> = gpu.read(&self.out).await?;
        Ok(counted.slots.iter().map(|&slot| words.get(slot as usize).copied().unwrap_or_default()).collect())
    }
}
