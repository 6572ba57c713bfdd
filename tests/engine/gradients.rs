use crate::common::{assert_tensors_close, batch, configs, dora, gpu, load, lora, use_kernels, weights};
use driftscope::data::batch::Batch;
use driftscope::engine::{Backend, Model, Tensors, Tuning};
use driftscope::kernels::{IGNORED, Share};
use driftscope::model::config::LlamaConfig;
use driftscope::model::weights::{Array, Weights};
use driftscope::record::Target;
use driftscope::train::Optimizer;
use pollster::block_on;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// f32 sums in another order: a few 1e-6 relative over widths of up to 67 and two or three layers.
const TOLERANCE: f64 = 1e-4;

/// Every model with the kernels of hardware and with those of software.
fn cases() -> impl Iterator<Item = (Share, (&'static str, LlamaConfig))> {
    Share::ALL.into_iter().flat_map(|share| configs().into_iter().map(move |config| (share, config)))
}

fn compare(tuning: &Tuning) {
    let gpu = gpu();
    for (share, (name, config)) in cases() {
        let name = format!("{name}, {share:?}");
        use_kernels(&gpu, share, &config, 3 * 17);
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

#[test]
fn dora_on_some_linears_equals_candle() {
    compare(&dora(3));
}

/// Strength of the term for leaving the base of [`weights`], which the loss adds to the mean of `-log p`; the other
/// half of the cases adds nothing.
const HELD: f32 = 0.7;

fn optimizers() -> [Optimizer; 2] {
    [0.0, HELD].map(|kl_to_base| Optimizer { kl_to_base, ..Optimizer::default() })
}

/// log softmax of each row (V), in f64.
fn log_softmax(logits: &[f32], vocab: usize) -> Vec<Vec<f64>> {
    let of = |row: &[f32]| {
        let log_sum = row.iter().map(|v| f64::from(*v).exp()).sum::<f64>().ln();
        row.iter().map(|v| f64::from(*v) - log_sum).collect()
    };
    logits.chunks_exact(vocab).map(of).collect()
}

/// Mean over the batch's targets of `-log p + strength * KL(base || p)`, nats.
fn loss(backend: &Backend, config: &LlamaConfig, moved: Weights, batch: &Batch, strength: f32) -> f64 {
    let [mut tuned, mut base] = [moved, weights(config, 7)].map(|w| backend.load(config, w).unwrap());
    let rows = batch.tokens.chunks_exact(batch.time).zip(batch.targets.chunks_exact(batch.time));
    let mut sum = 0.0;
    for (tokens, targets) in rows {
        let read =
            |model: &mut Model| log_softmax(&block_on(model.logits(tokens)).unwrap(), config.vocab_size);
        let (logp, logq) = (read(&mut tuned), if strength > 0.0 { read(&mut base) } else { Vec::new() });
        for (n, target) in targets.iter().enumerate().filter(|(_, target)| **target != IGNORED) {
            sum -= logp[n][*target as usize];
            let kl = |logq: &Vec<f64>| logq.iter().zip(&logp[n]).map(|(q, p)| q.exp() * (q - p)).sum::<f64>();
            sum += f64::from(strength) * logq.get(n).map_or(0.0, kl);
        }
    }
    sum / batch.response_tokens() as f64
}

/// Central differences of the loss at some random parameters of each tensor; `loss_at` takes a tensor's name
/// and its moved values.
///
/// The loss (about 4, from f32 logits: noise of a few 1e-7, less in the mean over some 20 targets) gives slopes
/// to about 3e-5 with h = 1e-2, and the truncation (h² / 6 of the third derivative) is a part in 1,000 of
/// the larger slopes.
fn compare_slopes(
    what: &str,
    parameters: &Tensors,
    gradients: &Tensors,
    loss_at: impl Fn(&str, Vec<f32>) -> f64,
) {
    let h = 1e-2f32;
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for (name, (_, values)) in parameters {
        let gradient = &gradients[name].1;
        let largest = gradient.iter().fold(0f32, |m, g| m.max(g.abs()));
        for _ in 0..3 {
            let i = rng.random_range(0..values.len());
            let moved = |by: f32| {
                let mut moved = values.clone();
                moved[i] += by;
                (moved[i], loss_at(name, moved))
            };
            let ((above, up), (below, down)) = (moved(h), moved(-h));
            let slope = ((up - down) / f64::from(above - below)) as f32;
            let error = (gradient[i] - slope).abs();
            let tolerance = 1e-4 + 0.01 * largest;
            assert!(error < tolerance, "{what}: {name}[{i}]: got {}, want {slope}", gradient[i]);
        }
    }
}

#[test]
fn full_gradients_are_slopes_of_the_loss() {
    for backend in [gpu(), Backend::Cpu] {
        for (what, config) in configs() {
            let batch = batch(&config, 3, 17, 4);
            for optimizer in optimizers() {
                let mut arm = load(&backend, &config).tune(&Tuning::Full, optimizer).unwrap();
                // At the base the divergence has no slope: the first step leaves it.
                arm.train_step(&batch, 3e-2).unwrap();
                let parameters = block_on(arm.tensors()).unwrap();
                arm.train_step(&batch, 0.0).unwrap();
                let gradients = block_on(arm.gradients()).unwrap();
                compare_slopes(what, &parameters, &gradients, |name, moved| {
                    let of = |(name, (shape, data)): (&String, &(Vec<usize>, Vec<f32>))| {
                        (name.clone(), Array { shape: shape.clone(), data: data.clone() })
                    };
                    let mut weights: Weights = parameters.iter().map(of).collect();
                    weights.get_mut(name).unwrap().data = moved;
                    loss(&backend, &config, weights, &batch, optimizer.kl_to_base)
                });
            }
        }
    }
}

/// The loss of an adapter is that of the weights it is merged into: W + scale B A, in f64.
#[test]
fn lora_gradients_are_slopes_of_the_loss() {
    const RANK: usize = 3;
    for (backend, optimizer) in
        [gpu(), Backend::Cpu].into_iter().flat_map(|b| optimizers().map(|o| (b.clone(), o)))
    {
        for (what, config) in configs() {
            let batch = batch(&config, 3, 17, 4);
            let tuning = lora(RANK, &Target::ALL);
            let mut arm = load(&backend, &config).tune(&tuning, optimizer).unwrap();
            // The first step moves B away from zero, the second only tells the gradients.
            arm.train_step(&batch, 3e-2).unwrap();
            let parameters = block_on(arm.tensors()).unwrap();
            arm.train_step(&batch, 0.0).unwrap();
            let gradients = block_on(arm.gradients()).unwrap();
            compare_slopes(what, &parameters, &gradients, |name, moved| {
                let mut adapter = parameters.clone();
                adapter.get_mut(name).unwrap().1 = moved;
                let mut weights = weights(&config, 7);
                for (linear, (shape, a)) in adapter.iter().filter(|(name, _)| name.contains("lora_A")) {
                    let (_, b) = &adapter[&linear.replace("lora_A", "lora_B")];
                    let base = linear.replace("base_model.model.", "").replace(".lora_A", "");
                    let w = &mut weights.get_mut(&base).unwrap().data;
                    for (at, w) in w.iter_mut().enumerate() {
                        let (row, column) = (at / shape[1], at % shape[1]);
                        let term = |r| f64::from(b[row * RANK + r]) * f64::from(a[r * shape[1] + column]);
                        *w = (f64::from(*w) + 2.0 * (0..RANK).map(term).sum::<f64>()) as f32;
                    }
                }
                loss(&backend, &config, weights, &batch, optimizer.kl_to_base)
            });
        }
    }
}
