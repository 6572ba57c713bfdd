use crate::common::{back_ends, batch, configs, dora, each_arm, gpu, load, lora};
use driftscope::engine::{Backend, Tuning};
use driftscope::kernels::SHIFT;
use driftscope::record::Sampling;
use driftscope::record::Target;
use driftscope::train::Optimizer;
use pollster::block_on;

#[test]
fn logits_equal_candle() {
    let [threads, tiles, cpu] = back_ends();
    for (gpu, (name, config)) in
        [threads, tiles].iter().flat_map(|gpu| configs().into_iter().map(move |c| (gpu, c)))
    {
        let tokens: Vec<u32> = (0..13).map(|i| (i * 7 + 3) % config.vocab_size as u32).collect();
        let got = block_on(load(gpu, &config).logits(&tokens)).unwrap();
        let want = block_on(load(&cpu, &config).logits(&tokens)).unwrap();
        assert_eq!(got.len(), want.len());
        for (got, want) in got.iter().zip(&want) {
            assert!((got - want).abs() < 1e-4, "{name}: {got} {want}");
        }
    }
}

/// The cached decoder feeds one position at a time; it must choose what the uncached forward chooses.
#[test]
fn cached_decoding_equals_uncached() {
    for backend in back_ends() {
        for (name, config) in configs() {
            let base = load(&backend, &config);
            for tuning in [Tuning::Full, lora(2, &Target::ALL), dora(2)] {
                let mut model = base.tune(&tuning, Optimizer::default()).unwrap();
                model.train_step(&batch(&config, 3, 17, 1), 1e-2).unwrap();
                let prompts = [vec![1, 2, 3], vec![4], vec![5, 6, 7, 8, 9]];
                let end = config.vocab_size as u32 - 1;
                let got = block_on(model.generate(&prompts, 6, &[end], Sampling::default())).unwrap();
                for (prompt, got) in prompts.iter().zip(&got) {
                    let mut tokens = prompt.clone();
                    while tokens.len() < prompt.len() + 6 {
                        let top = block_on(model.top_k(&tokens)).unwrap();
                        match top[tokens.len() - 1][0].0 {
                            next if next == end => break,
                            next => tokens.push(next),
                        }
                    }
                    assert_eq!(*got, tokens[prompt.len()..], "{name}, {tuning:?}");
                }
            }
        }
    }
}

/// A LoRA arm with a multiple of its change is the base with that multiple added, follows the arm, and leaves it alone.
#[test]
fn a_scaled_arm_is_the_base_with_a_multiple_of_its_change() {
    for backend in back_ends() {
        for (name, config) in configs() {
            let base = load(&backend, &config);
            let mut arm =
                base.tune(&lora(2, &[Target::KProj, Target::DownProj]), Optimizer::default()).unwrap();
            let mut scaled = arm.scaled(0.5).unwrap().unwrap();
            arm.train_step(&batch(&config, 3, 17, 1), 1e-1).unwrap();
            let tokens: Vec<u32> = (0..13).map(|i| (i * 7 + 3) % config.vocab_size as u32).collect();
            let own = block_on(arm.logits(&tokens)).unwrap();
            let got = block_on(scaled.logits(&tokens)).unwrap();
            let (before, mut weights) = (block_on(base.weights()).unwrap(), block_on(arm.weights()).unwrap());
            for (name, array) in &mut weights {
                array.data.iter_mut().zip(&before[name].data).for_each(|(w, b)| *w = 0.5 * (*w + b));
            }
            let want = block_on(backend.load(&config, weights).unwrap().logits(&tokens)).unwrap();
            assert!(own.iter().zip(&want).any(|(a, b)| (a - b).abs() > 1e-3), "{name}: half is not all");
            for (got, want) in got.iter().zip(&want) {
                assert!((got - want).abs() < 1e-4, "{name}: {got} {want}");
            }
            assert_eq!(block_on(arm.logits(&tokens)).unwrap(), own, "{name}");
            for other in [Tuning::Full, dora(2)] {
                assert!(base.tune(&other, Optimizer::default()).unwrap().scaled(0.5).unwrap().is_none());
            }
        }
    }
}

#[test]
fn shift_is_exactly_zero_before_the_first_step_and_grows() {
    each_arm(|name, arm, base, batch| {
        let before = block_on(arm.shift(base, batch)).unwrap();
        assert!(before.iter().all(|s| s.kl == 0.0), "{name}");
        arm.train_step(batch, 1e-2).unwrap();
        let after = block_on(arm.shift(base, batch)).unwrap();
        assert!(after.iter().any(|s| s.kl > 0.0) && after.iter().all(|s| s.kl > -1e-5), "{name}");
    });
}

/// Zero is no rounding that happens to agree, and no clamp: a base off by one rounding is not zero, of an arm that was
/// not trained and of one that was, by nothing.
#[test]
fn one_rounding_of_the_base_is_no_zero() {
    let (_, config) = configs().remove(0);
    let backend = gpu();
    let Backend::Gpu(device) = &backend else { return };
    let right = "return vec2f(tuned[at], base[at]);";
    assert!(SHIFT.source.contains(right));
    for tuning in [Tuning::Full, lora(2, &Target::ALL), dora(2)] {
        for steps in 0..2 {
            let mut base = load(&backend, &config);
            let mut arm = base.tune(&tuning, Optimizer::default()).unwrap();
            let batch = batch(&config, 3, 17, 1);
            (0..steps).for_each(|_| arm.train_step(&batch, 0.0).unwrap());
            let wrong = "return vec2f(tuned[at], base[at] * 1.0000001);";
            device.replace_source(&SHIFT, SHIFT.source.replace(right, wrong));
            let shifts = block_on(arm.shift(&mut base, &batch)).unwrap();
            device.replace_source(&SHIFT, SHIFT.source.into());
            let is_seen = shifts.iter().any(|s| s.kl > 0.0 || s.logprob != s.base_logprob);
            assert!(is_seen, "{tuning:?} after {steps} steps: {shifts:?}");
        }
    }
}

#[test]
fn a_sequence_beyond_the_model_is_refused() {
    let (_, config) = configs().remove(0);
    for backend in back_ends() {
        let error = block_on(load(&backend, &config).logits(&[1; 65])).unwrap_err();
        assert!(error.to_string().contains("64"), "{error}");
    }
}
