use crate::common::{assert_tensors_close, batch, configs, gpu, load, lora};
use driftscope::engine::{Backend, Tuning};
use driftscope::lab::Target;
use driftscope::train::Optimizer;
use pollster::block_on;

/// f32 sums in another order: a few 1e-6 relative over widths of up to 67 and two or three layers.
const TOLERANCE: f64 = 1e-4;

fn compare(tuning: &Tuning) {
    let gpu = gpu();
    for (name, config) in configs() {
        let mut on_gpu = load(&gpu, &config).tune(tuning, Optimizer::default()).unwrap();
        let mut on_cpu = load(&Backend::Cpu, &config).tune(tuning, Optimizer::default()).unwrap();
        // Two steps: at the first, B is zero and so is the gradient of A.
        for step in 0..2 {
            let batch = batch(&config, 3, 17, step);
            on_gpu.train_step(&batch, 1e-2).unwrap();
            on_cpu.train_step(&batch, 1e-2).unwrap();
            let (got, want) = (block_on(on_gpu.gradients()).unwrap(), block_on(on_cpu.gradients()).unwrap());
            assert_tensors_close(&format!("{name}, step {step}"), &got, &want, TOLERANCE);
            let (got, want) =
                (block_on(on_gpu.take_metrics()).unwrap(), block_on(on_cpu.take_metrics()).unwrap());
            assert!((got[0].loss / want[0].loss - 1.0).abs() < 1e-5, "{name}: {got:?} {want:?}");
            assert!((got[0].grad_norm / want[0].grad_norm - 1.0).abs() < 1e-4, "{name}: {got:?} {want:?}");
        }
        let (got, want) = (block_on(on_gpu.tensors()).unwrap(), block_on(on_cpu.tensors()).unwrap());
        assert_eq!(on_gpu.trainable_parameters(), on_cpu.trainable_parameters());
        assert_tensors_close(&format!("{name}, trained"), &got, &want, 1e-3);
    }
}

#[test]
fn full_tuning_equals_candle() {
    compare(&Tuning::Full);
}

#[test]
fn lora_on_all_linears_equals_candle() {
    compare(&lora(4, &Target::ALL));
}

#[test]
fn lora_on_some_linears_equals_candle() {
    compare(&lora(3, &[Target::QProj, Target::VProj, Target::DownProj]));
}
