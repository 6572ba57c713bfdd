//! Both divergences between an arm and its base, against sums over the logits in f64.

use crate::common::{back_ends, batch, configs, each_arm, load, lora};
use driftscope::data::batch::Sequence;
use driftscope::engine::{Divergence, Model};
use driftscope::kernels::IGNORED;
use driftscope::measure::loss;
use driftscope::record::Target;
use driftscope::train::Optimizer;
use pollster::block_on;

/// Log-probabilities of each row of logits, f64.
fn logprobs(model: &mut Model, tokens: &[u32]) -> Vec<Vec<f64>> {
    let logits = block_on(model.logits(tokens)).unwrap();
    let row = |row: &[f32]| {
        let sum: f64 = row.iter().map(|&x| f64::from(x).exp()).sum();
        row.iter().map(|&x| f64::from(x) - sum.ln()).collect()
    };
    logits.chunks_exact(logits.len() / tokens.len()).map(row).collect()
}

fn kl(of: &[f64], from: &[f64]) -> f64 {
    of.iter().zip(from).map(|(p, q)| p.exp() * (p - q)).sum()
}

#[test]
fn divergences_have_their_directions() {
    each_arm(|name, arm, base, batch| {
        let zero = block_on(arm.compare(base, batch, Divergence::FromBase)).unwrap();
        assert!(zero.iter().all(|token| token.kl == 0.0), "{name}");
        (0..4).for_each(|_| arm.train_step(batch, 3e-2).unwrap());
        // Asked in turns: neither direction may take the other's plan.
        for _ in 0..2 {
            let to = block_on(arm.shift(base, batch)).unwrap();
            let from = block_on(arm.compare(base, batch, Divergence::FromBase)).unwrap();
            for (row, tokens) in batch.tokens.chunks(batch.time).enumerate() {
                let (own, other) = (logprobs(arm, tokens), logprobs(base, tokens));
                for t in 0..batch.time {
                    let at = row * batch.time + t;
                    let target = batch.targets[at];
                    if target == IGNORED {
                        assert_eq!(from[at].kl, 0.0);
                        continue;
                    }
                    let near = |got: f32, want: f64| {
                        assert!((f64::from(got) - want).abs() < 1e-4, "{name}: {got} {want}");
                    };
                    near(to[at].kl, kl(&own[t], &other[t]));
                    near(from[at].kl, kl(&other[t], &own[t]));
                    for token in [to[at], from[at]] {
                        near(token.logprob, own[t][target as usize]);
                        near(token.base_logprob, other[t][target as usize]);
                    }
                }
            }
            let differs = to.iter().zip(&from).any(|(a, b)| (a.kl - b.kl).abs() > 1e-3);
            assert!(differs, "{name}: nothing tells the directions apart");
        }
    });
}

/// Means over the response tokens of all examples, however they are laid out in batches.
#[test]
fn loss_and_divergence_are_means_over_response_tokens() {
    for backend in back_ends() {
        let (_, config) = configs().remove(0);
        let mut base = load(&backend, &config);
        let mut arm = base.tune(&lora(2, &Target::ALL), Optimizer::default()).unwrap();
        (0..4).for_each(|_| arm.train_step(&batch(&config, 3, 17, 1), 3e-2).unwrap());
        let example = |i: u32| Sequence::new(&[1, 2 + i, 3], &vec![5 + i; 1 + i as usize % 7], 64);
        let examples: Vec<Sequence> = (0..21).map(example).collect();
        let (mut n, mut nll, mut divergence) = (0.0, 0.0, 0.0);
        for example in &examples {
            let (own, other) = (logprobs(&mut arm, &example.tokens), logprobs(&mut base, &example.tokens));
            for t in example.response..example.tokens.len() {
                n += 1.0;
                nll -= own[t - 1][example.tokens[t] as usize];
                divergence += kl(&other[t - 1], &own[t - 1]);
            }
        }
        let (loss, kl) = block_on(loss::and_kl(&mut arm, &mut base, &examples)).unwrap();
        assert!((f64::from(loss) - nll / n).abs() < 1e-4, "{loss} {}", nll / n);
        assert!((f64::from(kl) - divergence / n).abs() < 1e-4 && kl > 1e-2, "{kl} {}", divergence / n);
        let alone = block_on(loss::mean(&mut arm, &examples)).unwrap();
        assert!((loss - alone).abs() < 1e-4, "{loss} {alone}");
    }
}
