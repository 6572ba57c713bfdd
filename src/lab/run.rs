//! One run: its data, its probes, and its arms in lockstep from one start on the same batches.

use std::collections::BTreeMap;
use std::rc::Rc;

use web_time::Instant;

use super::dataset::Dataset;
use super::looking::Look;
use super::memory;
use super::probes::{New, Probes};
use super::subject::Subject;
use crate::data::batch::{Batch, Sequence};
use crate::data::facts::Fact;
use crate::data::feed::Feed;
use crate::data::instructions::Example;
use crate::data::variants::{Style, pretraining_texts};
use crate::engine::Model;
use crate::error::{Error, Result};
use crate::measure::borrowed::Rows;
use crate::measure::conversation::{self, Question};
use crate::record::*;
use crate::train::Optimizer;
use crate::train::schedule::Schedule;

/// Different texts that a run can replay.
const REPLAYED: usize = 256;

pub struct Run {
    pub id: u32,
    /// Of all arms, of which some may train elsewhere.
    pub settings: Settings,
    /// Whether it answers for the base too.
    pub has_base: bool,
    /// The facts that its probes are drawn from.
    pub facts: Rc<Vec<Fact>>,
    pub feed: Feed,
    pub heldout: Vec<Sequence>,
    /// Held-out questions and their prompts, whose answers are compared with the base.
    pub questions: Vec<(String, Vec<u32>)>,
    /// Held-out questions on facts, for [`Conversation`]; at most as many as are asked of the wall.
    pub conversation: Vec<Question>,
    pub style: Style,
    pub rows: Rows,
    /// The instruction set's row of each training example, and how many rows the set has.
    pub origins: Vec<u32>,
    pub set_rows: u32,
    /// Question and answer of each row that the settings added.
    added: Vec<(String, String)>,
    /// The last measure of each arm.
    pub last: BTreeMap<ArmId, Measure>,
    pub probes: Probes,
    /// Log-probabilities of the wall's objects before the first step.
    pub start_logprobs: Option<Vec<f32>>,
    pub arms: Vec<Arm>,
    pub started: Instant,
}

/// What a run is tested with.
pub struct Tested {
    pub facts: Rc<Vec<Fact>>,
    /// Which facts may be on the walls; all where that is not given.
    pub known: Option<Rc<Vec<bool>>>,
}

/// A model that trains.
pub struct Arm {
    pub spec: ArmSpec,
    schedule: Schedule,
    pub model: Model,
    /// Steps taken.
    pub step: u32,
    /// Whether it is to be measured before it goes on.
    pub is_due: bool,
    /// What answers in its place until its next step: the base with another multiple of its change.
    pub dose: Option<Model>,
    /// What was found of its weights since its last step.
    pub look: Option<Look>,
}

impl Arm {
    pub fn new(spec: &ArmSpec, settings: &Settings, subject: &Subject) -> Result<Self> {
        let tuning = subject.adapters.tuning(spec, u64::from(settings.seed))?;
        let model = subject.base.tune(&tuning, Optimizer::of(spec, settings))?;
        let model = if subject.storage.checkpoint { model.checkpointed() } else { model };
        Ok(Self {
            schedule: Schedule::of(spec, settings.steps),
            spec: spec.clone(),
            model,
            step: 0,
            // What it starts from is not the base.
            is_due: spec.start().is_some(),
            dose: None,
            look: None,
        })
    }

    /// Whether its weights are being looked at, and there is more to see.
    pub fn is_looked_at(&self) -> bool {
        self.look.as_ref().is_some_and(|look| look.intruders().is_none())
    }

    /// The model that answers and is measured now.
    pub fn answering(&mut self) -> &mut Model {
        self.dose.as_mut().unwrap_or(&mut self.model)
    }

    fn replay(&self) -> usize {
        self.spec.regularisers.replay as usize
    }
}

impl Run {
    /// A run that has not begun.
    ///
    /// # Errors
    /// When an example has no response within `max_len`, when a probe is too long for the model, when the run does not fit into memory, and what the back
    /// end refuses.
    pub fn new(
        share: &Share,
        settings: Settings,
        data: Dataset,
        held: &[Example],
        Tested { facts, known }: Tested,
        subject: &Subject,
    ) -> Result<Self> {
        let tokenizer = &subject.tokenizer;
        let max_len = settings.max_len as usize;
        let tokenize = |e: &Example| e.tokenize(tokenizer, max_len);
        let train: Vec<Sequence> = data.examples.iter().map(tokenize).collect::<Result<_>>()?;
        if let Some(row) = train.iter().position(|s| s.targets() == 0) {
            return Err(Error::Format {
                file: "instructions.jsonl".into(),
                field: format!("example {}", data.rows[row] + 1),
                message: format!("its prompt alone fills {max_len} tokens"),
                remedy: "Raise max_len or shorten the prompt".into(),
            });
        }
        let question = |e: &Example| Ok((e.question().to_string(), tokenizer.prompt(&e.prompt)?));
        let rows = Rows::new(&data.examples, &facts);
        let mut talk = conversation::questions(held, &facts, tokenizer)?;
        talk.truncate(settings.asked as usize);
        let known = known.as_deref().map(Vec::as_slice);
        let new = New { facts: &data.new_facts, objects: &subject.facts };
        let probes = Probes::draw(&facts, known, new, &rows, &settings, tokenizer)?;
        probes.check(settings.answer_len as usize, subject.base.config().max_position_embeddings)?;
        let feed = Feed::new(train, settings.batch, settings.accumulate, Some(u64::from(settings.seed)))
            .with_replay(replayed(&data.examples, &settings, subject)?);
        let shape = |arm: &ArmSpec| feed.shape(arm.regularisers.replay as usize);
        memory::check(subject.base.config(), &settings, subject.storage, shape, subject.memory_limit)?;
        let own = settings.arms.iter().filter(|arm| share.has(&arm.id));
        let arms = own.map(|spec| Arm::new(spec, &settings, subject)).collect::<Result<_>>()?;
        Ok(Self {
            id: share.run,
            has_base: share.has(BASE),
            facts,
            feed,
            heldout: held.iter().map(tokenize).collect::<Result<_>>()?,
            questions: held
                .iter()
                .take(settings.shift_prompts as usize)
                .map(question)
                .collect::<Result<_>>()?,
            conversation: talk,
            added: data.added(),
            style: data.style,
            rows,
            set_rows: data.total as u32,
            origins: data.rows,
            last: BTreeMap::new(),
            probes,
            start_logprobs: None,
            arms,
            settings,
            started: Instant::now(),
        })
    }

    /// What the record says of it; `model` is the base's title.
    pub fn info(&self, model: &str) -> Result<RunInfo> {
        let arm = |arm: &Arm| {
            let parameters = arm.model.trainable_parameters() as u64;
            let (rows, time, accumulate) = self.feed.shape(arm.replay());
            Ok(ArmInfo {
                arm: arm.spec.id.clone(),
                trainable_parameters: parameters,
                // A gradient and two moments of four bytes for each.
                optimizer_bytes: parameters * 12,
                memory_bytes: arm.model.memory_plan(rows, time, accumulate)?.map(|plan| plan.total),
            })
        };
        Ok(RunInfo {
            run: self.id,
            settings: self.settings.clone(),
            model: model.into(),
            arms: self.arms.iter().map(arm).collect::<Result<_>>()?,
            facts: self.probes.cells(),
            known: self.probes.known,
            examples: self.feed.len() as u32,
            heldout: self.heldout.len() as u32,
            added: self.added.clone(),
            fork: None,
        })
    }

    /// The place of an arm.
    ///
    /// # Errors
    /// [`Error::Setting`] when there is none of this id.
    pub fn place(&self, id: &str) -> Result<usize> {
        self.arms.iter().position(|arm| arm.spec.id == id).ok_or_else(|| {
            let ids: Vec<&str> = self.arms.iter().map(|arm| arm.spec.id.as_str()).collect();
            Error::Setting {
                field: "arm",
                message: format!("the run has no arm {id:?}"),
                remedy: format!("Use one of {}, or start a run with it", ids.join(", ")),
            }
        })
    }

    /// The held-out questions as the models read them.
    pub fn prompts(&self) -> Vec<Vec<u32>> {
        self.questions.iter().map(|(_, prompt)| prompt.clone()).collect()
    }

    /// Steps that the arm may take before it is measured or done.
    pub fn until_measure(&self, arm: usize) -> u32 {
        let (every, at) = (self.settings.measure_every, self.arms[arm].step);
        (every - at % every).min(self.settings.steps.saturating_sub(at))
    }

    /// Makes ready what the arm's first step runs ([`Model::prepare_step`]).
    pub async fn prepare_step(&mut self, arm: usize) -> Result<()> {
        let arm = &mut self.arms[arm];
        if arm.step > 0 {
            return Ok(());
        }
        let micro = self.feed.step(0, arm.replay());
        arm.model.prepare_step(&micro).await
    }

    /// Trains each of `arms` for `count` steps, or for as many as can be queued: all are queued before the first
    /// result is waited for.
    pub async fn train(&mut self, arms: &[usize], count: u32) -> Result<Vec<StepEvent>> {
        for &arm in arms {
            self.prepare_step(arm).await?;
        }
        let begun = Instant::now();
        let milliseconds =
            |since: Instant, steps: usize| since.elapsed().as_secs_f32() * 1e3 / steps.max(1) as f32;
        let mut queued: Vec<(usize, Vec<StepEvent>)> = Vec::new();
        let mut is_together = false;
        for &arm in arms {
            let pending = self.arms[arm].model.pending_limit() as u32;
            is_together |= pending > 1;
            let begun = Instant::now();
            let mut steps =
                (0..pending.min(count)).map(|_| self.queue(arm)).collect::<Result<Vec<StepEvent>>>()?;
            let ms = milliseconds(begun, steps.len());
            steps.iter_mut().for_each(|step| step.ms = ms);
            queued.push((arm, steps));
        }
        for (arm, steps) in &mut queued {
            let metrics = self.arms[*arm].model.take_metrics().await?;
            for (step, metrics) in steps.iter_mut().zip(metrics) {
                (step.loss, step.grad_norm) = (metrics.loss, metrics.grad_norm);
            }
        }
        for (arm, _) in &queued {
            let Arm { step, .. } = self.arms[*arm];
            self.arms[*arm].is_due = step % self.settings.measure_every == 0 || step == self.settings.steps;
        }
        let mut events: Vec<StepEvent> = queued.into_iter().flat_map(|(_, steps)| steps).collect();
        if is_together {
            // Queued steps run back to back, so that the time of a single one is not known.
            let mean = milliseconds(begun, events.len());
            events.iter_mut().for_each(|step| step.ms = mean);
        }
        Ok(events)
    }

    /// Queues the next step of an arm; its loss is not known yet.
    fn queue(&mut self, arm: usize) -> Result<StepEvent> {
        let arm = &mut self.arms[arm];
        let micro = self.feed.step(arm.step as usize, arm.replay());
        let lr = arm.schedule.rate(arm.step as usize) as f32;
        arm.model.accumulated_step(&micro, lr)?;
        (arm.step, arm.dose, arm.look) = (arm.step + 1, None, None);
        Ok(StepEvent {
            run: self.id,
            arm: arm.spec.id.clone(),
            step: arm.step,
            loss: f32::NAN,
            lr,
            grad_norm: f32::NAN,
            tokens: micro.iter().map(Batch::response_tokens).sum::<usize>() as u32,
            ms: 0.0,
        })
    }
}

/// Pre-training text on the subjects that the set speaks of: what is replayed does not rehearse kept facts, nor a visitor's own.
fn replayed(examples: &[Example], settings: &Settings, subject: &Subject) -> Result<Vec<Sequence>> {
    if settings.arms.iter().all(|arm| arm.regularisers.replay == 0) {
        return Ok(Vec::new());
    }
    let rows = Rows::new(examples, &subject.facts);
    let seen: Vec<&Fact> = subject.facts.iter().filter(|fact| rows.mention(fact)).collect();
    let text = |text: &String| {
        Ok(Sequence::new(&[], &subject.tokenizer.encode_text(text)?, settings.max_len as usize))
    };
    pretraining_texts(&seen, REPLAYED).iter().map(text).collect()
}
