//! A training step: forward, backward, gradient norm and AdamW in one plan.

use std::collections::HashMap;

use super::activations::Activations;
use super::backward::{Backward, Gradients, TokenIndex};
use super::net::{Net, Shape};
use crate::data::batch::Batch;
use crate::engine::StepMetrics;
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Plan, PlanBuilder, Slice};
use crate::kernels::{AdamW, CrossEntropy, FinishStep, PARTIALS, Step, SumSquares, token_index};
use crate::train::Optimizer;

/// The plan of one batch shape and the buffers a step fills.
struct StepPlan {
    tokens: Slice,
    targets: Slice,
    index: TokenIndex,
    plan: Plan,
}

/// Gradients, moments and metrics of an arm, and its step plans.
pub struct Trainer {
    optimizer: Optimizer,
    decayed: usize,
    pub gradients: Slice,
    m: Slice,
    v: Slice,
    step: Slice,
    /// Loss and gradient norm of the last [`Self::RING`] steps.
    ring: Slice,
    taken: u32,
    read: u32,
    plans: HashMap<Shape, StepPlan>,
}

impl Trainer {
    /// Steps whose metrics fit before they must be read.
    pub const RING: usize = 64;

    /// For `words` trained parameters, of which those below `decayed` take weight decay.
    pub fn new(gpu: &Gpu, optimizer: Optimizer, words: usize, decayed: usize) -> Result<Self> {
        Ok(Self {
            optimizer,
            decayed,
            gradients: gpu.buffer("gradients", words)?,
            m: gpu.buffer("first moments", words)?,
            v: gpu.buffer("second moments", words)?,
            step: gpu.buffer("step", size_of::<Step>() / 4)?,
            ring: gpu.buffer("metrics", Self::RING * 2)?,
            taken: 0,
            read: 0,
            plans: HashMap::new(),
        })
    }

    /// Queues one step.
    pub fn step(&mut self, gpu: &Gpu, net: &Net, trained: &Slice, batch: &Batch, lr: f32) -> Result<()> {
        if (self.taken - self.read) as usize >= Self::RING {
            let message = format!("{} steps are queued whose metrics were not taken", Self::RING);
            return Err(Error::Shape { op: "train_step", message });
        }
        let shape = Shape { rows: batch.rows, time: batch.time };
        if !self.plans.contains_key(&shape) {
            let plan = self.plan(gpu, net, trained, shape)?;
            self.plans.insert(shape, plan);
        }
        let p = &self.plans[&shape];
        gpu.write(&p.tokens, &batch.tokens);
        gpu.write(&p.targets, &batch.targets);
        if net.adapter.is_none() {
            let (order, starts, ids) = token_index(&batch.tokens);
            gpu.write(&p.index.order, &order);
            gpu.write(&p.index.starts, &starts);
            gpu.write(&p.index.ids, &ids);
        }
        gpu.write(&self.step, &[self.optimizer.step(self.taken, lr, batch.response_tokens())]);
        p.plan.submit(gpu);
        self.taken += 1;
        Ok(())
    }

    fn plan(&self, gpu: &Gpu, net: &Net, trained: &Slice, shape: Shape) -> Result<StepPlan> {
        let (n, vocab) = (shape.tokens(), net.config.vocab_size);
        let acts = Activations::new(gpu, net, shape, true)?;
        let grads = Gradients::new(gpu, net, shape)?;
        let (tokens, targets) = (gpu.buffer("tokens", n)?, gpu.buffer("targets", n)?);
        let index = TokenIndex {
            order: gpu.buffer("order", n)?,
            starts: gpu.buffer("starts", n + 1)?,
            ids: gpu.buffer("ids", n)?,
        };
        let (nll, position) = (gpu.buffer("nll", n)?, gpu.upload("position", &[0u32])?);
        let (partials, scalars) = (gpu.buffer("partials", PARTIALS as usize)?, gpu.buffer("scalars", 4)?);
        let mut plan = PlanBuilder::new(gpu);
        net.forward(&mut plan, shape, &acts, &tokens, &position, None);
        let (rows, ring) = (n as u32, Self::RING as u32);
        let loss = CrossEntropy { rows, vocab: vocab as u32 };
        loss.backward(&mut plan, &targets, &self.step, &acts.logits, &nll);
        let out = &self.gradients;
        Backward { net, shape, acts: &acts, grads: &grads, out, index: &index, position: &position }
            .record(&mut plan);
        let len = out.words() as u32;
        SumSquares { len }.record(&mut plan, out, &partials);
        FinishStep { rows, ring }.record(&mut plan, &partials, &nll, &self.step, &scalars, &self.ring);
        let adamw = AdamW { len, decayed: self.decayed as u32 };
        adamw.record(&mut plan, out, &self.step, &scalars, trained, &self.m, &self.v);
        Ok(StepPlan { tokens, targets, index, plan: plan.finish("train") })
    }

    /// Waits, and returns the metrics of the steps since the last call.
    pub async fn take_metrics(&mut self, gpu: &Gpu) -> Result<Vec<StepMetrics>> {
        if self.read == self.taken {
            return Ok(Vec::new());
        }
        let ring = gpu.read::<[f32; 2]>(&self.ring).await?;
        let slot = |step: u32| {
            let [loss, grad_norm] = ring[step as usize % Self::RING];
            StepMetrics { loss, grad_norm }
        };
        let metrics = (self.read..self.taken).map(slot).collect();
        self.read = self.taken;
        Ok(metrics)
    }
}
