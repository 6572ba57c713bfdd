//! A base model and the run that is made with it. Whoever drives a run, the worker, the command line or a test, calls
//! [`Session::advance`] and nothing more.

use std::rc::Rc;

use web_time::Instant;

use super::asking::{Answer, Asked, Asking};
use super::check::Check;
use super::dataset::Dataset;
use super::probing::Probing;
use super::run::{Arm, Run, Tested};
use super::subject::Subject;
use super::{doses, measuring, resuming, saving};
use crate::data::batch::Batch;
use crate::data::{facts, instructions};
use crate::engine::{Backend, step_products};
use crate::error::{Error, Result};
use crate::kernels::Product;
use crate::model::lora::Lora;
use crate::record::*;

/// A step's time before one was taken, milliseconds.
const FIRST_STEP_MS: f32 = 100.0;

/// What a run trains on and is tested with.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    /// The instruction set, JSONL.
    pub instructions: String,
    /// Its held-out part.
    pub heldout: String,
    /// A visitor's own facts, JSONL; empty for the built-in ones.
    pub probes: String,
}

/// How much of a run is done in one go.
#[derive(Clone, Copy, Debug)]
pub struct Slice<'a> {
    /// Steps go on for about this long, milliseconds; there is at least one.
    pub ms: f32,
    /// Most steps of an arm. 0 does what needs no step: the start is measured, kernels are compiled.
    pub steps: u32,
    /// This arm alone.
    pub only: Option<&'a str>,
}

impl Slice<'_> {
    /// As much as there is until the next measurement.
    pub const WHOLE: Self = Self { ms: f32::INFINITY, steps: u32::MAX, only: None };
    /// What needs no step.
    pub const NO_STEP: Self = Self { ms: 0.0, steps: 0, only: None };
}

/// What [`Session::advance`] does next. Arms are named by their place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// `steps` steps of each of these arms.
    Train {
        arms: Vec<usize>,
        steps: u32,
    },
    /// The start, which is the base for every arm.
    MeasureStart,
    Measure {
        arm: usize,
    },
    /// Compiles what the first step of an arm runs.
    Prepare {
        arm: usize,
    },
    Finish,
}

/// Parameters of the largest model whose matrices are looked at: of one of 135 million it takes a minute an arm.
const LOOKED_AT: u64 = 20_000_000;

/// A base, and one run at a time.
pub struct Session {
    pub subject: Subject,
    /// Whether each measure also looks at the weights.
    pub looks_at_weights: bool,
    run: Option<Run>,
    /// A free question that is being answered.
    asking: Option<Asking>,
    runs: u32,
    /// Arms of the current run whose first step was prepared.
    prepared: usize,
    is_finished: bool,
    /// Time of one step of one arm, milliseconds, as last measured.
    step_ms: f32,
}

impl Session {
    pub fn new(subject: Subject) -> Self {
        Self {
            subject,
            looks_at_weights: true,
            run: None,
            asking: None,
            runs: 0,
            prepared: 0,
            is_finished: true,
            step_ms: FIRST_STEP_MS,
        }
    }

    /// Begins a new run; on an error the current one stays.
    ///
    /// # Errors
    /// When settings, texts and model do not fit each other, or the memory does not hold the arms.
    pub async fn start(&mut self, settings: Settings, texts: &Texts) -> Result<Event> {
        self.stop_asking();
        settings.validate()?;
        let settings = self.subject.adapters.complete(&settings)?;
        let set = instructions::parse(&texts.instructions, "instructions.jsonl")?;
        let held = instructions::parse(&texts.heldout, "heldout.jsonl")?;
        let facts = match texts.probes.is_empty() {
            true => self.subject.facts.clone(),
            false => Rc::new(facts::parse(texts.probes.as_bytes(), super::OWN_PROBES)?),
        };
        let known = if settings.known_only { Some(self.subject.known(&facts).await?) } else { None };
        let Subject { base, tokenizer, .. } = &mut self.subject;
        let data = Dataset::new(set, &settings, base, tokenizer).await?;
        let run = Run::new(self.runs + 1, settings, data, &held, Tested { facts, known }, &self.subject)?;
        let info = run.info(&self.subject.title)?;
        self.runs += 1;
        self.run = Some(run);
        (self.prepared, self.is_finished) = (0, false);
        Ok(Event::Run(info))
    }

    /// Begins a run where `state` of [`Self::snapshot`] says: its next steps are those that would have followed. On an error the
    /// current run stays.
    ///
    /// # Errors
    /// As [`Self::start`], and when the state is damaged or of another run.
    pub async fn resume(&mut self, settings: Settings, texts: &Texts, state: &[u8]) -> Result<Event> {
        let before = (self.run.take(), self.prepared, self.is_finished);
        let begun = self.start(settings, texts).await;
        let resumed = match (begun, &mut self.run) {
            (Ok(event), Some(run)) => resuming::restore(run, state).await.map(|()| event),
            (begun, _) => begun,
        };
        if resumed.is_err() {
            (self.run, self.prepared, self.is_finished) = before;
        }
        resumed
    }

    /// The current run's number and what it has come to, to go on with it later; 12 bytes for each parameter that trains.
    ///
    /// # Errors
    /// When there is no run, or the back end fails.
    pub async fn snapshot(&mut self) -> Result<(u32, Vec<u8>)> {
        let (run, _) = self.current()?;
        Ok((run.id, resuming::snapshot(run).await?))
    }

    /// Asks the base for the next of a visitor's facts.
    ///
    /// # Errors
    /// When the back end fails.
    pub async fn probe(&mut self, probing: &mut Probing) -> Result<Vec<BaseAnswer>> {
        self.stop_asking();
        probing.advance(&mut self.subject).await
    }

    /// What a slice of the current run begins with; nothing where all that it allows is done.
    pub fn next(&self, slice: Slice<'_>) -> Option<Work> {
        let run = self.run.as_ref()?;
        let is_fresh = run.arms.iter().all(|arm| arm.step == 0);
        let due = run.arms.iter().position(|arm| arm.is_due);
        let open = |arm: &Arm| arm.step < run.settings.steps;
        let has_steps = run.arms.iter().any(open);
        if run.start_logprobs.is_none() && (!is_fresh || slice.steps == 0 || due.is_some() || !has_steps) {
            return Some(Work::MeasureStart);
        }
        if let Some(arm) = due {
            return Some(Work::Measure { arm });
        }
        if self.is_finished {
            return None;
        }
        if !has_steps {
            return Some(Work::Finish);
        }
        if slice.steps == 0 {
            let waits = matches!(self.subject.backend, Backend::Gpu(_)) && self.prepared < run.arms.len();
            return (waits && is_fresh).then_some(Work::Prepare { arm: self.prepared });
        }
        let takes_part = |arm: &Arm| open(arm) && slice.only.is_none_or(|id| id == arm.spec.id);
        // Those that have taken the fewest steps, so that arms stay in step.
        let fewest = run.arms.iter().filter(|arm| takes_part(arm)).map(|arm| arm.step).min()?;
        let places = (0..run.arms.len()).filter(|&i| takes_part(&run.arms[i]));
        let (arms, ahead): (Vec<usize>, Vec<usize>) = places.partition(|&i| run.arms[i].step == fewest);
        let until = arms.iter().map(|&arm| run.until_measure(arm)).min()?;
        let until =
            ahead.iter().map(|&arm| run.arms[arm].step - fewest).min().map_or(until, |n| until.min(n));
        let steps = ((slice.ms / (self.step_ms * arms.len() as f32)) as u32).clamp(1, slice.steps.min(until));
        // A GPU gets short steps of all arms at once, so that it need not wait. A long one is reported when it is
        // done, and the CPU works on one after the other.
        let is_together = matches!(self.subject.backend, Backend::Gpu(_)) && steps > 1;
        let arms = if is_together { arms } else { vec![arms[0]] };
        Some(Work::Train { arms, steps })
    }

    /// Does the next piece of work of the current run and gives its events; `None` where there is none.
    ///
    /// # Errors
    /// When the back end fails; the run stays where it was.
    pub async fn advance(&mut self, slice: Slice<'_>) -> Result<Option<Vec<Event>>> {
        if let Some(id) = slice.only {
            self.place(id)?;
        }
        let Some(work) = self.next(slice) else { return Ok(None) };
        self.stop_asking();
        let Some(run) = &mut self.run else { return Ok(None) };
        let events = match work {
            Work::Train { arms, steps } => {
                let begun = Instant::now();
                let events = run.train(&arms, steps).await?;
                let ms = begun.elapsed().as_secs_f32() * 1e3 / events.len().max(1) as f32;
                self.step_ms = ms.max(0.1);
                events.into_iter().map(Event::Step).collect()
            }
            Work::MeasureStart => measuring::of_start(run, &mut self.subject).await?,
            Work::Measure { arm } => {
                let mut events = measuring::of_arm(run, arm, &mut self.subject).await?;
                if self.looks_at_weights && self.subject.base.config().parameters() <= LOOKED_AT {
                    events.push(doses::changes(run, arm, &mut self.subject).await?);
                }
                run.arms[arm].is_due = false;
                events
            }
            Work::Prepare { arm } => {
                run.prepare_step(arm).await?;
                self.prepared = arm + 1;
                Vec::new()
            }
            Work::Finish => {
                self.is_finished = true;
                vec![Event::Done { run: run.id, seconds: run.started.elapsed().as_secs_f32() }]
            }
        };
        Ok(Some(events))
    }

    /// Whether the current run has ended, or there is none.
    pub fn is_finished(&self) -> bool {
        self.is_finished
    }

    /// Compiles what the first step of a run with these settings needs: of its first arm, for which a visitor waits
    /// first.
    ///
    /// # Errors
    /// When the settings can't be run.
    pub async fn warm_up(&self, settings: &Settings) -> Result<()> {
        settings.validate()?;
        let settings = &self.subject.adapters.complete(settings)?;
        let (Backend::Gpu(_), Some(first)) = (&self.subject.backend, settings.arms.first()) else {
            return Ok(());
        };
        let rows = settings.batch + first.regularisers.replay;
        let blank = Batch::new(&[], rows as usize, settings.max_len as usize);
        let micro = vec![blank; settings.accumulate as usize];
        Arm::new(first, settings, &self.subject)?.model.prepare_step(&micro).await
    }

    /// The matrix products of a run's steps, for trials of their kernels.
    pub fn products(&self, settings: &Settings) -> Vec<Product> {
        let completed = self.subject.adapters.complete(settings);
        let settings = completed.as_ref().unwrap_or(settings); // what is refused is refused when it begins
        let tokens = (settings.batch * settings.max_len) as usize;
        let of = |arm: &ArmSpec| match &arm.method {
            Method::Lora(spec) => Lora::of(spec),
            Method::Full {} => Lora::of(&LoraSpec::default()),
        };
        let config = self.subject.base.config();
        settings.arms.iter().flat_map(|arm| step_products(config, tokens, tokens, &of(arm))).collect()
    }

    /// The base and the arms of the current run.
    pub fn all_models(&self) -> Vec<ArmId> {
        let arms = self.run.iter().flat_map(|run| run.arms.iter().map(|arm| arm.spec.id.clone()));
        [BASE.to_string()].into_iter().chain(arms).collect()
    }

    /// Has the base and every arm answer a free question, in the place of the one before; [`Self::answer`] goes on with it.
    ///
    /// # Errors
    /// When the chat template takes no such question.
    pub fn ask(&mut self, question: &str, asked: Asked) -> Result<()> {
        self.asking = Some(Asking::new(question, self.all_models(), asked, &self.subject.tokenizer)?);
        Ok(())
    }

    /// Whether there is more to answer.
    pub fn is_asking(&self) -> bool {
        self.asking.is_some()
    }

    /// Leaves the question that is being answered.
    pub fn stop_asking(&mut self) {
        self.asking = None;
    }

    /// Writes a little more of one model's answer, and gives those that are whole.
    ///
    /// # Errors
    /// When the back end fails; the question is left then.
    pub async fn answer(&mut self) -> Result<Option<Answer>> {
        let Some(mut asking) = self.asking.take() else { return Ok(None) };
        let answer = asking.advance(self.run.as_mut(), &mut self.subject).await?;
        self.asking = (!asking.is_over()).then_some(asking);
        Ok(answer)
    }

    /// What the models have written so far whose answers are not whole, by id.
    ///
    /// # Errors
    /// When the tokenizer can't read it.
    pub fn so_far(&self) -> Result<Vec<(ArmId, String)>> {
        self.asking.as_ref().map_or(Ok(Vec::new()), |asking| asking.so_far(&self.subject.tokenizer))
    }

    /// Gives the files of an arm, a PEFT adapter or a model's folder, to `take` in parts of at most
    /// [`MOST_OF_A_FILE`](super::MOST_OF_A_FILE) bytes: the file's name and its next bytes.
    ///
    /// # Errors
    /// When there is no such arm, or the back end fails.
    pub async fn save(&mut self, id: &str, take: impl AsyncFnMut(&str, Vec<u8>)) -> Result<()> {
        let arm = self.place(id)?;
        let (run, subject) = self.current()?;
        saving::save(&run.arms[arm], subject, take).await
    }

    /// Holds what a LoRA arm has come to as an adapter that others can start from.
    ///
    /// # Errors
    /// When there is no such arm, when it trains every weight, or when its adapter can't be called so.
    pub async fn keep(&mut self, id: &str, name: &str) -> Result<()> {
        let arm = self.place(id)?;
        let (run, subject) = self.current()?;
        saving::keep(&run.arms[arm], subject, name).await
    }

    /// Gives an arm `strength` times its change until its next step: it answers and is measured so.
    ///
    /// # Errors
    /// When there is no such arm, or `strength` is beyond 0 to 4.
    pub async fn strength(&mut self, id: &str, strength: f32) -> Result<Vec<Event>> {
        let arm = self.place(id)?;
        self.stop_asking();
        let (run, subject) = self.current()?;
        doses::strength(run, arm, strength, subject).await
    }

    /// How much of each matrix of an arm has changed, and in how many directions.
    ///
    /// # Errors
    /// When there is no such arm, or the back end fails.
    pub async fn weights(&mut self, id: &str) -> Result<Event> {
        let arm = self.place(id)?;
        let (run, subject) = self.current()?;
        doses::changes(run, arm, subject).await
    }

    /// The counterfactual check of an arm's borrowed answers as it was last measured; nothing if there are none.
    pub(super) fn check(&self, id: &str) -> Option<Check> {
        Check::of(self.run.as_ref()?, id)
    }

    fn place(&self, id: &str) -> Result<usize> {
        self.run.as_ref().ok_or_else(no_run)?.place(id)
    }

    fn current(&mut self) -> Result<(&mut Run, &mut Subject)> {
        Ok((self.run.as_mut().ok_or_else(no_run)?, &mut self.subject))
    }
}

fn no_run() -> Error {
    Error::Setting { field: "run", message: "no run was started".into(), remedy: "Start one first".into() }
}
