use crate::common::{batch, configs, gpu, load, lora};
use driftscope::engine::{Backend, Tuning};
use driftscope::lab::Target;
use driftscope::train::Optimizer;
use pollster::block_on;

fn losses(backend: &Backend, tuning: &Tuning, steps: usize, lr: f32, fixed: bool) -> Vec<f32> {
    let (_, config) = configs().remove(0);
    let mut arm = load(backend, &config).tune(tuning, Optimizer::default()).unwrap();
    let mut losses = Vec::new();
    for step in 0..steps {
        arm.train_step(&batch(&config, 4, 16, if fixed { 0 } else { step as u64 }), lr).unwrap();
        losses.extend(block_on(arm.take_metrics()).unwrap().iter().map(|m| m.loss));
    }
    losses
}

#[test]
fn overfitting_one_batch_ends_below_a_twentieth_of_a_nat() {
    let gpu = gpu();
    for (tuning, lr) in [(Tuning::Full, 1e-2), (lora(8, &Target::ALL), 3e-2)] {
        let losses = losses(&gpu, &tuning, 150, lr, true);
        assert!(losses[0] > 3.0 && losses[149] < 0.05, "{tuning:?}: {} to {}", losses[0], losses[149]);
    }
}

#[test]
fn thirty_steps_follow_candle() {
    let gpu = gpu();
    for tuning in [Tuning::Full, lora(4, &Target::ALL)] {
        let got = losses(&gpu, &tuning, 30, 3e-3, false);
        let want = losses(&Backend::Cpu, &tuning, 30, 3e-3, false);
        for (step, (got, want)) in got.iter().zip(&want).enumerate() {
            assert!((got / want - 1.0).abs() < 1e-3, "{tuning:?}, step {step}: {got} {want}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_curve_to_the_last_bit() {
    for backend in [gpu(), Backend::Cpu] {
        for tuning in [Tuning::Full, lora(4, &Target::ALL)] {
            let run = || losses(&backend, &tuning, 8, 3e-3, false);
            assert_eq!(run(), run());
        }
    }
}

#[test]
fn queued_steps_report_in_order() {
    let (_, config) = configs().remove(0);
    let mut arm = load(&gpu(), &config).tune(&Tuning::Full, Optimizer::default()).unwrap();
    for step in 0..arm.pending_limit() {
        arm.train_step(&batch(&config, 2, 8, step as u64), 1e-3).unwrap();
    }
    assert!(arm.train_step(&batch(&config, 2, 8, 0), 1e-3).is_err());
    assert_eq!(block_on(arm.take_metrics()).unwrap().len(), arm.pending_limit());
    assert!(block_on(arm.take_metrics()).unwrap().is_empty());
}
