//! The worker's loop: commands in, events out, and training in between.

use js_sys::{Function, Promise, Reflect};
use serde::Serialize;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent};
use web_time::Instant;

use super::inbox::Inbox;
use super::machine::open;
use super::protocol::{Command, Files, Message, RunState};
use crate::data::facts;
use crate::engine::{Backend, Choice, Found, Sampling, step_products};
use crate::error::{Error, Result};
use crate::lab::{ArmName, BenchSettings, Event, Experiment, Lab, Preset, RandomModel, Settings, bench};
use crate::model::bundle::{self, Bundle, TokenizerFiles, WeightFiles};
use crate::model::config::LlamaConfig;

/// Training goes on for about this long before messages are looked at.
const SLICE_MS: f32 = 100.0;

/// Starts the worker: listens, and says so.
pub fn start() {
    console_error_panic_hook::set_once();
    let inbox = Inbox::default();
    let incoming = inbox.clone();
    let listener = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        incoming.push(event.data());
    });
    scope().set_onmessage(Some(listener.as_ref().unchecked_ref()));
    listener.forget();
    post(&Message::Listening);
    spawn_local(async move {
        let mut worker = Worker {
            inbox,
            lab: None,
            found: Found::default(),
            texts: Default::default(),
            experiment: None,
            playing: false,
            is_fresh: false,
            step_ms: SLICE_MS,
        };
        worker.serve().await;
    });
}

fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

fn post(message: &Message) {
    // Flattened structs are maps to serde; the page wants objects, as a record's JSON has them.
    let serializer = serde_wasm_bindgen::Serializer::new().serialize_maps_as_objects(true);
    let posted =
        message.serialize(&serializer).map_err(JsValue::from).and_then(|value| scope().post_message(&value));
    if let Err(error) = posted {
        web_sys::console::error_1(&error);
    }
}

fn post_state(state: RunState) {
    post(&Message::State { state });
}

fn post_error(error: &Error) {
    post(&Message::Error { name: error.name().into(), message: error.to_string() });
}

/// Lets the browser deliver messages that have come meanwhile: a macrotask, not a microtask.
async fn breathe() {
    let promise = Promise::new(&mut |resolve, _| {
        let timer = Reflect::get(&js_sys::global(), &"setTimeout".into());
        if let Some(timer) = timer.ok().and_then(|t| t.dyn_into::<Function>().ok()) {
            let _ = timer.call2(&JsValue::UNDEFINED, &resolve, &0.into());
        }
    });
    let _ = JsFuture::from(promise).await;
}

struct Worker {
    inbox: Inbox,
    lab: Option<Lab>,
    /// What trials found out about the adapter.
    found: Found,
    /// Instructions and held-out examples of the current run.
    texts: (String, String),
    /// What the current run is part of.
    experiment: Option<Experiment>,
    playing: bool,
    /// A run has begun and waits for a command, its start for being measured.
    is_fresh: bool,
    /// Time of one step of one arm, milliseconds, as last measured.
    step_ms: f32,
}

impl Worker {
    async fn serve(&mut self) {
        loop {
            let message = match self.playing || self.is_fresh {
                true => self.inbox.pop(),
                false => Some(self.inbox.next().await),
            };
            let done = match message {
                Some(message) => self.obey(message).await,
                None => self.advance().await,
            };
            if let Err(error) = done {
                self.playing = false;
                post_error(&error);
                post_state(RunState::Paused);
            }
        }
    }

    async fn obey(&mut self, message: JsValue) -> Result<()> {
        let command: Command = serde_wasm_bindgen::from_value(message).map_err(|e| Error::Format {
            file: "message".into(),
            field: "command".into(),
            message: e.to_string(),
            remedy: "Reload the page".into(),
        })?;
        match command {
            Command::Load(files) => self.load(*files).await,
            Command::WarmUp { settings } => {
                // A run that can't be is refused when it is begun.
                let _ = self.warm_up(&settings).await;
                Ok(())
            }
            Command::Start { settings, instructions, heldout } => {
                self.experiment = None;
                self.texts = (instructions, heldout);
                self.begin(settings).await?;
                self.is_fresh = true;
                Ok(())
            }
            Command::Experiment { preset, seeds, instructions, heldout } => {
                self.texts = (instructions, heldout);
                self.experiment(&preset, seeds).await
            }
            Command::Counterfactual { arm } => self.counterfactual(arm).await,
            Command::Strength { arm, strength } => {
                let event = self.lab()?.strength(arm, strength).await?;
                post(&Message::Event { event });
                Ok(())
            }
            Command::Play => {
                let open = self.lab().is_ok_and(|lab| !lab.is_done());
                self.playing = open;
                post_state(if open { RunState::Running } else { RunState::Done });
                Ok(())
            }
            Command::Pause => {
                self.playing = false;
                post_state(RunState::Paused);
                Ok(())
            }
            Command::Step { count, arm } => self.step(count, arm).await,
            Command::Ask { id, question, max_tokens, sampling } => {
                self.ask(id, &question, max_tokens, sampling).await
            }
            Command::Save { arm } => self.save(arm).await,
            Command::Bench { settings, random } => self.bench(settings, random).await,
        }
    }

    fn lab(&mut self) -> Result<&mut Lab> {
        self.lab.as_mut().ok_or(Error::Setting {
            field: "model",
            message: "no model is loaded".into(),
            remedy: "Wait until it is".into(),
        })
    }

    async fn load(&mut self, files: Files) -> Result<()> {
        let bundle = Bundle::read(&bundle::Files::Folder {
            config: files.config.as_bytes(),
            tokenizer: TokenizerFiles {
                tokenizer: files.tokenizer.as_bytes(),
                config: files.tokenizer_config.as_deref().map(str::as_bytes),
                chat_template: None,
            },
            weights: WeightFiles::One(&files.weights),
        })?;
        let facts = facts::parse(files.facts.as_bytes(), "facts.jsonl")?;
        self.found = Found::parse(files.found.as_deref().unwrap_or_default());
        let (Choice { backend, reason, is_tried }, adapter) = open(files.backend, &mut self.found).await?;
        if is_tried {
            self.remember();
        }
        let title = bundle.title(&files.name);
        let parameters = bundle.config.parameters() as u64;
        let base = backend.load(&bundle.config, bundle.weights)?;
        let engine = if matches!(backend, Backend::Gpu(_)) { "webgpu" } else { "cpu" };
        self.lab = Some(Lab::new(title.clone(), bundle.tokenizer, facts, base, backend));
        post(&Message::Ready { engine, adapter, reason, model: title, parameters });
        Ok(())
    }

    /// Posts events, and lets the experiment see them first.
    fn emit(&mut self, events: Vec<Event>) {
        for event in events {
            let found = self.experiment.as_mut().and_then(|experiment| experiment.take(&event));
            post(&Message::Event { event });
            if let Some(event) = found {
                post(&Message::Event { event });
            }
        }
    }

    async fn warm_up(&mut self, settings: &Settings) -> Result<()> {
        let config = self.lab()?.base.config().clone();
        self.tune(&config, settings).await?;
        self.lab()?.warm_up(settings).await
    }

    /// A new run. Its start is measured when nothing else is asked for, or behind the first steps, for which a
    /// visitor should not have to wait.
    async fn begin(&mut self, settings: Settings) -> Result<()> {
        (self.playing, self.is_fresh) = (false, false);
        post_state(RunState::Preparing);
        let config = self.lab()?.base.config().clone();
        self.tune(&config, &settings).await?;
        let (instructions, heldout) = self.texts.clone();
        let info = self.lab()?.start(settings, &instructions, &heldout).await?;
        self.emit(vec![Event::Run(info)]);
        breathe().await;
        Ok(())
    }

    async fn measure_start(&mut self) -> Result<()> {
        self.is_fresh = false;
        let progress = |done, total| Message::Progress { stage: "Measuring the base".into(), done, total };
        post(&progress(0, 0));
        breathe().await;
        let measured = self.lab()?.measure_start().await?;
        self.emit(measured);
        post(&progress(1, 1));
        Ok(())
    }

    /// Lets the products of a model's steps use the fastest kernels of the adapter.
    async fn tune(&mut self, config: &LlamaConfig, settings: &Settings) -> Result<()> {
        let Some(Lab { backend: Backend::Gpu(gpu), .. }) = &self.lab else { return Ok(()) };
        let tokens = (settings.batch * settings.max_len) as usize;
        let products = step_products(config, tokens, tokens, &settings.lora());
        if self.found.tune(gpu, &products).await? {
            self.remember();
        }
        Ok(())
    }

    fn remember(&self) {
        post(&Message::Found { json: self.found.json() });
    }

    async fn experiment(&mut self, preset: &str, seeds: u32) -> Result<()> {
        let Some(mut preset) = Preset::by_name(preset) else {
            let message = format!("there is no {preset}");
            return Err(Error::Setting { field: "preset", message, remedy: "Reload the page".into() });
        };
        preset.seeds = (1..=seeds.clamp(1, 10)).collect();
        self.experiment = Some(Experiment::new(preset));
        self.next_run().await
    }

    async fn counterfactual(&mut self, arm: ArmName) -> Result<()> {
        let Some(check) = self.lab()?.check(arm) else {
            return Err(Error::Setting {
                field: "arm",
                message: "it has borrowed no answer whose rows could be changed".into(),
                remedy: "Train until it does; a higher learning rate helps".into(),
            });
        };
        self.experiment = Some(Experiment::of_check(check));
        self.next_run().await
    }

    /// Goes on with the experiment's next run, or ends it.
    async fn next_run(&mut self) -> Result<()> {
        let (Some(experiment), Some(lab)) = (&mut self.experiment, &self.lab) else { return Ok(()) };
        let planned = experiment.next(lab);
        let (preset, total) = (experiment.preset.name.to_string(), experiment.total as u32);
        let done = experiment.done as u32;
        let label = planned.as_ref().map(|p| p.label.clone()).unwrap_or_default();
        post(&Message::Experiment { preset, label, done, total });
        match planned {
            Some(planned) => {
                self.begin(planned.settings).await?;
                self.playing = true;
                post_state(RunState::Running);
            }
            None => {
                let summary = self.experiment.take().and_then(|experiment| experiment.summary());
                self.emit(summary.map(Event::Summary).into_iter().collect());
                post_state(RunState::Done);
            }
        }
        Ok(())
    }

    /// One slice of training, and the measures that are due behind it; of a run that waits, its start.
    async fn advance(&mut self) -> Result<()> {
        if !self.playing {
            self.measure_start().await?;
            let arms = self.lab()?.open_arms(None);
            self.lab()?.prepare_steps(&arms).await?;
            post_state(RunState::Paused);
            return Ok(());
        }
        let arms = self.lab()?.open_arms(None);
        let wanted = (SLICE_MS / (self.step_ms * arms.len().max(1) as f32)) as u32;
        self.train(&arms, wanted.max(1)).await?;
        if self.lab()?.is_done() {
            self.end_run().await?;
        }
        breathe().await;
        Ok(())
    }

    async fn end_run(&mut self) -> Result<()> {
        self.playing = false;
        let done = self.lab()?.done();
        self.emit(done.into_iter().collect());
        if self.experiment.is_some() {
            return self.next_run().await;
        }
        post_state(RunState::Done);
        Ok(())
    }

    /// Trains `arms` for at most `count` steps and not beyond the next measure of any of them.
    async fn train(&mut self, arms: &[ArmName], count: u32) -> Result<()> {
        let lab = self.lab()?;
        let until = arms.iter().map(|&arm| lab.until_measure(arm)).min().unwrap_or(0);
        // A GPU gets the steps of all arms at once where they are short, so that it need not wait. A long one is told as
        // soon as it is done.
        let is_short = matches!(lab.backend, Backend::Gpu(_)) && count > 1;
        let at_once = if is_short { arms.len() } else { 1 };
        let (begun, mut taken) = (Instant::now(), 0);
        for arms in arms.chunks(at_once.max(1)) {
            let events = self.lab()?.train(arms, count.min(until)).await?;
            taken += events.len();
            self.emit(events);
        }
        self.step_ms = (begun.elapsed().as_secs_f32() * 1e3 / taken.max(1) as f32).max(0.1);
        if self.lab()?.needs_start() {
            self.measure_start().await?;
        }
        for &arm in arms {
            let lab = self.lab()?;
            if lab.is_due(arm) {
                let mut measured = lab.measure(arm).await?;
                measured.push(lab.weights(arm).await?);
                self.emit(measured);
                breathe().await;
            }
        }
        Ok(())
    }

    async fn step(&mut self, count: u32, arm: Option<ArmName>) -> Result<()> {
        self.playing = false;
        post_state(RunState::Running);
        for _ in 0..count {
            let arms = self.lab()?.open_arms(arm);
            if arms.is_empty() {
                break;
            }
            self.train(&arms, 1).await?;
            breathe().await;
        }
        if self.lab()?.is_done() {
            return self.end_run().await;
        }
        post_state(RunState::Paused);
        Ok(())
    }

    async fn ask(&mut self, id: u32, question: &str, max_tokens: u32, sampling: Sampling) -> Result<()> {
        for arm in self.lab()?.all_models() {
            let tokens = self.lab()?.ask(arm, question, max_tokens, sampling).await?;
            post(&Message::Answer { id, arm, tokens });
            breathe().await;
        }
        Ok(())
    }

    async fn bench(&mut self, settings: BenchSettings, random: Option<RandomModel>) -> Result<()> {
        self.playing = false;
        let begun = Instant::now();
        let lab = self.lab()?;
        let backend = lab.backend.clone();
        let mut built = match random {
            None => None,
            Some(random) => {
                let (name, config, weights) = random.build()?;
                Some((name, backend.load(&config, weights)?))
            }
        };
        let config = built.as_ref().map_or(&lab.base, |(_, model)| model).config().clone();
        let (batch, max_len) = (settings.batch as u32, settings.time as u32);
        let run = Settings { batch, max_len, rank: settings.rank, ..Settings::default() };
        self.tune(&config, &run).await?;
        let progress = async |done: usize, total: usize| {
            post(&Message::Progress { stage: "measuring".into(), done: done as u32, total: total as u32 });
            breathe().await;
        };
        let report = match &mut built {
            Some((name, model)) => bench(name, &backend, model, settings, begun, progress).await?,
            None => {
                let lab = self.lab()?;
                bench(&lab.title, &backend, &mut lab.base, settings, begun, progress).await?
            }
        };
        post(&Message::Bench { report: Box::new(report) });
        Ok(())
    }

    async fn save(&mut self, arm: ArmName) -> Result<()> {
        for (file, bytes) in self.lab()?.save(arm).await? {
            post(&Message::Saved { arm, file, bytes });
        }
        Ok(())
    }
}
