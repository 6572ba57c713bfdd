//! A training step: forward, backward, gradient norm and AdamW in one plan; of several micro-batches, whose
//! gradients are summed, in a plan for each and one for the update.

use std::collections::HashMap;

use super::activations::Activations;
use super::backward::{Backward, Gradients, TokenIndex};
use super::net::{Net, Shape};
use crate::data::batch::Batch;
use crate::engine::StepMetrics;
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Plan, PlanBuilder, Slice};
use crate::kernels::{
    Accumulate, AdamW, CrossEntropy, FinishStep, IGNORED, PARTIALS, Step, SumSquares, token_index,
};
use crate::train::Optimizer;

/// The plan of one batch shape and the buffers a step fills.
struct StepPlan {
    tokens: Slice,
    targets: Slice,
    index: TokenIndex,
    /// The whole step; of several micro-batches: the passes over one of them.
    plan: Plan,
    /// Of several micro-batches: the update behind the last.
    update: Option<Plan>,
}

/// A batch shape, and whether several micro-batches make up a step.
type PlanKey = (Shape, bool);

/// Gradients, moments and metrics of an arm, and its step plans.
pub struct Trainer {
    optimizer: Optimizer,
    decayed: usize,
    gradients: Slice,
    /// Sum of the gradients of a step's micro-batches; made when first needed.
    total: Option<Slice>,
    m: Slice,
    v: Slice,
    step: Slice,
    /// Loss and gradient norm of the last [`Self::RING`] steps.
    ring: Slice,
    taken: u32,
    read: u32,
    plans: HashMap<PlanKey, StepPlan>,
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
            total: None,
            m: gpu.buffer("first moments", words)?,
            v: gpu.buffer("second moments", words)?,
            step: gpu.buffer("step", size_of::<Step>() / 4)?,
            ring: gpu.buffer("metrics", Self::RING * 2)?,
            taken: 0,
            read: 0,
            plans: HashMap::new(),
        })
    }

    /// The plan of a step over one batch of this shape, if there was one.
    pub fn step_plan(&self, shape: Shape) -> Option<&Plan> {
        self.plans.get(&(shape, false)).map(|p| &p.plan)
    }

    /// The gradients of the last step.
    pub fn gradients(&self) -> &Slice {
        self.total.as_ref().unwrap_or(&self.gradients)
    }

    /// Queues one step over micro-batches of one shape with `counted` response tokens in all.
    pub fn step(
        &mut self,
        gpu: &Gpu,
        net: &Net,
        trained: &Slice,
        micro: &[Batch],
        counted: usize,
        lr: f32,
    ) -> Result<()> {
        let error = |message: String| Error::Shape { op: "train_step", message };
        if (self.taken - self.read) as usize >= Self::RING {
            return Err(error(format!("{} steps are queued whose metrics were not taken", Self::RING)));
        }
        let shapes: Vec<Shape> = micro.iter().map(|b| Shape { rows: b.rows, time: b.time }).collect();
        let shape = shapes[0];
        if shapes.iter().any(|s| *s != shape) {
            return Err(error(format!("the micro-batches of a step differ in shape: {shapes:?}")));
        }
        let key = (shape, micro.len() > 1);
        if key.1 && self.total.is_none() {
            self.total = Some(gpu.buffer("gradients in all", self.gradients.words())?);
        } else if !key.1 {
            self.total = None;
            self.plans.retain(|(_, several), _| !several);
        }
        if !self.plans.contains_key(&key) {
            let plan = self.plan(gpu, net, trained, shape)?;
            self.plans.insert(key, plan);
        }
        let p = &self.plans[&key];
        for (batch, index) in micro.iter().zip(0..) {
            gpu.write(&p.tokens, &batch.tokens);
            gpu.write(&p.targets, &batch.targets);
            if net.adapter.is_none() {
                let learns =
                    |&token: &u32| if Some(token) == net.config.pad_token_id { IGNORED } else { token };
                let (order, starts, ids) = token_index(&batch.tokens.iter().map(learns).collect::<Vec<_>>());
                gpu.write(&p.index.order, &order);
                gpu.write(&p.index.starts, &starts);
                gpu.write(&p.index.ids, &ids);
            }
            let step = Step { micro: index, ..self.optimizer.step(self.taken, lr, counted) };
            gpu.write(&self.step, &[step]);
            p.plan.submit(gpu);
        }
        if let Some(update) = &p.update {
            update.submit(gpu);
        }
        self.taken += 1;
        Ok(())
    }

    /// Forward, backward and update in one plan, or in two if gradients are summed in between.
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
        let mut plan = PlanBuilder::new(gpu);
        net.measure_rows(&mut plan);
        net.forward(&mut plan, shape, &acts, &tokens, &position, None);
        let loss = CrossEntropy { rows: n as u32, vocab: vocab as u32 };
        loss.backward(&mut plan, &targets, &self.step, &acts.logits, &nll);
        let out = &self.gradients;
        Backward { net, shape, acts: &acts, grads: &grads, out, index: &index, position: &position }
            .record(&mut plan);
        let Some(total) = &self.total else {
            self.record_update(&mut plan, out, &nll, trained)?;
            return Ok(StepPlan { tokens, targets, index, plan: plan.finish("train"), update: None });
        };
        let nll_total = gpu.buffer("nll in all", n)?;
        Accumulate { len: out.words() as u32 }.record(&mut plan, out, &self.step, total);
        Accumulate { len: n as u32 }.record(&mut plan, &nll, &self.step, &nll_total);
        let mut update = PlanBuilder::new(gpu);
        self.record_update(&mut update, total, &nll_total, trained)?;
        let (plan, update) = (plan.finish("micro-batch"), Some(update.finish("update")));
        Ok(StepPlan { tokens, targets, index, plan, update })
    }

    /// Gradient norm, metrics and AdamW.
    fn record_update(
        &self,
        plan: &mut PlanBuilder,
        gradients: &Slice,
        nll: &Slice,
        trained: &Slice,
    ) -> Result<()> {
        let gpu = plan.gpu;
        let (partials, scalars) = (gpu.buffer("partials", PARTIALS as usize)?, gpu.buffer("scalars", 4)?);
        let (rows, ring) = (nll.words() as u32, Self::RING as u32);
        let len = gradients.words() as u32;
        SumSquares { len }.record(plan, gradients, &partials);
        FinishStep { rows, ring }.record(plan, &partials, nll, &self.step, &scalars, &self.ring);
        let adamw = AdamW { len, decayed: self.decayed as u32 };
        adamw.record(plan, gradients, &self.step, &scalars, trained, &self.m, &self.v);
        Ok(())
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
