//! Frozen weights as f16.

use crate::common::{back_ends, batch, configs, dora, gpu, load, load_as, lora, weights};
use driftscope::engine::{Backend, Tuning};
use driftscope::model::weights::{Precision, round_matrix};
use driftscope::record::Target;
use driftscope::train::Optimizer;
use pollster::block_on;

/// Weights that were rounded beforehand give the same sums in the same order: nothing differs, in logits, in training
/// or in what is generated. (Values that f16 holds only as subnormal numbers, which a GPU may take for 0, would.)
#[test]
fn f16_equals_rounded_f32() {
    let backend = gpu();
    for (name, config) in configs() {
        let mut rounded = weights(&config, 7);
        rounded.iter_mut().for_each(|(name, array)| round_matrix(name, array).unwrap());
        let mut bases = [load_as(&backend, &config, Precision::F16), backend.load(&config, rounded).unwrap()];
        let tokens: Vec<u32> = (0..13).map(|i| (i * 7 + 3) % config.vocab_size as u32).collect();
        let [got, want] = bases.each_mut().map(|base| block_on(base.logits(&tokens)).unwrap());
        assert_eq!(got, want, "{name}: logits");
        for tuning in [Tuning::Full, lora(4, &Target::ALL), lora(20, &[Target::QProj]), dora(3)] {
            let [got, want] = bases.each_ref().map(|base| {
                let mut arm = base.tune(&tuning, Optimizer::default()).unwrap();
                (0..3).for_each(|step| arm.train_step(&batch(&config, 3, 17, step), 1e-2).unwrap());
                let metrics = block_on(arm.take_metrics()).unwrap();
                (metrics, block_on(arm.gradients()).unwrap(), block_on(arm.tensors()).unwrap())
            });
            assert!(got == want, "{name}, {tuning:?}: {:?}, {:?}", got.0, want.0);
        }
    }
}

/// Rounding moves a weight by at most a part in 2048, so logits of up to about 5 by some 1e-3; and they do move.
#[test]
fn f16_is_close_to_f32() {
    for backend in back_ends() {
        for (name, config) in configs() {
            let tokens: Vec<u32> = (0..13).map(|i| (i * 7 + 3) % config.vocab_size as u32).collect();
            let want = block_on(load(&backend, &config).logits(&tokens)).unwrap();
            let got = block_on(load_as(&backend, &config, Precision::F16).logits(&tokens)).unwrap();
            let largest = want.iter().fold(0f32, |m, v| m.max(v.abs()));
            let error = got.iter().zip(&want).fold(0f32, |m, (g, w)| m.max((g - w).abs()));
            assert!(error > 0.0 && error < 2e-3 * largest, "{name}: {error} of {largest}");
        }
    }
}

#[test]
fn both_back_ends_round_alike() {
    let gpu = gpu();
    for (name, config) in configs() {
        let tokens: Vec<u32> = (0..13).map(|i| (i * 7 + 3) % config.vocab_size as u32).collect();
        let [got, want] = [&gpu, &Backend::Cpu]
            .map(|backend| block_on(load_as(backend, &config, Precision::F16).logits(&tokens)).unwrap());
        for (got, want) in got.iter().zip(&want) {
            assert!((got - want).abs() < 1e-4, "{name}: {got} {want}");
        }
    }
}

/// The arm that trains an f32 copy begins at the base's rounded weights.
#[test]
fn shift_from_an_f16_base_is_exactly_zero_before_the_first_step() {
    let backend = gpu();
    for (name, config) in configs() {
        let mut base = load_as(&backend, &config, Precision::F16);
        for tuning in [Tuning::Full, lora(2, &Target::ALL), dora(2)] {
            let mut arm = base.tune(&tuning, Optimizer::default()).unwrap();
            let shifts = block_on(arm.shift(&mut base, &batch(&config, 3, 17, 1))).unwrap();
            assert!(shifts.iter().all(|s| s.kl == 0.0), "{name}, {tuning:?}");
        }
    }
}

#[test]
fn weights_beyond_f16_are_refused_by_name() {
    let (_, config) = configs().remove(0);
    for backend in back_ends() {
        let mut large = weights(&config, 7);
        large.get_mut("model.layers.1.mlp.up_proj.weight").unwrap().data[5] = -7e4;
        let error = backend.load_as(&config, large.clone(), Precision::F16).err().unwrap().to_string();
        for part in ["model.layers.1.mlp.up_proj.weight", "-70000", "65504", "f32"] {
            assert!(error.contains(part), "{error}");
        }
        backend.load(&config, large).unwrap();
        // Norms stay f32.
        let mut norm = weights(&config, 7);
        norm.get_mut("model.norm.weight").unwrap().data[0] = 7e4;
        backend.load_as(&config, norm, Precision::F16).unwrap();
    }
}
