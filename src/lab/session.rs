//! A base model and the run that is made with it. Whoever drives a run, the worker, the command line or a test, calls
//! [`Session::advance`] and nothing more.

use std::rc::Rc;

use web_time::Instant;

use super::asking::{Answer, Asked, Asking};
use super::check::Check;
use super::dataset::Dataset;
use super::probing::Probing;
use super::resuming::{self, Snapshot};
use super::run::{Arm, Run, Tested};
use super::subject::Subject;
use super::work::{Slice, Work};
use super::{looking, measuring, saving};
use crate::data::batch::Batch;
use crate::data::{facts, instructions};
use crate::engine::{Backend, Tuning, step_products};
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

/// A base, and one run at a time.
pub struct Session {
    pub subject: Subject,
    /// Which part of each new run is trained here; all of it if not given.
    pub share: Option<Share>,
    pub(super) run: Option<Run>,
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
            share: None,
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
        let share = self.share.clone().unwrap_or_else(|| Share::whole(self.runs + 1, &settings));
        let run = Run::new(&share, settings, data, &held, Tested { facts, known }, &self.subject)?;
        let info = run.info(&self.subject.title)?;
        self.runs = run.id;
        self.run = Some(run);
        (self.prepared, self.is_finished) = (0, false);
        Ok(Event::Run(info))
    }

    /// Begins a run from its arms' `states` of [`Self::snapshot`], including those that train elsewhere: it takes the steps that
    /// would have come next, with these settings, which may differ from the earlier ones. On an error the current run stays.
    ///
    /// # Errors
    /// As [`Self::start`], and when a state is damaged or of another run.
    pub async fn resume(
        &mut self,
        settings: Settings,
        texts: &Texts,
        states: &[Vec<u8>],
        fork: Option<Fork>,
    ) -> Result<Event> {
        let before = (self.run.take(), self.prepared, self.is_finished);
        let begun = self.start(settings, texts).await;
        let resumed = match (begun, &mut self.run) {
            (Ok(event), Some(run)) => resuming::restore(run, states).await.map(|()| event),
            (begun, _) => begun,
        };
        match resumed {
            Ok(Event::Run(info)) => Ok(Event::Run(RunInfo { fork, ..info })),
            Ok(event) => Ok(event),
            Err(error) => {
                (self.run, self.prepared, self.is_finished) = before;
                Err(error)
            }
        }
    }

    /// What an arm of the current run has come to, to go on with it later.
    ///
    /// # Errors
    /// When there is no such arm, or the back end fails.
    pub async fn snapshot(&mut self, id: &str) -> Result<Snapshot> {
        let arm = self.place(id)?;
        let (run, _) = self.current()?;
        resuming::snapshot(run, arm).await
    }

    /// Bytes of the states of all arms of the current run, wherever they train.
    pub fn state_bytes(&self) -> u64 {
        let config = self.subject.base.config();
        let arms = self.run.iter().flat_map(|run| &run.settings.arms);
        arms.map(|arm| Tuning::of(arm, 0).parameters(config) * STATE_BYTES).sum()
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
        let takes_part =
            |arm: &Arm| open(arm) && arm.step < slice.until && slice.only.is_none_or(|id| id == arm.spec.id);
        // Those that have taken the fewest steps, so that arms stay in step.
        let fewest = run.arms.iter().filter(|arm| takes_part(arm)).map(|arm| arm.step).min()?;
        let places = (0..run.arms.len()).filter(|&i| takes_part(&run.arms[i]));
        let (arms, ahead): (Vec<usize>, Vec<usize>) = places.partition(|&i| run.arms[i].step == fewest);
        let until = arms.iter().map(|&arm| run.until_measure(arm)).min()?.min(slice.until - fewest);
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
                let weights = match looking::is_with_measures(self.subject.base.config()) {
                    true => Some(looking::whole(run, arm, &mut self.subject).await?),
                    false => None,
                };
                let mut events = measuring::of_arm(run, arm, &mut self.subject).await?;
                events.extend(weights);
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

    /// Arms of the current run that train here.
    pub fn arms(&self) -> Vec<ArmId> {
        self.run.iter().flat_map(|run| run.arms.iter().map(|arm| arm.spec.id.clone())).collect()
    }

    /// Steps that each of them has taken.
    pub fn step(&self) -> u32 {
        self.run.iter().flat_map(|run| run.arms.iter().map(|arm| arm.step)).min().unwrap_or(0)
    }

    /// Puts a free question to the arms that train here, and to the base if it answers here, in place of the previous one;
    /// [`Self::answer`] writes the answers.
    ///
    /// # Errors
    /// When the chat template takes no such question.
    pub fn ask(&mut self, question: &str, asked: Asked) -> Result<()> {
        let base = self.run.as_ref().is_none_or(|run| run.has_base).then(|| BASE.to_string());
        let models = base.into_iter().chain(self.arms()).collect();
        self.asking = Some(Asking::new(question, models, asked, &self.subject.tokenizer)?);
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

    /// Leaves what is asked and looked at.
    pub fn stop_asides(&mut self) {
        self.stop_asking();
        self.stop_looking();
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

    /// What each model whose answer is not complete has written so far, by id.
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
    /// When there is no such arm, when it trains every weight, or when `name` is not allowed.
    pub async fn keep(&mut self, id: &str, name: &str) -> Result<()> {
        let arm = self.place(id)?;
        let (run, subject) = self.current()?;
        saving::keep(&run.arms[arm], subject, name).await
    }

    /// The counterfactual check of an arm's borrowed answers as it was last measured; nothing if there are none.
    pub(super) fn check(&self, id: &str) -> Option<Check> {
        Check::of(self.run.as_ref()?, id)
    }

    pub(super) fn place(&self, id: &str) -> Result<usize> {
        self.run.as_ref().ok_or_else(no_run)?.place(id)
    }

    pub(super) fn current(&mut self) -> Result<(&mut Run, &mut Subject)> {
        Ok((self.run.as_mut().ok_or_else(no_run)?, &mut self.subject))
    }
}

fn no_run() -> Error {
    Error::Setting { field: "run", message: "no run was started".into(), remedy: "Start one first".into() }
}
