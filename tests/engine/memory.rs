//! The plan of an arm's memory against what is allocated.

use std::rc::Rc;

use crate::common::{batch, configs, dora, load, load_as, lora};
use driftscope::engine::{Backend, MemoryPlan, Storage, Tuning, plan_memory};
use driftscope::error::{Error, Result};
use driftscope::gpu::Gpu;
use driftscope::model::lora::{AdapterStart, Lora};
use driftscope::model::weights::Precision;
use driftscope::record::{BenchShape, LoraSpec, Target};
use driftscope::train::Optimizer;
use pollster::block_on;

/// To the byte, for every method, with and without accumulation; the parts add up.
#[test]
fn the_plan_is_what_is_allocated() {
    for (name, config) in configs().into_iter().skip(1).take(2) {
        for tuning in [Tuning::Full, lora(4, &Target::ALL), lora(3, &[Target::QProj]), dora(3)] {
            let (f32, f16) = (Precision::F32, Precision::F16);
            let cases = [(1, false, f32), (2, false, f16), (1, true, f16), (2, true, f32)];
            for ((accumulate, checkpoint, weights), to_base) in
                cases.into_iter().zip([false, true, true, false])
            {
                let gpu = Rc::new(block_on(Gpu::new()).unwrap());
                let base = load_as(&Backend::Gpu(gpu.clone()), &config, weights);
                let kl_to_base = if to_base { 0.5 } else { 0.0 };
                let optimizer = Optimizer { kl_to_base, ..Optimizer::default() };
                let mut arm = base.tune(&tuning, optimizer).unwrap();
                if checkpoint {
                    arm = arm.checkpointed();
                }
                let micro = vec![batch(&config, 3, 17, 1); accumulate];
                arm.accumulated_step(&micro, 1e-3).unwrap();
                let storage = Storage { checkpoint, weights };
                let plan = plan_memory(&config, &tuning, storage, 3, 17, accumulate, to_base).unwrap();
                assert_eq!(plan.total, gpu.allocated(), "{name}, {tuning:?}, {accumulate}, {storage:?}");
                assert_eq!(arm.memory_plan(3, 17, accumulate).unwrap().as_ref(), Some(&plan));
                let parts = plan.weights + plan.gradients + plan.moments;
                assert_eq!(parts + plan.activations + plan.head + plan.other, plan.total);
            }
        }
    }
}

/// Checkpoints leave an input of each layer and one layer's other activations; the rest is the same.
#[test]
fn checkpoints_take_less() {
    let (_, mut config) = configs().remove(0);
    for tuning in [Tuning::Full, lora(4, &Target::ALL), dora(3)] {
        let mut plan = |layers: usize, checkpoint: bool| {
            config.num_hidden_layers = layers;
            plan_memory(&config, &tuning, Storage { checkpoint, ..Storage::default() }, 4, 16, 1, false)
                .unwrap()
        };
        let [two, ten] = [2, 10].map(|layers| plan(layers, true).activations);
        // An input is 64 rows of 32 values.
        assert_eq!(ten - two, 8 * 64 * 32 * 4, "{tuning:?}");
        let (with, without) = (plan(10, true), plan(10, false));
        assert!(with.activations * 4 < without.activations, "{tuning:?}: {with:?} {without:?}");
        assert_eq!(with.total + without.activations, without.total + with.activations);
    }
}

/// What an adapter with smaller limits refuses: the name of the buffer, and how many bytes were allocated for it.
fn refused(binding: u64, tuning: &Tuning) -> (String, String, u64) {
    let (_, config) = configs().remove(0);
    let mut gpu = block_on(Gpu::new()).unwrap();
    gpu.limits.max_storage_buffer_binding_size = binding;
    let gpu = Rc::new(gpu);
    let base = load(&Backend::Gpu(gpu.clone()), &config);
    let before = gpu.allocated();
    let mut allocated = 0;
    let first_step = || -> Result<()> {
        let mut arm = base.tune(tuning, Optimizer::default())?;
        allocated = gpu.allocated();
        arm.train_step(&batch(&config, 16, 64, 1), 1e-3)
    };
    match { first_step }() {
        Err(Error::OutOfMemory { buffer, remedy, .. }) => {
            (buffer, remedy, gpu.allocated() - allocated.max(before))
        }
        other => panic!("{other:?}"),
    }
}

/// What is computed without training is refused as clearly where the adapter binds less than it takes.
#[test]
fn logits_beyond_a_binding_are_refused_by_name() {
    let (_, config) = configs().remove(0);
    // The head is 8.2 kB, 32 rows of logits are too.
    for (binding, name) in [(8_000, "lm_head"), (8_191 + 1, "")] {
        let mut gpu = block_on(Gpu::new()).unwrap();
        gpu.limits.max_storage_buffer_binding_size = binding;
        let mut base = load(&Backend::Gpu(Rc::new(gpu)), &config);
        match block_on(base.logits(&[1, 2, 3])) {
            Err(Error::OutOfMemory { buffer, limit, .. }) => {
                assert!(buffer == name && limit == binding, "{buffer}")
            }
            other => assert!(name.is_empty() && other.is_ok(), "{other:?}"),
        }
        let many = vec![1; 33];
        assert!(matches!(block_on(base.logits(&many)), Err(Error::OutOfMemory { .. })));
    }
}

#[test]
fn what_does_not_fit_is_refused_before_it_is_allocated() {
    // All weights are 70 kB, the widest activation 16 * 64 rows of 96: 393 kB.
    let (buffer, remedy, allocated) = refused(40_000, &Tuning::Full);
    assert!(remedy.contains("LoRA") && allocated == 0, "{buffer}: {remedy}, {allocated}");
    assert_eq!(buffer, "weights");
    let (buffer, remedy, allocated) = refused(200_000, &lora(2, &Target::ALL));
    assert!(remedy.contains("batch") && allocated == 0, "{buffer}: {remedy}, {allocated}");
    assert!(buffer.contains("gate_up"), "{buffer}");
}

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/memory.md");

/// A table of MiB for known shapes: name, batch, every method and way to store.
fn figures() -> String {
    let mut table = String::from(
        "| Model, batch | Method | Base | Checkpoints | Weights | Gradients | Moments | Activations | Head | Other | Total | Largest binding |\n|---|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    let lora = Tuning::Lora { lora: Lora::of(&LoraSpec::default()), start: AdapterStart::Seed(1) };
    let shapes =
        [("Atlas, 8 x 64", BenchShape::Atlas, 8, 64), ("SmolLM2-135M, 4 x 256", BenchShape::Smollm2, 4, 256)];
    for (name, shape, rows, time) in shapes {
        for (method, tuning) in [("LoRA", &lora), ("full", &Tuning::Full)] {
            for (precision, weights) in [("f32", Precision::F32), ("f16", Precision::F16)] {
                for (checkpoints, checkpoint) in [("no", false), ("yes", true)] {
                    let storage = Storage { weights, checkpoint };
                    let plan = plan_memory(&shape.config(), tuning, storage, rows, time, 1, false).unwrap();
                    let MemoryPlan { weights, gradients, moments, activations, head, other, total, .. } =
                        plan;
                    let bytes = [
                        weights,
                        gradients,
                        moments,
                        activations,
                        head,
                        other,
                        total,
                        plan.largest_binding.1,
                    ];
                    let cells = bytes.map(|bytes| format!("{:.1}", bytes as f64 / f64::from(1 << 20)));
                    let cells = cells.join(" | ");
                    table += &format!("| {name} | {method} | {precision} | {checkpoints} | {cells} |\n");
                }
            }
        }
    }
    table
}

/// `WRITE_MEMORY=1 cargo test --release --test engine memory` writes them.
#[test]
fn the_document_has_the_figures() {
    let written = std::fs::read_to_string(DOCUMENT).unwrap();
    let (head, rest) = written.split_once("<!-- figures -->\n").unwrap();
    let (_, tail) = rest.split_once("<!-- end -->\n").unwrap();
    let document = format!("{head}<!-- figures -->\n{}<!-- end -->\n{tail}", figures());
    if std::env::var_os("WRITE_MEMORY").is_some() {
        std::fs::write(DOCUMENT, &document).unwrap();
    } else {
        assert!(written == document, "docs/memory.md is old: WRITE_MEMORY=1 cargo test --test engine memory");
    }
}
