//! The worker's loop: commands in, events out, and in between the work of the current run.

use std::collections::VecDeque;
use std::time::Duration;

use futures_channel::mpsc::UnboundedReceiver;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;
use web_time::Instant;

use super::border::{breathe, listen, parse, post, post_error, post_state};
use super::requests;
use crate::data::instructions;
use crate::engine::Found;
use crate::error::{Error, Result};
use crate::lab::{Answer, Asked, Dose, Experiment, Probing, Session, Slice, Texts, Work};
use crate::record::*;

/// Training goes on for about this long before messages are looked at.
const SLICE_MS: f32 = 100.0;

/// Time between two looks at answers that are being written.
const BETWEEN_TEXTS: Duration = Duration::from_millis(100);

/// Starts the worker: listens, and says so.
pub fn start() {
    console_error_panic_hook::set_once();
    let commands = listen();
    post(&Message::Listening);
    spawn_local(Worker::default().serve(commands));
}

/// What is done while no command comes.
#[derive(Default)]
enum Mode {
    #[default]
    Idle,
    /// Does what is due, but takes no step; then idles.
    Settle,
    /// An arm waits once it has taken `until` steps.
    Play { until: u32 },
    /// One step each of these arms.
    Step(VecDeque<ArmId>),
}

#[derive(Default)]
struct Worker {
    session: Option<Session>,
    /// What trials found about the adapter.
    found: Found,
    texts: Texts,
    /// What the current run is part of.
    experiment: Option<Experiment>,
    /// Facts that the base is asked for while there is nothing else to do.
    probing: Option<Probing>,
    /// The question that the session answers, before anything else goes on.
    question: Option<Question>,
    mode: Mode,
}

struct Question {
    id: u32,
    /// When what was written was last posted.
    posted: Instant,
}

impl Worker {
    async fn serve(mut self, mut commands: UnboundedReceiver<JsValue>) {
        loop {
            let is_idle = matches!(self.mode, Mode::Idle);
            let looked = self.session.as_ref().and_then(Session::looked);
            let is_still = self.probing.is_none() && self.question.is_none() && looked.is_none();
            let command = match is_idle && is_still {
                true => commands.recv().await.ok(),
                false => commands.try_recv().ok(),
            };
            let done = match command {
                Some(command) => self.obey(command).await,
                None if self.question.is_some() => self.answer().await,
                None if is_idle && looked.is_some() => self.look().await,
                None if is_idle => self.probe().await,
                None => self.advance().await,
            };
            if let Err(error) = done {
                (self.mode, self.probing) = (Mode::Idle, None);
                self.session.iter_mut().for_each(Session::stop_asides);
                post_error(&error);
                post_state(RunState::Paused);
            }
            // Answered, or ended by a command that changes a model.
            if !self.session.as_ref().is_some_and(Session::is_asking)
                && let Some(Question { id, .. }) = self.question.take()
            {
                post(&Message::Asked { id });
            }
        }
    }

    async fn obey(&mut self, message: JsValue) -> Result<()> {
        let (command, blobs) = parse(message)?;
        match command {
            Command::Load(load) => {
                let loaded = requests::load(*load, &blobs, &mut self.found).await;
                if let Some(session) = self.or_refused(loaded)? {
                    (self.experiment, self.probing, self.mode) = (None, None, Mode::Idle);
                    self.session = Some(session);
                }
            }
            Command::Inspect { model, settings, .. } => {
                let done = requests::inspect(self.session()?, &model, &blobs, &settings).await;
                self.or_refused(done)?;
            }
            Command::WarmUp { settings } => {
                // A run that can't be is refused when it is begun.
                let _ = self.warm_up(&settings).await;
            }
            Command::Start { settings, instructions, heldout, probes, share } => {
                self.experiment = None;
                self.texts = Texts { instructions, heldout, probes };
                self.session()?.share = share;
                self.begin(settings, None).await?;
            }
            Command::Snapshot => {
                let session = self.session()?;
                for arm in session.arms() {
                    requests::snapshot(session, &arm).await?;
                }
            }
            Command::Resume { settings, instructions, heldout, probes, fork, share, .. } => {
                self.experiment = None;
                self.texts = Texts { instructions, heldout, probes };
                self.session()?.share = share;
                self.begin(settings, Some((requests::states(&blobs)?, fork))).await?;
            }
            Command::Ping => post(&Message::Alive),
            Command::Experiment { preset, seeds, instructions, heldout, probes } => {
                let experiment = requests::experiment(&preset, seeds)?;
                self.texts = Texts { instructions, heldout, probes };
                self.go_through(experiment);
            }
            Command::Counterfactual { arm } => {
                let check = requests::check(self.session()?, &arm)?;
                self.go_through(check);
            }
            Command::Strength { arm, strength, intruders } => {
                for event in self.session()?.dose(&arm, Dose { strength, intruders }).await? {
                    post(&Message::Event { event: Box::new(event) });
                }
            }
            Command::Look { arm: Some(arm) } => self.session()?.look(&arm)?,
            Command::Look { arm: None } => self.session()?.stop_looking(),
            Command::Play { until } => {
                let is_open = self.session().is_ok_and(|session| !session.is_finished());
                let play = Mode::Play { until: until.unwrap_or(u32::MAX) };
                self.mode = if is_open { play } else { Mode::Idle };
                post_state(if is_open { RunState::Running } else { RunState::Done });
            }
            Command::Pause => {
                self.mode = Mode::Idle;
                post_state(RunState::Paused);
            }
            Command::Step { count, arm } => {
                let mut round = self.session()?.arms();
                round.retain(|id| arm.as_ref().is_none_or(|only| only == id));
                let steps = (0..count).flat_map(|_| round.clone());
                // If Step is pressed again before they are done, more steps are queued.
                match &mut self.mode {
                    Mode::Step(waiting) => waiting.extend(steps),
                    mode => *mode = Mode::Step(steps.collect()),
                }
                post_state(RunState::Running);
            }
            Command::Ask { id, question, max_tokens, sampling } => {
                let session = self.session()?;
                session.stop_asking();
                if !question.is_empty() {
                    session.ask(&question, Asked { max_tokens, sampling })?;
                    self.question = Some(Question { id, posted: Instant::now() });
                }
            }
            Command::CountTokens { id, rows } => {
                let counts = instructions::count_tokens(&rows, &self.session()?.subject.tokenizer);
                post(&Message::Tokens { id, counts });
            }
            Command::Probe { id, probes } => {
                let subject = &self.session()?.subject;
                let probing = || Probing::new(id, &probes, subject);
                self.probing = (!probes.is_empty()).then(probing).transpose()?;
            }
            Command::Save { arm } => requests::save(self.session()?, arm).await?,
            Command::AddAdapter { name, files, .. } => {
                let done = requests::add_adapter(self.session()?, &name, &files, &blobs);
                self.list_adapters(done)?;
            }
            Command::KeepAdapter { name, arm } => {
                let done = self.session()?.keep(&arm, &name).await;
                self.list_adapters(done)?;
            }
            Command::RemoveAdapter { name } => {
                self.session()?.subject.adapters.remove(&name);
                self.list_adapters(Ok(()))?;
            }
            Command::Bench { settings, random } => {
                self.mode = Mode::Idle;
                let Self { session, found, .. } = self;
                let session = session.as_mut().ok_or_else(not_loaded)?;
                requests::measure_speed(session, settings, random, found).await?;
            }
        }
        Ok(())
    }

    /// What a request for another model gave; where it failed and there is a model already, that one stays.
    fn or_refused<T>(&self, done: Result<T>) -> Result<Option<T>> {
        match done {
            Err(error) if self.session.is_some() => {
                post(&Message::Refused { message: error.to_string() });
                Ok(None)
            }
            done => done.map(Some),
        }
    }

    /// The adapters that are held after a change, or why there was none.
    fn list_adapters(&mut self, done: Result<()>) -> Result<()> {
        let adapters = self.session()?.subject.adapters.infos();
        post(&match done {
            Ok(()) => Message::Adapters { adapters },
            Err(error) => Message::AdapterRefused { message: error.to_string() },
        });
        Ok(())
    }

    fn session(&mut self) -> Result<&mut Session> {
        self.session.as_mut().ok_or_else(not_loaded)
    }

    async fn warm_up(&mut self, settings: &Settings) -> Result<()> {
        let session = self.session.as_ref().ok_or_else(not_loaded)?;
        requests::try_kernels(session, settings, &mut self.found).await?;
        session.warm_up(settings).await
    }

    /// Begins a new run, or continues one from its arms' states. Its start is measured when nothing else is asked for, or
    /// after the first steps, so that a visitor does not have to wait for those.
    async fn begin(&mut self, settings: Settings, from: Option<(Vec<Vec<u8>>, Option<Fork>)>) -> Result<()> {
        self.mode = Mode::Idle;
        post_state(RunState::Preparing);
        let session = self.session.as_mut().ok_or_else(not_loaded)?;
        requests::try_kernels(session, &settings, &mut self.found).await?;
        let event = match from {
            Some((states, fork)) => session.resume(settings, &self.texts, &states, fork).await?,
            None => session.start(settings, &self.texts).await?,
        };
        post(&Message::Event { event: Box::new(event) });
        self.mode = Mode::Settle;
        breathe().await; // Play often follows at once
        Ok(())
    }

    /// The next piece of work that the mode allows.
    async fn advance(&mut self) -> Result<()> {
        if self.experiment.as_ref().is_some_and(Experiment::is_between_runs) && !self.next_run().await? {
            return Ok(());
        }
        let only = if let Mode::Step(arms) = &self.mode { arms.front().cloned() } else { None };
        let slice = match self.mode {
            Mode::Play { until } => Slice { ms: SLICE_MS, until, ..Slice::WHOLE },
            Mode::Step(_) if only.is_some() => {
                Slice { ms: 0.0, steps: 1, only: only.as_deref(), ..Slice::WHOLE }
            }
            _ => Slice::NO_STEP,
        };
        let session = self.session.as_mut().ok_or_else(not_loaded)?;
        let slice = self.experiment.as_ref().map_or(slice, |experiment| experiment.allowed(slice));
        let work = session.next(slice);
        let is_start = work == Some(Work::MeasureStart);
        let progress = |done| Message::Progress { stage: "base".into(), done, total: 1 };
        if is_start {
            post(&progress(0));
            breathe().await;
        }
        let events = match &mut self.experiment {
            Some(experiment) => experiment.advance(session, &self.texts, slice).await?,
            None => session.advance(slice).await?,
        };
        let is_finished = session.is_finished();
        for event in events.into_iter().flatten() {
            post(&Message::Event { event: Box::new(event) });
        }
        if is_start {
            post(&progress(1));
        }
        if let (Some(Work::Measure { arm }), None) = (&work, &self.experiment) {
            let id = session.arms().swap_remove(*arm);
            requests::snapshot(session, &id).await?;
        }
        self.settle(work, is_finished);
        breathe().await;
        Ok(())
    }

    /// Goes on with the answers to a question.
    async fn answer(&mut self) -> Result<()> {
        let (Some(session), Some(question)) = (&mut self.session, &mut self.question) else { return Ok(()) };
        let id = question.id;
        if let Some(Answer { arm, tokens }) = session.answer().await? {
            post(&Message::Answer { id, arm, tokens });
        }
        if question.posted.elapsed() >= BETWEEN_TEXTS {
            question.posted = Instant::now();
            post(&Message::Answering { id, texts: session.so_far()?.into_iter().collect() });
        }
        breathe().await;
        Ok(())
    }

    async fn look(&mut self) -> Result<()> {
        requests::look(self.session()?).await
    }

    /// Asks the base for the next of a visitor's facts.
    async fn probe(&mut self) -> Result<()> {
        let (Some(session), Some(probing)) = (&mut self.session, &mut self.probing) else { return Ok(()) };
        let (from, total) = probing.progress();
        let answers = session.probe(probing).await?;
        post(&Message::Probed { id: probing.id, from: from as u32, total: total as u32, answers });
        if probing.progress().0 == total {
            self.probing = None;
        }
        breathe().await;
        Ok(())
    }

    /// The mode after a piece of work.
    fn settle(&mut self, work: Option<Work>, is_finished: bool) {
        if is_finished && self.experiment.is_none() {
            self.mode = Mode::Idle;
            return post_state(RunState::Done);
        }
        match &mut self.mode {
            // A step was taken, or the arm has no more.
            Mode::Step(arms) => {
                let is_over = matches!(work, None | Some(Work::Train { .. })) && arms.pop_front().is_none();
                if is_over {
                    self.mode = Mode::Settle;
                }
            }
            Mode::Settle if work.is_none() => {
                self.mode = Mode::Idle;
                post_state(RunState::Paused);
            }
            Mode::Play { .. } if work.is_none() && self.experiment.is_none() => {
                self.mode = Mode::Idle;
                let step = self.session.as_ref().map_or(0, Session::step);
                post(&Message::Waiting { step });
            }
            _ => {}
        }
    }

    /// Goes through an experiment's runs, all arms of which train here.
    fn go_through(&mut self, experiment: Experiment) {
        self.session.iter_mut().for_each(|session| session.share = None);
        (self.experiment, self.mode) = (Some(experiment), Mode::Play { until: u32::MAX });
    }

    /// Begins the experiment's next run; false when it has ended.
    async fn next_run(&mut self) -> Result<bool> {
        let (Some(experiment), Some(session)) = (&mut self.experiment, &mut self.session) else {
            return Ok(false);
        };
        let preset = experiment.preset.name.clone();
        let position = experiment.position();
        let (done, total) = (position.done as u32, position.total as u32);
        post(&Message::Experiment { preset, label: position.label, done, total });
        let Some(settings) = experiment.upcoming() else {
            let summary = experiment.summary();
            (self.experiment, self.mode) = (None, Mode::Idle);
            if let Some(event) = summary.map(Event::Summary) {
                post(&Message::Event { event: Box::new(event) });
            }
            post_state(RunState::Done);
            return Ok(false);
        };
        post_state(RunState::Preparing);
        requests::try_kernels(session, settings, &mut self.found).await?;
        let begun = experiment.advance(session, &self.texts, Slice::NO_STEP).await?;
        for event in begun.into_iter().flatten() {
            post(&Message::Event { event: Box::new(event) });
        }
        post_state(RunState::Running);
        breathe().await;
        Ok(true)
    }
}

fn not_loaded() -> Error {
    Error::Setting { field: "model", message: "no model is loaded".into(), remedy: "Wait until it is".into() }
}
