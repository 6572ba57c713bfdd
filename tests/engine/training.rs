use crate::common::{batch, configs, gpu, load, lora, weights};
use driftscope::engine::{Backend, Tuning};
use driftscope::lab::Target;
use driftscope::train::Optimizer;
use pollster::block_on;

fn losses(backend: &Backend, tuning: &Tuning, steps: u64, lr: f32) -> Vec<f32> {
    let (_, config) = configs().remove(0);
    let mut arm = load(backend, &config).tune(tuning, Optimizer::default()).unwrap();
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
    for tuning in [Tuning::Full, lora(4, &Target::ALL)] {
        let got = losses(&gpu, &tuning, 30, 3e-3);
        let want = losses(&Backend::Cpu, &tuning, 30, 3e-3);
        for (step, (got, want)) in got.iter().zip(&want).enumerate() {
            assert!((got / want - 1.0).abs() < 1e-3, "{tuning:?}, step {step}: {got} {want}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_curve_to_the_last_bit() {
    for backend in [gpu(), Backend::Cpu] {
        for tuning in [Tuning::Full, lora(4, &Target::ALL)] {
            let run = || losses(&backend, &tuning, 8, 3e-3);
            assert_eq!(run(), run());
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
