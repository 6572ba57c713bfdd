//! Two arms in lockstep: the same start, the same batches, the same measures.

use std::collections::HashMap;
use std::rc::Rc;

use web_time::Instant;

use super::dataset::Dataset;
use super::event::*;
use super::probes::Probes;
use super::settings::{ArmName, Settings};
use crate::data::batch::{Batch, Sequence};
use crate::data::facts::Fact;
use crate::data::feed::Feed;
use crate::data::instructions::{self, Example};
use crate::data::variants::{Style, pretraining_texts};
use crate::engine::{Backend, Model, Tuning};
use crate::error::{Error, Result};
use crate::measure::borrowed::Rows;
use crate::measure::conversation::{self, Question};
use crate::model::tokenizer::Tokenizer;
use crate::model::weights::Weights;
use crate::train::AdapterStart;

/// Different texts that a run can replay.
const REPLAYED: usize = 256;

/// What all runs share: the base and what it was pre-trained to know.
pub struct Lab {
    /// The model's name and size, for the record.
    pub title: String,
    pub tokenizer: Tokenizer,
    pub facts: Rc<Vec<Fact>>,
    pub base: Model,
    /// Where the base runs.
    pub backend: Backend,
    /// The base's weights, once they were asked for.
    pub(super) weights: Option<Rc<Weights>>,
    pub(super) run: Option<Run>,
    runs: u32,
}

/// One run: its data, its probes and its arms.
pub(super) struct Run {
    pub id: u32,
    pub settings: Settings,
    pub facts: Rc<Vec<Fact>>,
    pub feed: Feed,
    pub heldout: Vec<Sequence>,
    /// Held-out questions and their prompts, whose answers are compared with the base.
    pub questions: Vec<(String, Vec<u32>)>,
    /// Held-out questions on facts, for [`Conversation`]; as many as are asked of the wall at most.
    pub conversation: Vec<Question>,
    pub style: Style,
    pub rows: Rows,
    /// The instruction set's row of each training example, and how many rows the set has.
    pub origins: Vec<u32>,
    pub set_rows: u32,
    /// The last measure of each arm.
    pub last: HashMap<ArmName, Measure>,
    pub probes: Probes,
    /// Log-probabilities of the wall's objects before the first step.
    pub start_logprobs: Option<Vec<f32>>,
    pub arms: Vec<Arm>,
    started: Instant,
}

/// One of the two models that train.
pub(super) struct Arm {
    pub name: ArmName,
    pub model: Model,
    pub lr: f32,
    /// Steps taken.
    pub step: u32,
}

impl Lab {
    /// `base` runs on `backend`.
    pub fn new(title: String, tokenizer: Tokenizer, facts: Vec<Fact>, base: Model, backend: Backend) -> Self {
        Self { title, tokenizer, facts: Rc::new(facts), base, backend, weights: None, run: None, runs: 0 }
    }

    /// Begins a new run; on an error the current one stays.
    pub async fn start(&mut self, settings: Settings, instructions: &str, heldout: &str) -> Result<RunInfo> {
        settings.validate()?;
        let set = instructions::parse(instructions, "instructions.jsonl")?;
        let held = instructions::parse(heldout, "heldout.jsonl")?;
        let data = Dataset::new(set, &settings, &mut self.base, &self.tokenizer).await?;
        let added = data.added();
        let run = self.prepare(settings, data, &held)?;
        let info = RunInfo {
            run: run.id,
            settings: run.settings.clone(),
            model: self.title.clone(),
            arms: run.arms.iter().map(|arm| arm_info(arm, &run.feed)).collect::<Result<_>>()?,
            facts: run.probes.cells(),
            examples: run.feed.len() as u32,
            heldout: run.heldout.len() as u32,
            added,
        };
        self.runs += 1;
        self.run = Some(run);
        Ok(info)
    }

    fn prepare(&self, settings: Settings, data: Dataset, held: &[Example]) -> Result<Run> {
        let max_len = settings.max_len as usize;
        let tokenize = |e: &Example| e.tokenize(&self.tokenizer, max_len);
        let train: Vec<Sequence> = data.examples.iter().map(tokenize).collect::<Result<_>>()?;
        if let Some(row) = train.iter().position(|s| s.targets() == 0) {
            return Err(Error::Format {
                file: "instructions.jsonl".into(),
                field: format!("example {}", data.rows[row] + 1),
                message: format!("its prompt alone fills {max_len} tokens"),
                remedy: "Raise max_len or shorten the prompt".into(),
            });
        }
        let question = |e: &Example| Ok((e.question().to_string(), self.tokenizer.prompt(&e.prompt)?));
        let rows = Rows::new(&data.examples, &self.facts);
        let mut talk = conversation::questions(held, &self.facts, &self.tokenizer)?;
        talk.truncate(settings.asked as usize);
        let probes = Probes::draw(&self.facts, &data.new_facts, &rows, &settings, &self.tokenizer)?;
        let arms = settings.arms.iter().map(|&name| self.arm(name, &settings)).collect::<Result<_>>()?;
        let feed = Feed::new(train, settings.batch, settings.accumulate, Some(u64::from(settings.seed)));
        Ok(Run {
            id: self.runs + 1,
            facts: self.facts.clone(),
            feed: feed.with_replay(self.replayed(&rows, &settings)?, settings.replay),
            heldout: held.iter().map(tokenize).collect::<Result<_>>()?,
            questions: held
                .iter()
                .take(settings.shift_prompts as usize)
                .map(question)
                .collect::<Result<_>>()?,
            conversation: talk,
            style: data.style,
            rows,
            set_rows: data.total as u32,
            origins: data.rows,
            last: HashMap::new(),
            probes,
            start_logprobs: None,
            arms,
            settings,
            started: Instant::now(),
        })
    }

    /// Pre-training text on the subjects that the set speaks of: what is replayed does not rehearse kept facts.
    fn replayed(&self, rows: &Rows, settings: &Settings) -> Result<Vec<Sequence>> {
        if settings.replay == 0 {
            return Ok(Vec::new());
        }
        let seen: Vec<&Fact> = self.facts.iter().filter(|fact| rows.mention(fact)).collect();
        let text =
            |text: &String| Ok(Sequence::new(&[], &self.tokenizer.encode(text)?, settings.max_len as usize));
        pretraining_texts(&seen, REPLAYED).iter().map(text).collect()
    }

    fn arm(&self, name: ArmName, settings: &Settings) -> Result<Arm> {
        let (tuning, lr) = match name {
            ArmName::Lora => {
                let start = AdapterStart::Seed(u64::from(settings.seed));
                (Tuning::Lora { lora: settings.lora(), start }, settings.lr_lora)
            }
            ArmName::Full => (Tuning::Full, settings.lr_full),
            ArmName::Base => {
                return Err(Error::Setting {
                    field: "arms",
                    message: "the base does not train".into(),
                    remedy: "Choose lora, full or both".into(),
                });
            }
        };
        Ok(Arm { name, model: self.base.tune(&tuning, settings.optimizer())?, lr, step: 0 })
    }

    /// The base and the arms of the current run.
    pub fn all_models(&self) -> Vec<ArmName> {
        let arms = self.run.iter().flat_map(|run| run.arms.iter().map(|a| a.name));
        [ArmName::Base].into_iter().chain(arms).collect()
    }

    pub(super) fn current(&mut self) -> Result<(&mut Run, &mut Model, &Tokenizer)> {
        match &mut self.run {
            Some(run) => Ok((run, &mut self.base, &self.tokenizer)),
            None => Err(Error::Setting {
                field: "run",
                message: "no run was started".into(),
                remedy: "Start one first".into(),
            }),
        }
    }

    pub fn settings(&self) -> Option<&Settings> {
        self.run.as_ref().map(|run| &run.settings)
    }

    /// Whether every arm has taken all its steps.
    pub fn is_done(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.arms.iter().all(|a| a.step >= run.settings.steps))
    }

    /// The [`Event::Done`] of the current run.
    pub fn done(&self) -> Option<Event> {
        let run = self.run.as_ref()?;
        Some(Event::Done { run: run.id, seconds: run.started.elapsed().as_secs_f32() })
    }

    /// The arms that take part and still have steps to take.
    pub fn open_arms(&self, only: Option<ArmName>) -> Vec<ArmName> {
        let Some(run) = &self.run else { return Vec::new() };
        let open = |a: &&Arm| a.step < run.settings.steps && only.is_none_or(|o| o == a.name);
        run.arms.iter().filter(open).map(|a| a.name).collect()
    }

    /// Steps that `arm` may take before it is to be measured or done.
    pub fn until_measure(&self, arm: ArmName) -> u32 {
        let Some(run) = &self.run else { return 0 };
        let every = run.settings.measure_every;
        let at = run.arms.iter().find(|a| a.name == arm).map_or(0, |a| a.step);
        (every - at % every).min(run.settings.steps.saturating_sub(at))
    }

    /// Whether `arm` is due for a measurement.
    pub fn is_due(&self, arm: ArmName) -> bool {
        let Some(run) = &self.run else { return false };
        let at = run.arms.iter().find(|a| a.name == arm).map_or(0, |a| a.step);
        at % run.settings.measure_every == 0 || at == run.settings.steps
    }

    /// Compiles what the first step of a run with these settings needs: of its first arm, for which a visitor waits
    /// first.
    pub async fn warm_up(&self, settings: &Settings) -> Result<()> {
        settings.validate()?;
        let (Backend::Gpu(_), Some(&first)) = (&self.backend, settings.arms.first()) else { return Ok(()) };
        let blank = Batch::new(&[], settings.batch as usize, settings.max_len as usize);
        let micro = vec![blank; settings.accumulate as usize];
        self.arm(first, settings)?.model.prepare_step(&micro).await
    }

    /// Makes ready what the first step of each of `arms` runs ([`Model::prepare_step`]).
    pub async fn prepare_steps(&mut self, arms: &[ArmName]) -> Result<()> {
        let Run { feed, arms: all, .. } = self.current()?.0;
        for arm in all.iter_mut().filter(|arm| arm.step == 0 && arms.contains(&arm.name)) {
            arm.model.prepare_step(&feed.step(0)).await?;
        }
        Ok(())
    }

    /// Trains each of `arms` for `count` steps: all are queued before the first result is waited for.
    pub async fn train(&mut self, arms: &[ArmName], count: u32) -> Result<Vec<Event>> {
        self.prepare_steps(arms).await?;
        let (run, _, _) = self.current()?;
        let begun = Instant::now();
        let milliseconds =
            |since: Instant, steps: usize| since.elapsed().as_secs_f32() * 1e3 / steps.max(1) as f32;
        let mut queued: Vec<(usize, Vec<StepEvent>)> = Vec::new();
        let mut is_together = false;
        for index in 0..run.arms.len() {
            if !arms.contains(&run.arms[index].name) {
                continue;
            }
            let pending = run.arms[index].model.pending_limit() as u32;
            is_together |= pending > 1;
            let begun = Instant::now();
            let mut steps =
                (0..pending.min(count)).map(|_| run.queue(index)).collect::<Result<Vec<StepEvent>>>()?;
            let ms = milliseconds(begun, steps.len());
            steps.iter_mut().for_each(|step| step.ms = ms);
            queued.push((index, steps));
        }
        let mut events = Vec::new();
        for (index, steps) in &mut queued {
            let metrics = run.arms[*index].model.take_metrics().await?;
            for (step, metrics) in steps.iter_mut().zip(metrics) {
                (step.loss, step.grad_norm) = (metrics.loss, metrics.grad_norm);
            }
        }
        let total: usize = queued.iter().map(|(_, steps)| steps.len()).sum();
        // Queued steps run one behind the other, and nobody waits in between to tell whose time it was.
        let mean = milliseconds(begun, total);
        for step in queued.into_iter().flat_map(|(_, steps)| steps) {
            let ms = if is_together { mean } else { step.ms };
            events.push(Event::Step(StepEvent { ms, ..step }));
        }
        Ok(events)
    }
}

impl Run {
    /// Queues the next step of an arm; its loss is not known yet.
    fn queue(&mut self, index: usize) -> Result<StepEvent> {
        let arm = &mut self.arms[index];
        let micro = self.feed.step(arm.step as usize);
        let lr = self.settings.rate(arm.name, arm.step);
        arm.model.accumulated_step(&micro, lr)?;
        arm.step += 1;
        Ok(StepEvent {
            run: self.id,
            arm: arm.name,
            step: arm.step,
            loss: f32::NAN,
            lr,
            grad_norm: f32::NAN,
            tokens: micro.iter().map(Batch::response_tokens).sum::<usize>() as u32,
            ms: 0.0,
        })
    }
}

fn arm_info(arm: &Arm, feed: &Feed) -> Result<ArmInfo> {
    let parameters = arm.model.trainable_parameters() as u64;
    let (rows, time, accumulate) = feed.shape();
    Ok(ArmInfo {
        arm: arm.name,
        lr: arm.lr,
        trainable_parameters: parameters,
        // A gradient and two moments of four bytes for each.
        optimizer_bytes: parameters * 12,
        memory_bytes: arm.model.memory_plan(rows, time, accumulate)?.map(|plan| plan.total),
    })
}
