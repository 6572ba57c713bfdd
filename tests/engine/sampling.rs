use crate::common::{back_ends, batch, configs, gpu, load, lora};
use driftscope::engine::{Backend, Model, Tuning};
use driftscope::kernels::Draw;
use driftscope::model::config::LlamaConfig;
use driftscope::record::Sampling;
use driftscope::record::Target;
use driftscope::train::Optimizer;
use pollster::block_on;

const NEW: usize = 6;

const SAMPLINGS: [Sampling; 3] = [
    Sampling { temperature: 1.0, top_p: 1.0, seed: 1 },
    Sampling { temperature: 0.6, top_p: 0.8, seed: 2 },
    Sampling { temperature: 3.0, top_p: 0.95, seed: 3 },
];

/// More than two chunks of a decoder, of lengths 1 to 5.
fn prompts(config: &LlamaConfig) -> Vec<Vec<u32>> {
    let vocab = config.vocab_size as u32;
    (0..130).map(|i| (0..=i % 5).map(|j| (7 * i + 3 * j + 1) % vocab).collect()).collect()
}

fn generate(model: &mut Model, prompts: &[Vec<u32>], end: u32, sampling: Sampling) -> Vec<Vec<u32>> {
    block_on(model.generate(prompts, NEW, &[end], sampling)).unwrap()
}

/// Scores agree to about 1e-5, so that a tie that tips over is rarer than one in 10,000 tokens.
#[test]
fn both_back_ends_draw_the_same_tokens() {
    let gpu = gpu();
    for (name, config) in configs() {
        let (mut on_gpu, mut on_cpu) = (load(&gpu, &config), load(&Backend::Cpu, &config));
        let prompts = prompts(&config);
        for sampling in SAMPLINGS {
            let got = generate(&mut on_gpu, &prompts, 1, sampling);
            assert_eq!(got, generate(&mut on_cpu, &prompts, 1, sampling), "{name}, {sampling:?}");
        }
    }
}

/// The rule by itself: the logits of an uncached pass, and the draw for (seed, sequence, position).
#[test]
fn cached_draws_equal_uncached() {
    for backend in back_ends() {
        for (name, config) in configs() {
            let base = load(&backend, &config);
            for (tuning, sampling) in [Tuning::Full, lora(2, &Target::ALL)].iter().zip(SAMPLINGS) {
                let mut model = base.tune(tuning, Optimizer::default()).unwrap();
                model.train_step(&batch(&config, 3, 17, 1), 1e-2).unwrap();
                let (prompts, end) = (prompts(&config), 1);
                let got = generate(&mut model, &prompts, end, sampling);
                for index in [0, 1, 4, 63, 64, 129] {
                    let mut tokens = prompts[index].clone();
                    while tokens.len() < prompts[index].len() + NEW {
                        let logits = block_on(model.logits(&tokens)).unwrap();
                        let last = &logits[logits.len() - config.vocab_size..];
                        let Sampling { temperature, top_p, seed } = sampling;
                        let draw = Draw { temperature, top_p, seed, sequence: index as u32 };
                        match draw.choose(last, 0, tokens.len() as u32) {
                            next if next == end => break,
                            next => tokens.push(next),
                        }
                    }
                    assert_eq!(got[index], tokens[prompts[index].len()..], "{name}, {tuning:?}, row {index}");
                }
            }
        }
    }
}

#[test]
fn the_seed_decides() {
    let (_, config) = configs().remove(0);
    for backend in back_ends() {
        let mut model = load(&backend, &config);
        let prompts = prompts(&config);
        let mut of = |seed| generate(&mut model, &prompts, 1, Sampling { seed, ..SAMPLINGS[0] });
        let (first, again, other) = (of(1), of(1), of(2));
        assert_eq!(first, again);
        let different = first.iter().zip(&other).filter(|(a, b)| a != b).count();
        assert!(different > 100, "{different} of 130 answers differ");
        // The same prompt twice in a call is drawn twice.
        let twice = generate(&mut model, &[vec![5, 6], vec![5, 6]], 1, SAMPLINGS[0]);
        assert_ne!(twice[0], twice[1]);
    }
}

#[test]
fn a_small_temperature_is_greedy() {
    let (_, config) = configs().remove(0);
    for backend in back_ends() {
        let mut model = load(&backend, &config);
        let prompts = prompts(&config)[..20].to_vec();
        let cold = Sampling { temperature: 1e-3, top_p: 1.0, seed: 9 };
        let greedy = generate(&mut model, &prompts, 1, Sampling::default());
        assert_eq!(generate(&mut model, &prompts, 1, cold), greedy);
        // A nucleus of nothing is the likeliest token.
        let narrow = Sampling { temperature: 1.0, top_p: 0.0, seed: 9 };
        assert_eq!(generate(&mut model, &prompts, 1, narrow), greedy);
    }
}

#[test]
fn values_outside_their_range_are_refused() {
    let (_, config) = configs().remove(0);
    let mut model = load(&Backend::Cpu, &config);
    for (temperature, top_p, field) in [
        (-1.0, 1.0, "temperature"),
        (f32::NAN, 1.0, "temperature"),
        (1.0, 1.5, "top_p"),
        (0.0, f32::NAN, "top_p"),
    ] {
        let sampling = Sampling { temperature, top_p, seed: 0 };
        let error = block_on(model.generate(&[vec![1]], 1, &[0], sampling)).unwrap_err();
        assert!(error.name() == "setting" && error.to_string().contains(field), "{error}");
    }
}
