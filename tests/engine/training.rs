use std::rc::Rc;

use crate::common::{assert_tensors_close, batch, configs, dora, gpu, load, lora, weights};
use driftscope::data::batch::Batch;
use driftscope::engine::{Backend, Model, Tuning};
use driftscope::gpu::Gpu;
use driftscope::model::config::LlamaConfig;
use driftscope::record::Target;
use driftscope::train::Optimizer;
use pollster::block_on;

fn losses(backend: &Backend, tuning: &Tuning, steps: u64, lr: f32) -> Vec<f32> {
    losses_with(backend, tuning, Optimizer::default(), steps, lr)
}

fn losses_with(backend: &Backend, tuning: &Tuning, optimizer: Optimizer, steps: u64, lr: f32) -> Vec<f32> {
    let (_, config) = configs().remove(0);
    let mut arm = load(backend, &config).tune(tuning, optimizer).unwrap();
    let mut losses = Vec::new();
    for step in 0..steps {
        arm.train_step(&batch(&config, 4, 16, step), lr).unwrap();
        losses.extend(block_on(arm.take_metrics()).unwrap().iter().map(|m| m.loss));
    }
    losses
}

#[test]
fn overfitting_one_batch_ends_below_a_twentieth_of_a_nat() {
    let (_, config) = configs().remove(0);
    let batch = batch(&config, 2, 12, 0);
    // LoRA's head is frozen: with small embeddings no hidden state could tell 64 tokens apart with certainty.
    let mut weights = weights(&config, 7);
    weights.get_mut("model.embed_tokens.weight").unwrap().data.iter_mut().for_each(|w| *w *= 4.0);
    for backend in [gpu(), Backend::Cpu] {
        for tuning in [Tuning::Full, lora(16, &Target::ALL)] {
            let base = backend.load(&config, weights.clone()).unwrap();
            let mut arm = base.tune(&tuning, Optimizer::default()).unwrap();
            let mut losses = Vec::new();
            for step in 0..320 {
                arm.train_step(&batch, 1e-2).unwrap();
                if step % 64 == 63 {
                    losses.extend(block_on(arm.take_metrics()).unwrap().iter().map(|m| m.loss));
                }
            }
            assert!(losses[0] > 3.0 && losses[319] < 0.05, "{tuning:?}: {} to {}", losses[0], losses[319]);
        }
    }
}

#[test]
fn thirty_steps_follow_candle() {
    let gpu = gpu();
    for tuning in [Tuning::Full, lora(4, &Target::ALL), dora(3)] {
        let got = losses(&gpu, &tuning, 30, 3e-3);
        let want = losses(&Backend::Cpu, &tuning, 30, 3e-3);
        for (step, (got, want)) in got.iter().zip(&want).enumerate() {
            assert!((got / want - 1.0).abs() < 1e-3, "{tuning:?}, step {step}: {got} {want}");
        }
    }
}

/// NEFTune's noise, the pull back to the base and the divergence from it are the same on both back ends, and change the curve.
#[test]
fn regularisers_follow_candle() {
    let gpu = gpu();
    let noisy = Optimizer { neftune: 5.0, seed: 3, ..Optimizer::default() };
    let pulled = Optimizer { pull: 20.0, ..Optimizer::default() };
    let held = Optimizer { kl_to_base: 20.0, ..Optimizer::default() };
    let cases = [
        (Tuning::Full, noisy),
        (lora(4, &Target::ALL), noisy),
        (Tuning::Full, pulled),
        (Tuning::Full, held),
        (lora(4, &Target::ALL), held),
        (dora(3), held),
    ];
    for (tuning, optimizer) in cases {
        let got = losses_with(&gpu, &tuning, optimizer, 12, 3e-3);
        let want = losses_with(&Backend::Cpu, &tuning, optimizer, 12, 3e-3);
        for (step, (got, want)) in got.iter().zip(&want).enumerate() {
            assert!((got / want - 1.0).abs() < 1e-3, "{tuning:?}, step {step}: {got} {want}");
        }
        let plain = losses(&gpu, &tuning, 12, 3e-3);
        assert!((got[11] / plain[11] - 1.0).abs() > 1e-3, "{tuning:?}: no difference");
    }
}

#[test]
fn the_same_seed_gives_the_same_curve_to_the_last_bit() {
    for backend in [gpu(), Backend::Cpu] {
        for tuning in [Tuning::Full, lora(4, &Target::ALL), dora(3)] {
            let run = || losses(&backend, &tuning, 8, 3e-3);
            assert_eq!(run(), run());
        }
    }
}

/// Checkpoints compute the same from the same, so nothing differs; with micro-batches too.
#[test]
fn checkpoints_change_no_bit() {
    let backend = gpu();
    for (name, config) in configs() {
        // Three layers at least, so that one is neither the first nor the last.
        let config = LlamaConfig { num_hidden_layers: 3, ..config };
        // A rank whose x Aᵀ is a product of its own, too.
        for tuning in
            [Tuning::Full, lora(4, &Target::ALL), lora(20, &[Target::QProj, Target::DownProj]), dora(3)]
        {
            let arm = || load(&backend, &config).tune(&tuning, Optimizer::default()).unwrap();
            let run = |mut arm: Model| {
                for step in 0..3 {
                    let micro = [batch(&config, 2, 17, step), batch(&config, 2, 17, step + 9)];
                    arm.accumulated_step(&micro[..1 + step as usize % 2], 1e-2).unwrap();
                }
                let metrics = block_on(arm.take_metrics()).unwrap();
                (metrics, block_on(arm.gradients()).unwrap(), block_on(arm.tensors()).unwrap())
            };
            assert!(run(arm().checkpointed()) == run(arm()), "{name}, {tuning:?}");
        }
    }
}

/// What a step needs is there beforehand, and the step is the same.
#[test]
fn a_step_that_was_made_ready_compiles_and_allocates_nothing() {
    let (_, config) = configs().remove(0);
    let micro = [batch(&config, 2, 17, 0), batch(&config, 2, 17, 9)];
    for tuning in [Tuning::Full, lora(4, &Target::ALL), dora(3)] {
        for count in [1, 2] {
            let gpu = Rc::new(block_on(Gpu::new()).unwrap());
            let step = |ready: bool| {
                let base = load(&Backend::Gpu(gpu.clone()), &config);
                let mut arm = base.tune(&tuning, Optimizer::default()).unwrap();
                let all = || (gpu.compiled(), gpu.allocated());
                if ready {
                    block_on(arm.prepare_step(&micro[..count])).unwrap();
                }
                let before = all();
                arm.accumulated_step(&micro[..count], 1e-2).unwrap();
                assert_eq!(before == all(), ready, "{tuning:?}, {count}: {before:?} {:?}", all());
                block_on(arm.take_metrics()).unwrap()
            };
            assert_eq!(step(true), step(false));
        }
    }
}

/// As many steps as may be queued tell the same losses as one at a time; the GPU's ring holds no more.
#[test]
fn queued_steps_report_in_order() {
    for backend in [gpu(), Backend::Cpu] {
        let (_, config) = configs().remove(0);
        let mut arm = load(&backend, &config).tune(&Tuning::Full, Optimizer::default()).unwrap();
        let queued = arm.pending_limit();
        for step in 0..queued {
            arm.train_step(&batch(&config, 4, 16, step as u64), 1e-3).unwrap();
        }
        if let Backend::Gpu(_) = backend {
            assert!(arm.train_step(&batch(&config, 4, 16, 0), 1e-3).is_err());
        }
        let got: Vec<f32> = block_on(arm.take_metrics()).unwrap().iter().map(|m| m.loss).collect();
        assert_eq!(got, losses(&backend, &Tuning::Full, queued as u64, 1e-3));
        assert!(block_on(arm.take_metrics()).unwrap().is_empty());
    }
}

/// A step over the halves of a batch is the step over the batch: the same sums, some in another order.
#[test]
fn micro_batches_add_up_to_their_batch() {
    let (_, config) = configs().remove(0);
    let half = |whole: &Batch, half: usize| {
        let part = |v: &[u32]| v[half * 32..][..32].to_vec();
        Batch { rows: 2, time: 16, tokens: part(&whole.tokens), targets: part(&whole.targets) }
    };
    for backend in [gpu(), Backend::Cpu] {
        for tuning in [Tuning::Full, lora(4, &Target::ALL), dora(3)] {
            let arm = || load(&backend, &config).tune(&tuning, Optimizer::default()).unwrap();
            let (mut at_once, mut in_parts) = (arm(), arm());
            // Three steps: the second sums over what the first left, the last is undivided again.
            for step in 0..3 {
                let whole = batch(&config, 4, 16, step);
                at_once.train_step(&whole, 1e-2).unwrap();
                match step {
                    2 => in_parts.train_step(&whole, 1e-2).unwrap(),
                    _ => in_parts.accumulated_step(&[half(&whole, 0), half(&whole, 1)], 1e-2).unwrap(),
                }
                let [want, got] =
                    [&mut at_once, &mut in_parts].map(|arm| block_on(arm.take_metrics()).unwrap()[0]);
                assert!((got.loss / want.loss - 1.0).abs() < 1e-5, "{tuning:?}: {got:?} {want:?}");
                let [want, got] = [&at_once, &in_parts].map(|arm| block_on(arm.gradients()).unwrap());
                assert_tensors_close(&format!("{tuning:?}, step {step}"), &got, &want, 1e-4);
            }
        }
    }
}

/// An arm made anew goes on from what another had come to, to the last bit.
#[test]
fn training_goes_on_from_its_progress() {
    let (_, config) = configs().remove(0);
    for backend in [gpu(), Backend::Cpu] {
        for tuning in [Tuning::Full, lora(3, &[Target::QProj, Target::DownProj]), dora(3)] {
            let noisy = Optimizer { neftune: 5.0, seed: 3, ..Optimizer::default() };
            let arm = || load(&backend, &config).tune(&tuning, noisy).unwrap();
            let steps = |arm: &mut Model, steps: std::ops::Range<u64>| {
                for step in steps {
                    arm.train_step(&batch(&config, 2, 9, step), 1e-2).unwrap();
                }
                block_on(arm.take_metrics()).unwrap()
            };
            let mut first = arm();
            steps(&mut first, 0..3);
            let progress = block_on(first.progress()).unwrap();
            let mut second = arm();
            block_on(second.restore(&progress)).unwrap();
            assert_eq!(block_on(second.progress()).unwrap(), progress);
            assert_eq!(steps(&mut first, 3..6), steps(&mut second, 3..6), "{tuning:?}");
            assert_eq!(block_on(first.progress()).unwrap(), block_on(second.progress()).unwrap());
        }
        assert!(block_on(load(&backend, &config).progress()).is_err(), "a base has none");
    }
}
