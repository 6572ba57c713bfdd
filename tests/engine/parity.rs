//! The engine against PyTorch with PEFT, on both back ends: logits, every gradient, and fifty steps with
//! warm-up, schedule, clipping, weight decay and accumulation, from fixtures that `tests/parity` made.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::rc::Rc;

use driftscope::data::batch::{Batch, Sequence};
use driftscope::engine::{Backend, Model, Tensors, Tuning};
use driftscope::model::config::LlamaConfig;
use driftscope::model::lora::AdapterStart;
use driftscope::model::weights::{self, Weights};
use driftscope::model::{config, peft};
use driftscope::record::{ArmSpec, ScheduleKind};
use driftscope::train::Optimizer;
use driftscope::train::schedule::Schedule;
use pollster::block_on;
use serde::Deserialize;

use crate::common::{assert_tensors_close, gpu};

const MODELS: [&str; 3] = ["gqa-4-2", "gqa-8-1", "rope-llama3"];
/// Of the fixtures, and the adapter that each starts from; the last two are kept near the base.
const METHODS: [(&str, Option<&str>); 6] = [
    ("full", None),
    ("lora", Some("lora")),
    ("rslora", Some("rslora")),
    ("dora", Some("dora")),
    ("full-kl", None),
    ("lora-kl", Some("lora")),
];
/// Rows of the fixtures' batches, and a length that holds their longest one.
const ROWS: usize = 3;
const TIME: usize = 13;

#[derive(Deserialize)]
struct Row {
    tokens: Vec<u32>,
    response: usize,
}

#[derive(Deserialize)]
struct Cases {
    tokens: Vec<u32>,
}

#[derive(Deserialize)]
struct Settings {
    lr: f32,
    schedule: ScheduleKind,
    warmup: u32,
    weight_decay: f32,
    clip: f32,
    kl_to_base: f32,
}

#[derive(Deserialize)]
struct Curve {
    settings: Settings,
    loss: Vec<f32>,
    grad_norm: Vec<f32>,
    lr: Vec<f32>,
    tokens: Vec<usize>,
}

/// What PyTorch computed for one model.
struct Fixture {
    folder: PathBuf,
    config: LlamaConfig,
    tokens: Vec<u32>,
    logits: Weights,
    curves: BTreeMap<String, Curve>,
    /// By step, then micro-batch.
    batches: Vec<Vec<Batch>>,
}

impl Fixture {
    fn open(model: &str) -> Self {
        let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/parity")).join(model);
        let read = |name: &str| fs::read(folder.join(name)).unwrap();
        let rows: Vec<Vec<Vec<Row>>> = serde_json::from_slice(&read("batches.json")).unwrap();
        let batch = |rows: Vec<Row>| {
            let sequence = |r: Row| Sequence { tokens: r.tokens, response: r.response };
            let sequences: Vec<Sequence> = rows.into_iter().map(sequence).collect();
            Batch::new(&sequences.iter().collect::<Vec<_>>(), ROWS, TIME)
        };
        let batches = rows.into_iter().map(|step| step.into_iter().map(batch).collect()).collect();
        Self {
            config: config::LlamaConfig::from_json(&read("config.json")).unwrap(),
            tokens: serde_json::from_slice::<Cases>(&read("cases.json")).unwrap().tokens,
            logits: weights::read(&read("logits.safetensors"), "logits").unwrap(),
            curves: serde_json::from_slice(&read("curves.json")).unwrap(),
            batches,
            folder,
        }
    }

    fn weights(&self, name: &str) -> Weights {
        weights::read(&fs::read(self.folder.join(name)).unwrap(), name).unwrap()
    }

    fn base(&self, backend: &Backend) -> Model {
        backend.load(&self.config, self.weights("model.safetensors")).unwrap()
    }

    fn arm(&self, base: &Model, (method, adapter): (&str, Option<&str>)) -> Model {
        let s = &self.curves[method].settings;
        let optimizer = Optimizer {
            weight_decay: s.weight_decay,
            max_norm: s.clip,
            kl_to_base: s.kl_to_base,
            ..Optimizer::default()
        };
        let tuning = if let Some(name) = adapter {
            let folder = self.folder.join(format!("adapter-{name}"));
            let read = |name: &str| fs::read(folder.join(name)).unwrap();
            let (config, weights) = (read(peft::CONFIG_FILE), read(peft::WEIGHTS_FILE));
            let adapter = peft::read(&config, &weights, &self.config).unwrap();
            Tuning::Lora { lora: adapter.lora, start: AdapterStart::Tensors(Rc::new(adapter.tensors)) }
        } else {
            Tuning::Full
        };
        base.tune(&tuning, optimizer).unwrap()
    }

    /// Largest difference to the logits that PyTorch has under this name.
    fn difference(&self, model: &mut Model, name: &str) -> f32 {
        let got = block_on(model.logits(&self.tokens)).unwrap();
        let want = &self.logits[name].data;
        assert_eq!(got.len(), want.len());
        got.iter().zip(want).map(|(g, w)| (g - w).abs()).fold(0.0, f32::max)
    }
}

fn for_each(check: impl Fn(&str, &Fixture, &Model)) {
    for model in MODELS {
        let fixture = Fixture::open(model);
        for (name, backend) in [("gpu", gpu()), ("cpu", Backend::Cpu)] {
            check(&format!("{model} on {name}"), &fixture, &fixture.base(&backend));
        }
    }
}

#[test]
fn logits_equal_pytorch_with_and_without_pefts_adapters() {
    for_each(|what, fixture, base| {
        let mut plain = fixture.arm(base, METHODS[0]);
        let worst = fixture.difference(&mut plain, "base");
        assert!(worst < 1e-4, "{what}: {worst}");
        for method in &METHODS[1..4] {
            let worst = fixture.difference(&mut fixture.arm(base, *method), &format!("{}.start", method.0));
            assert!(worst < 1e-4, "{what}, {method:?}: {worst}");
        }
    });
}

#[test]
fn every_gradient_equals_pytorch() {
    for_each(|what, fixture, base| {
        for (method, adapter) in METHODS {
            let mut arm = fixture.arm(base, (method, adapter));
            arm.train_step(&fixture.batches[0][0], 0.0).unwrap();
            let got = block_on(arm.gradients()).unwrap();
            let want = fixture.weights(&format!("gradients-{method}.safetensors"));
            let want: Tensors = want.into_iter().map(|(name, a)| (name, (a.shape, a.data))).collect();
            assert_tensors_close(&format!("{what}, {method}"), &got, &want, 1e-3);
        }
    });
}

/// The fixtures' own losses differ by up to 2e-6 between f32 and f64, their norms by 2e-5: 1e-4 and 1e-3 leave
/// room for another order of the sums and for nothing else.
#[test]
fn fifty_steps_follow_pytorch() {
    for_each(|what, fixture, base| {
        for (method, adapter) in METHODS {
            let curve = &fixture.curves[method];
            let s = &curve.settings;
            let arm = ArmSpec { schedule: s.schedule, warmup: s.warmup, ..ArmSpec::lora(s.lr) };
            let schedule = Schedule::of(&arm, curve.loss.len() as u32);
            let mut arm = fixture.arm(base, (method, adapter));
            let mut got = Vec::new();
            for (step, micro) in fixture.batches.iter().enumerate() {
                let lr = schedule.rate(step) as f32;
                assert!((lr - curve.lr[step]).abs() <= 1e-6 * s.lr, "{what}, {method}: lr {lr}");
                let tokens: usize = micro.iter().map(Batch::response_tokens).sum();
                assert_eq!(tokens, curve.tokens[step], "{what}, {method}: tokens of step {step}");
                arm.accumulated_step(micro, lr).unwrap();
                got.extend(block_on(arm.take_metrics()).unwrap());
            }
            let relative = |got: f32, want: f32| (got / want - 1.0).abs();
            let pairs = || got.iter().zip(&curve.loss).zip(&curve.grad_norm);
            let loss = pairs().map(|((g, loss), _)| relative(g.loss, *loss)).fold(0.0, f32::max);
            let norm = pairs().map(|((g, _), norm)| relative(g.grad_norm, *norm)).fold(0.0, f32::max);
            let logits = fixture.difference(&mut arm, &format!("{method}.trained"));
            println!("{what}, {method}: loss {loss:.1e}, norm {norm:.1e}, logits {logits:.1e}");
            assert!(loss < 1e-4 && norm < 1e-3, "{what}, {method}: loss {loss}, gradient norm {norm}");
        }
    });
}
