//! The head over rows that count, in chunks of the vocabulary.

use crate::common::{assert_tensors_close, batch, configs, dora, gpu, load, lora};
use driftscope::data::batch::Batch;
use driftscope::engine::{Backend, Model, Tuning};
use driftscope::kernels::IGNORED;
use driftscope::model::config::LlamaConfig;
use driftscope::record::Target;
use driftscope::train::Optimizer;
use pollster::block_on;

/// A back end that holds few logits at a time: chunks of 64 to 128 columns.
fn in_chunks() -> Backend {
    let backend = gpu();
    if let Backend::Gpu(gpu) = &backend {
        gpu.choose(|choices| choices.head_bytes = 1);
    }
    backend
}

/// Vocabularies of several chunks, the second not a multiple of 4; tied heads and one of its own.
fn wide() -> [LlamaConfig; 2] {
    let mut all = configs().into_iter().map(|(_, config)| config);
    let [tied, own] = [all.next().unwrap(), all.next().unwrap()];
    [LlamaConfig { vocab_size: 320, ..tied }, LlamaConfig { vocab_size: 331, ..own }]
}

/// Chunked, whole and candle's gradients are the same but for the order of f32 sums, as in `gradients.rs`. The step
/// in between is small: AdamW's first one goes by the sign of gradients that may be all rounding.
#[test]
fn gradients_in_chunks_equal_candle() {
    for config in wide() {
        let held = Optimizer { kl_to_base: 0.5, ..Optimizer::default() };
        let tunings = [Tuning::Full, lora(4, &Target::ALL), dora(3)];
        let cases = tunings.iter().flat_map(|tuning| [(tuning, Optimizer::default()), (tuning, held)]);
        for (tuning, optimizer) in cases {
            let arm = |backend: &Backend| load(backend, &config).tune(tuning, optimizer).unwrap();
            let mut arms = [in_chunks(), gpu(), Backend::Cpu].map(|backend| arm(&backend));
            for step in 0..2 {
                let batch = batch(&config, 3, 17, step);
                arms.iter_mut().for_each(|arm| arm.train_step(&batch, 1e-3).unwrap());
                let [chunked, whole, want] = arms.each_ref().map(|arm| block_on(arm.gradients()).unwrap());
                assert_tensors_close("chunked", &chunked, &want, 1e-4);
                assert_tensors_close("whole", &whole, &want, 1e-4);
                let [chunked, whole, want] =
                    arms.each_mut().map(|arm| block_on(arm.take_metrics()).unwrap()[0].loss);
                assert!((chunked / want - 1.0).abs() < 1e-5, "{chunked} {want}");
                assert!((whole / want - 1.0).abs() < 1e-5, "{whole} {want}");
            }
        }
    }
}

/// Llama 3's vocabulary, whose rows and sums are longer than llvmpipe grants a thread loop rounds for: training, drift
/// and top tokens follow candle.
#[test]
fn a_wide_vocabulary_follows_candle() {
    let (_, tied) = configs().remove(0);
    let config = LlamaConfig { vocab_size: 128_256, hidden_size: 8, num_hidden_layers: 1, ..tied };
    let batch = batch(&config, 2, 9, 1);
    for tuning in [Tuning::Full, lora(2, &Target::ALL)] {
        let run = |backend: &Backend| {
            let mut base = load(backend, &config);
            let mut arm = base.tune(&tuning, Optimizer::default()).unwrap();
            for _ in 0..2 {
                arm.train_step(&batch, 1e-2).unwrap();
            }
            let metrics = block_on(arm.take_metrics()).unwrap();
            let shifts = block_on(arm.shift(&mut base, &batch)).unwrap();
            (metrics, shifts, block_on(arm.top_k(&batch.tokens[..5])).unwrap())
        };
        let ((metrics, shifts, top), (want, want_shifts, want_top)) = (run(&gpu()), run(&Backend::Cpu));
        for (got, want) in metrics.iter().zip(&want) {
            assert!((got.loss / want.loss - 1.0).abs() < 1e-4, "{tuning:?}: {got:?} {want:?}");
            assert!((got.grad_norm / want.grad_norm - 1.0).abs() < 1e-3, "{tuning:?}: {got:?} {want:?}");
        }
        let largest = want_shifts.iter().fold(0.0, |most: f32, shift| most.max(shift.kl));
        for (got, want) in shifts.iter().zip(&want_shifts) {
            assert!((got.kl - want.kl).abs() < 1e-5 + 1e-2 * largest, "{tuning:?}: {got:?} {want:?}");
        }
        let likelihoods = |top: &[Vec<(u32, f32)>]| top.concat().iter().map(|(_, p)| *p).collect::<Vec<_>>();
        for (got, want) in likelihoods(&top).iter().zip(likelihoods(&want_top)) {
            assert!((got - want).abs() < 1e-3, "{tuning:?}: {got} {want}");
        }
    }
}

/// `batch` with the targets that `keep` does not name ignored.
fn keeping(mut batch: Batch, keep: impl Fn(usize) -> bool) -> Batch {
    let targets = batch.targets.iter_mut().enumerate();
    targets.filter(|(n, _)| !keep(*n)).for_each(|(_, target)| *target = IGNORED);
    batch
}

/// Few and many rows that count, none in a micro-batch, in plans that share their buffers.
#[test]
fn every_number_of_counted_rows_equals_candle() {
    let [config, _] = wide();
    let [mut got, mut want] = [in_chunks(), Backend::Cpu]
        .map(|backend| load(&backend, &config).tune(&Tuning::Full, Optimizer::default()).unwrap());
    for (step, keep) in [1, 150, 33, 2, 149].into_iter().enumerate() {
        let whole = batch(&config, 5, 30, step as u64);
        let all: Vec<u32> = whole.tokens.iter().map(|t| (t + 1) % 320).collect();
        let some = keeping(Batch { targets: all, ..whole }, |n| (n * 7 + 40) % 150 < keep);
        let none = keeping(some.clone(), |_| false);
        let micro = if step == 4 { vec![none, some] } else { vec![some] };
        for arm in [&mut got, &mut want] {
            arm.accumulated_step(&micro, 1e-3).unwrap();
        }
        let [a, b] = [&got, &want].map(|arm| block_on(arm.gradients()).unwrap());
        assert_tensors_close(&format!("{keep} rows"), &a, &b, 1e-4);
        let [a, b] = [&mut got, &mut want].map(|arm| block_on(arm.take_metrics()).unwrap()[0].loss);
        assert!((a / b - 1.0).abs() < 1e-5, "{keep} rows: {a} {b}");
    }
}

/// Losses in chunks, and shifts over several blocks of rows.
#[test]
fn losses_and_shifts_in_chunks_equal_candle() {
    for config in wide() {
        let measure = |backend: &Backend| {
            let mut base: Model = load(backend, &config);
            let mut arm = base.tune(&lora(4, &Target::ALL), Optimizer::default()).unwrap();
            arm.train_step(&batch(&config, 3, 17, 0), 1e-2).unwrap();
            let mut all = batch(&config, 5, 30, 1);
            all.targets = all.tokens.clone();
            [all.clone(), keeping(all, |n| n % 3 == 1)].map(|batch| {
                let nll = block_on(arm.nll(&batch)).unwrap();
                (nll, block_on(arm.shift(&mut base, &batch)).unwrap())
            })
        };
        for ((nll, shift), (want_nll, want_shift)) in
            measure(&in_chunks()).into_iter().zip(measure(&Backend::Cpu))
        {
            assert_eq!((nll.len(), shift.len()), (150, 150));
            assert!(nll.iter().zip(&want_nll).all(|(a, b)| (a - b).abs() < 1e-4), "{nll:?} {want_nll:?}");
            for (got, want) in shift.iter().zip(&want_shift) {
                assert!((got.kl - want.kl).abs() < 1e-4 + 1e-3 * want.kl, "{got:?} {want:?}");
                assert!((got.logprob - want.logprob).abs() < 1e-4, "{got:?} {want:?}");
                assert!((got.base_logprob - want.base_logprob).abs() < 1e-4, "{got:?} {want:?}");
                assert!(got.rank.abs_diff(want.rank) <= 1, "{got:?} {want:?}");
            }
        }
    }
}
