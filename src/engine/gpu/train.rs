//! A training step: forward, backward, gradient norm and AdamW in one plan; of several micro-batches, whose
//! gradients are summed, in a plan for each and one for the update.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::activations::Activations;
use super::backward::{Backward, Gradients, TokenIndex};
use super::form::{Form, Shape};
use super::head::{Counted, Head, Loss, slots};
use super::memory::MemoryPlan;
use super::net::Net;
use super::to_base::Base;
use super::weights::GpuWeights;
use crate::data::batch::Batch;
use crate::engine::{Progress, StepMetrics};
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Memory, Plan, PlanBuilder, Slice};
use crate::kernels::{
    Accumulate, AdamW, FinishStep, IGNORED, Neftune, PARTIALS, Pull, Step, SumSquares, token_index,
};
use crate::train::Optimizer;

/// What an arm trains with, whatever its batches are.
pub struct State<B = Slice> {
    gradients: B,
    m: B,
    v: B,
    step: B,
    /// Loss and gradient norm of the last [`Trainer::RING`] steps.
    ring: B,
    partials: B,
    scalars: B,
}

impl<B: Clone> State<B> {
    /// For `words` trained parameters.
    ///
    /// # Errors
    /// When a buffer is larger than the adapter allows.
    pub fn new<M: Memory<Buffer = B>>(memory: &M, words: usize) -> Result<Self> {
        Ok(Self {
            gradients: memory.buffer("gradients", words)?,
            m: memory.buffer("first moments", words)?,
            v: memory.buffer("second moments", words)?,
            step: memory.buffer("step", Step::WORDS)?,
            ring: memory.buffer("metrics", Trainer::RING * 2)?,
            partials: memory.buffer("partials", PARTIALS as usize)?,
            scalars: memory.buffer("scalars", 4)?,
        })
    }

    /// Where the gradients of a step's micro-batches are summed.
    ///
    /// # Errors
    /// When it is larger than the adapter allows.
    pub fn total<M: Memory<Buffer = B>>(memory: &M, words: usize) -> Result<B> {
        memory.buffer("gradients in all", words)
    }
}

/// What the passes over batches of one shape need.
pub struct Pass<B = Slice> {
    acts: Activations<B>,
    grads: Gradients<B>,
    head: Head<B>,
    /// The base's, where the loss has the divergence from it.
    base_head: Option<Head<B>>,
    tokens: B,
    index: TokenIndex<B>,
    position: B,
    /// [`Batch::lengths`], (B).
    lengths: B,
    /// Sum over the micro-batches, if there are several; by slot.
    nll_total: Option<B>,
}

impl<B: Clone> Pass<B> {
    /// # Errors
    /// When a buffer is larger than the adapter allows.
    pub fn new<M: Memory<Buffer = B>>(memory: &M, form: Form, shape: Shape, several: bool) -> Result<Self> {
        let n = shape.tokens();
        let acts = Activations::new(memory, form, shape, true)?;
        let (head, base_head) = heads(memory, form, shape)?;
        Ok(Self {
            grads: Gradients::new(memory, form, shape, &acts)?,
            acts,
            head,
            base_head,
            tokens: memory.buffer("tokens", n)?,
            index: TokenIndex::new(memory, n)?,
            position: memory.buffer("position", 1)?,
            lengths: memory.buffer("lengths", shape.rows)?,
            nll_total: several.then(|| memory.buffer("nll in all", n)).transpose()?,
        })
    }
}

/// The arm's head, and the base's where the loss has the divergence from it.
type Heads<B> = (Head<B>, Option<Head<B>>);

/// # Errors
/// When a buffer is larger than the adapter allows.
pub fn heads<M: Memory>(memory: &M, form: Form, shape: Shape) -> Result<Heads<M::Buffer>> {
    let (config, n) = (form.config, shape.tokens());
    let head = Head::new(memory, config, n, true)?;
    let base = form.to_base.then(|| head.of_base(memory, config, n)).transpose()?;
    Ok((head, base))
}

/// A step for a number of slots of the head.
struct StepPlan {
    /// The whole step; of several micro-batches: the passes over one of them.
    plan: Plan,
    /// Of several micro-batches: the update after the last.
    update: Option<Plan>,
}

/// A [`StepPlan`] before it is finished.
struct Recorded<'a> {
    plan: PlanBuilder<'a>,
    update: Option<PlanBuilder<'a>>,
}

/// A batch shape, and whether several micro-batches make up a step.
type PassKey = (Shape, bool);

/// Gradients, moments and metrics of an arm, and its step plans.
pub struct Trainer {
    optimizer: Optimizer,
    decayed: usize,
    state: State,
    /// The weights that training began with, where it is pulled back to them.
    start: Option<Slice>,
    /// What the loss keeps the arm close to.
    base: Option<Base>,
    /// Sum of the gradients of a step's micro-batches; made when first needed.
    total: Option<Slice>,
    taken: u32,
    read: u32,
    passes: HashMap<PassKey, Pass>,
    plans: HashMap<(PassKey, usize), StepPlan>,
}

impl Trainer {
    /// Steps whose metrics fit before they must be read.
    pub const RING: usize = 64;

    /// For `words` trained parameters, of which those below `decayed` take weight decay; `start` is what full
    /// tuning is pulled back to, `base` what the loss keeps an arm close to.
    pub fn new(
        gpu: &Gpu,
        optimizer: Optimizer,
        words: usize,
        decayed: usize,
        start: Option<Slice>,
        base: Option<Base>,
    ) -> Result<Self> {
        let state = State::new(gpu, words)?;
        let (passes, plans) = (HashMap::new(), HashMap::new());
        Ok(Self { optimizer, decayed, state, start, base, total: None, taken: 0, read: 0, passes, plans })
    }

    /// The plan of a step over one batch of this shape, if there was one.
    pub fn step_plan(&self, shape: Shape, slots: usize) -> Option<&Plan> {
        self.plans.get(&((shape, false), slots)).map(|p| &p.plan)
    }

    /// What the buffers of this arm's passes are sized by.
    pub fn form<'a>(&self, net: &'a Net) -> Form<'a> {
        Form { to_base: self.base.is_some(), ..net.form() }
    }

    /// Steps taken.
    pub fn taken(&self) -> u32 {
        self.taken
    }

    /// The gradients of the last step.
    pub fn gradients(&self) -> &Slice {
        self.total.as_ref().unwrap_or(&self.state.gradients)
    }

    /// What has been trained so far.
    pub async fn progress(&self, weights: &GpuWeights) -> Result<Progress> {
        Ok(Progress {
            step: self.taken,
            trained: weights.named(weights.trained()).await?,
            first: weights.named(&self.state.m).await?,
            second: weights.named(&self.state.v).await?,
        })
    }

    /// Goes on from there.
    pub async fn restore(&mut self, weights: &GpuWeights, progress: &Progress) -> Result<()> {
        weights.put(weights.trained(), &progress.trained).await?;
        weights.put(&self.state.m, &progress.first).await?;
        weights.put(&self.state.v, &progress.second).await?;
        (self.taken, self.read) = (progress.step, progress.step);
        Ok(())
    }

    /// Queues one step over micro-batches of one shape with `counted` response tokens in all.
    pub fn step(&mut self, weights: &GpuWeights, micro: &[Batch], counted: usize, lr: f32) -> Result<()> {
        let (gpu, net, trained) = (&*weights.gpu, &weights.net(), weights.trained());
        if (self.taken - self.read) as usize >= Self::RING {
            let message = format!("{} steps are queued whose metrics were not taken", Self::RING);
            return Err(Error::Shape { op: "train_step", message });
        }
        let (key, slots) = self.make_pass(gpu, net, micro)?;
        if !self.plans.contains_key(&(key, slots)) {
            let Recorded { plan, update } = self.record(gpu, net, trained, key, slots);
            let update = update.map(|update| update.finish("update"));
            self.plans.insert((key, slots), StepPlan { plan: plan.finish("train"), update });
        }
        let (pass, p) = (&self.passes[&key], &self.plans[&(key, slots)]);
        for (batch, index) in micro.iter().zip(0..) {
            gpu.write(&pass.tokens, &batch.tokens);
            let rows = Counted::new(&batch.targets, slots);
            gpu.write(&pass.head.rows, &rows.rows);
            gpu.write(&pass.head.slots, &rows.slots);
            gpu.write(&pass.head.targets, &rows.targets);
            if net.adapter.is_none() {
                let learns =
                    |&token: &u32| if Some(token) == net.config.pad_token_id { IGNORED } else { token };
                let (order, starts, ids) = token_index(&batch.tokens.iter().map(learns).collect::<Vec<_>>());
                gpu.write(&pass.index.order, &order);
                gpu.write(&pass.index.starts, &starts);
                gpu.write(&pass.index.ids, &ids);
            }
            gpu.write(&pass.lengths, &batch.lengths());
            gpu.write(&self.state.step, &[self.optimizer.step(self.taken, index, lr, counted)]);
            p.plan.submit(gpu);
        }
        if let Some(update) = &p.update {
            update.submit(gpu);
        }
        self.taken += 1;
        Ok(())
    }

    /// Makes the plan of such a step ahead of it, with pauses ([`PlanBuilder::finish_with_pauses`]).
    pub async fn prepare(&mut self, weights: &GpuWeights, micro: &[Batch]) -> Result<()> {
        let (gpu, net, trained) = (&*weights.gpu, &weights.net(), weights.trained());
        let (key, slots) = self.make_pass(gpu, net, micro)?;
        if !self.plans.contains_key(&(key, slots)) {
            let Recorded { plan, update } = self.record(gpu, net, trained, key, slots);
            let plan = plan.finish_with_pauses("train").await;
            let update = match update {
                Some(update) => Some(update.finish_with_pauses("update").await),
                None => None,
            };
            self.plans.insert((key, slots), StepPlan { plan, update });
        }
        Ok(())
    }

    /// Makes the buffers that steps over such micro-batches need, if the adapter allows all of them, and says which
    /// of the plans they take.
    fn make_pass(&mut self, gpu: &Gpu, net: &Net, micro: &[Batch]) -> Result<(PassKey, usize)> {
        let shapes: Vec<Shape> = micro.iter().map(|b| Shape { rows: b.rows, time: b.time }).collect();
        let (shape, several) = (shapes[0], micro.len() > 1);
        if shapes.iter().any(|s| *s != shape) {
            let message = format!("the micro-batches of a step differ in shape: {shapes:?}");
            return Err(Error::Shape { op: "train_step", message });
        }
        let key = (shape, several);
        if !self.passes.contains_key(&key) {
            let plan = MemoryPlan::new(self.form(net), net.layout, shape, several, gpu.choices().head_bytes)?;
            plan.check(&gpu.limits, net.adapter.is_none())?;
        }
        if several && self.total.is_none() {
            self.total = Some(State::total(gpu, self.state.gradients.words())?);
        } else if !several {
            self.total = None;
            self.passes.retain(|(_, several), _| !several);
            self.plans.retain(|((_, several), _), _| !several);
        }
        let form = self.form(net);
        if let Entry::Vacant(missing) = self.passes.entry(key) {
            missing.insert(Pass::new(gpu, form, shape, several)?);
        }
        let most = micro.iter().map(Batch::response_tokens).max().unwrap_or(0);
        Ok((key, slots(most, shape.tokens())))
    }

    /// Forward, backward and update in one plan, or in two if gradients are summed in between.
    fn record<'g>(
        &self,
        gpu: &'g Gpu,
        net: &Net,
        trained: &Slice,
        key: PassKey,
        slots: usize,
    ) -> Recorded<'g> {
        let pass = &self.passes[&key];
        let Pass { acts, grads, head, tokens, index, position, lengths, nll_total, .. } = pass;
        let (shape, out) = (key.0, &self.state.gradients);
        let mut plan = PlanBuilder::new(gpu);
        let base = self.base.as_ref().zip(pass.base_head.as_ref());
        let base = base.map(|(base, head)| (base.net(net), head, base.strength));
        let base = base
            .as_ref()
            .map(|(net, head, strength)| (Loss { net, head, slots, normed: &acts.normed }, *strength));
        if let Some((base, _)) = &base {
            base.run_base(&mut plan, shape, tokens, position, acts);
        }
        net.measure_rows(&mut plan);
        net.embed(&mut plan, shape, tokens, &acts.layers[0].x);
        if self.optimizer.neftune > 0.0 {
            let (batch, time, alpha) = (shape.rows as u32, shape.time as u32, self.optimizer.neftune);
            let noise = Neftune { batch, time, width: net.config.hidden_size as u32, alpha };
            noise.record(&mut plan, lengths, &self.state.step, &acts.layers[0].x);
        }
        net.layers(&mut plan, shape, acts, position, None);
        let block = &net.layout.head;
        let dhead = net.adapter.is_none().then(|| out.sub(block.start, block.len()));
        let loss = Loss { net, head, slots, normed: &acts.normed };
        let base = base.as_ref().map(|(base, strength)| (base, *strength));
        loss.backward(&mut plan, &self.state.step, base, &grads.dnormed, dhead.as_ref());
        Backward { net, shape, acts, grads, out, index, position }.record(&mut plan);
        let nll = head.nll.sub(0, slots);
        let (Some(total), Some(nll_total)) = (&self.total, nll_total) else {
            self.record_update(&mut plan, out, &nll, trained);
            return Recorded { plan, update: None };
        };
        let nll_total = nll_total.sub(0, slots);
        Accumulate { len: out.words() as u32 }.record(&mut plan, out, &self.state.step, total);
        Accumulate { len: slots as u32 }.record(&mut plan, &nll, &self.state.step, &nll_total);
        let mut update = PlanBuilder::new(gpu);
        self.record_update(&mut update, total, &nll_total, trained);
        Recorded { plan, update: Some(update) }
    }

    /// Gradient norm, metrics and AdamW.
    fn record_update(&self, plan: &mut PlanBuilder, gradients: &Slice, nll: &Slice, trained: &Slice) {
        let State { partials, scalars, step, ring, m, v, .. } = &self.state;
        let len = gradients.words() as u32;
        SumSquares { len }.record(plan, gradients, partials);
        let finish = FinishStep { rows: nll.words() as u32, ring: Self::RING as u32 };
        finish.record(plan, partials, nll, step, scalars, ring);
        let adamw = AdamW { len, decayed: self.decayed as u32 };
        adamw.record(plan, gradients, step, scalars, trained, m, v);
        if let Some(start) = &self.start {
            Pull { len, strength: self.optimizer.pull }.record(plan, start, step, trained);
        }
    }

    /// Waits, and returns the metrics of the steps since the last call.
    pub async fn take_metrics(&mut self, gpu: &Gpu) -> Result<Vec<StepMetrics>> {
        if self.read == self.taken {
            return Ok(Vec::new());
        }
        let ring = gpu.read::<[f32; 2]>(&self.state.ring).await?;
        let slot = |step: u32| {
            let [loss, grad_norm] = ring[step as usize % Self::RING];
            StepMetrics { loss, grad_norm }
        };
        let metrics = (self.read..self.taken).map(slot).collect();
        self.read = self.taken;
        Ok(metrics)
    }
}
