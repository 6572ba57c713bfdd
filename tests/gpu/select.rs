use crate::common::{Case, Mistake, assert_words, case, gpu, ids, run, scaled, upload};
use driftscope::gpu::Gpu;
use driftscope::kernels as k;
use driftscope::kernels::{Advance, Draw, IGNORED, Select, Slices};

/// What the adapter gets, a thread a row, several rows in a workgroup, and a workgroup a row.
fn slices(gpu: &Gpu, op: Select) -> Vec<Slices> {
    match op.vocab {
        // A thread alone would exceed llvmpipe's number of loop rounds.
        2000.. => vec![op.slices(gpu), Select::WIDE],
        _ => vec![op.slices(gpu), Select::NARROW, Slices { threads: 64, slices: 8 }, Select::WIDE],
    }
}

/// Every position of a cache, half of the tokens forced; the last position has no room after it.
fn check(gpu: &Gpu, op: Select, logits: &[f32], draw: Draw) {
    let Select { batch, kv_time, vocab } = op;
    let mut forced = ids(2, (batch * kv_time) as usize, vocab);
    forced.iter_mut().step_by(2).for_each(|t| *t = IGNORED);
    for slices in slices(gpu, op) {
        for position in 0..kv_time {
            let mut tokens = ids(3, forced.len(), vocab);
            let mut current = ids(4, batch as usize, vocab);
            let (x, d) = (upload(gpu, logits), upload(gpu, draw.words()));
            let [f, p, t, c] = [&forced, &vec![position], &tokens, &current].map(|v| upload(gpu, v));
            let got = run(gpu, &[&t, &c], |plan| op.record_as(slices, plan, [&x, &f, &p, &d], [&t, &c]));
            op.record_cpu(logits, &forced, position, draw, &mut tokens, &mut current);
            let what = |name: &str| format!("{name}, {op:?} {draw:?} {slices:?}");
            assert_words(&what("tokens"), &got[0], &tokens);
            assert_words(&what("current"), &got[1], &current);
        }
    }
}

const SHAPES: [(u32, u32, u32); 4] = [(1, 1, 1), (3, 4, 7), (70, 3, 33), (5, 2, 1003)];

/// Logits of few different values, so that most rows have equal largest ones.
pub fn greedy_at(gpu: &Gpu, op: Select) {
    let n = (op.batch * op.vocab) as usize;
    let logits: Vec<f32> = ids(1, n, 5).iter().map(|&v| v as f32 - 7.0).collect();
    check(gpu, op, &logits, Draw::default());
}

/// Ids are equal although sums and logarithms are not to the last bit: that matters where two scores, or a
/// kept mass and top-p, agree to 1e-6.
pub fn drawn_at(gpu: &Gpu, op: Select, draw: Draw) {
    check(gpu, op, &scaled(1, (op.batch * op.vocab) as usize, 6.0), draw);
}

pub fn greedy(gpu: &Gpu) {
    for (batch, kv_time, vocab) in SHAPES {
        greedy_at(gpu, Select { batch, kv_time, vocab });
    }
}

/// Every shape with each of some temperatures and top-p's.
fn draws(gpu: &Gpu, rules: &[(f32, f32)]) {
    for (batch, kv_time, vocab) in SHAPES {
        for &(temperature, top_p) in rules {
            let draw = Draw { temperature, top_p, seed: 17, sequence: 64 };
            drawn_at(gpu, Select { batch, kv_time, vocab }, draw);
        }
    }
}

pub fn drawn(gpu: &Gpu) {
    draws(gpu, &[(1.0, 1.0), (2.5, 1.0), (0.01, 1.0)]);
}

pub fn nucleus(gpu: &Gpu) {
    draws(gpu, &[(0.7, 0.9), (1.5, 0.35), (1.0, 0.0)]);
}

pub fn advance(gpu: &Gpu) {
    advance_at(gpu, 41, 3);
}

pub fn advance_at(gpu: &Gpu, from: u32, by: u32) {
    let position = upload(gpu, &[from]);
    let got = run(gpu, &[&position], |plan| {
        Advance { by: 1 }.record(plan, &position);
        Advance { by }.record(plan, &position);
    });
    let mut want = from;
    Advance { by: 1 }.record_cpu(&mut want);
    Advance { by }.record_cpu(&mut want);
    assert_words("position", &got[0], &[want]);
}

#[test]
fn greedy_equals_twin() {
    greedy(&gpu());
}

#[test]
fn draws_equal_twin() {
    drawn(&gpu());
    nucleus(&gpu());
}

/// SmolLM2's and Llama 3's vocabularies, and an odd one.
#[test]
fn wide_vocabularies_equal_twin() {
    let gpu = gpu();
    for vocab in [20_011, 49_152, 128_256] {
        let op = Select { batch: 2, kv_time: 2, vocab };
        greedy_at(&gpu, op);
        for (temperature, top_p) in [(1.0, 1.0), (0.8, 0.9)] {
            drawn_at(&gpu, op, Draw { temperature, top_p, seed: 3, sequence: 0 });
        }
    }
}

#[test]
fn advance_equals_twin() {
    advance(&gpu());
}

/// By hand: the first row is forced, the second takes the lower of two equal ids.
#[test]
fn takes_forced_tokens_and_the_lowest_id() {
    let (mut tokens, mut current) = ([0; 4], [0; 2]);
    let logits = [0.0, 9.0, 1.0, -3.0, 2.0, 2.0];
    let forced = [IGNORED, 2, IGNORED, IGNORED];
    let op = Select { batch: 2, kv_time: 2, vocab: 3 };
    op.record_cpu(&logits, &forced, 0, Draw::default(), &mut tokens, &mut current);
    assert_eq!((tokens, current), ([0, 2, 0, 1], [2, 1]));
}

fn softmax(logits: &[f32], temperature: f64) -> Vec<f64> {
    let exps: Vec<f64> = logits.iter().map(|l| (f64::from(*l) / temperature).exp()).collect();
    let sum: f64 = exps.iter().sum();
    exps.iter().map(|e| e / sum).collect()
}

/// How often each token is drawn in 40,000 draws that differ in one of seed, sequence, row and position.
fn counts(logits: &[f32], draw: Draw) -> Vec<f64> {
    let mut counts = vec![0.0; logits.len()];
    for i in 0..10_000 {
        let by_row = draw.choose(logits, i, 7);
        let by_position = draw.choose(logits, 7, 10_000 + i);
        let by_seed = Draw { seed: draw.seed + 1 + i, ..draw }.choose(logits, 7, 7);
        let by_sequence = Draw { sequence: 20_000 + i, ..draw }.choose(logits, 0, 7);
        for token in [by_row, by_position, by_seed, by_sequence] {
            counts[token as usize] += 1.0;
        }
    }
    counts
}

/// Pearson's statistic has mean V - 1 and standard deviation sqrt(2 (V - 1)): five of these above the mean
/// is one chance in a million; the noise is fixed, so the test always gives the same.
#[test]
fn draws_follow_softmax() {
    for (vocab, temperature) in [(2, 1.0), (7, 1.0), (50, 1.0), (7, 0.5), (7, 3.0)] {
        let logits = scaled(3, vocab, 2.0);
        let got = counts(&logits, Draw { temperature, top_p: 1.0, seed: 1, sequence: 0 });
        let want = softmax(&logits, f64::from(temperature));
        let statistic: f64 =
            got.iter().zip(&want).map(|(n, p)| (n - 40_000.0 * p).powi(2) / (40_000.0 * p)).sum();
        let freedom = (vocab - 1) as f64;
        let bound = freedom + 5.0 * (2.0 * freedom).sqrt();
        assert!(statistic < bound, "{vocab} tokens at {temperature}: {statistic} (bound {bound})");
    }
}

/// The likeliest tokens up to the one with which their sum reaches top-p, and of these every one.
#[test]
fn top_p_keeps_the_nucleus() {
    let logits = scaled(4, 20, 1.5);
    let p = softmax(&logits, 1.0);
    let mut order: Vec<usize> = (0..20).collect();
    order.sort_by(|a, b| p[*b].total_cmp(&p[*a]));
    for top_p in [0.0, 0.1, 0.5, 0.9, 0.97] {
        let mut sum = 0.0;
        let mut nucleus = Vec::new();
        for &v in &order {
            nucleus.push(v);
            sum += p[v];
            if sum >= f64::from(top_p) {
                break;
            }
        }
        nucleus.sort_unstable();
        let counts = counts(&logits, Draw { temperature: 1.0, top_p, seed: 2, sequence: 0 });
        let drawn: Vec<usize> = (0..20).filter(|&v| counts[v] > 0.0).collect();
        assert_eq!(drawn, nucleus, "top_p {top_p}");
    }
    // Equal probabilities at the border are all kept.
    let counts = counts(&[1.0, 1.0, 0.0, 1.0], Draw { temperature: 1.0, top_p: 0.4, seed: 2, sequence: 0 });
    assert!(counts[0] > 0.0 && counts[1] > 0.0 && counts[2] == 0.0 && counts[3] > 0.0, "{counts:?}");
}

#[test]
fn a_small_temperature_is_greedy() {
    for seed in 0..200 {
        let logits = scaled(u64::from(seed), 33, 4.0);
        let cold = Draw { temperature: 1e-3, top_p: 1.0, seed, sequence: 0 };
        let mut sorted = logits.clone();
        sorted.sort_by(f32::total_cmp);
        // Where the two largest are 1e-3 apart, the second is a fair choice at that temperature.
        if sorted[32] - sorted[31] > 0.03 {
            assert_eq!(cold.choose(&logits, 0, 1), Draw::default().choose(&logits, 0, 1), "seed {seed}");
        }
    }
}

/// Small weights of a wide vocabulary are drawn as often as they ought to be: the noise reaches far enough.
#[test]
fn rare_tokens_are_drawn() {
    // One token of 0.9 and 30,000 that share the rest.
    let mut logits = vec![0.0f32; 30_001];
    logits[5] = (9.0f32 * 30_000.0).ln();
    let draw = Draw { temperature: 1.0, top_p: 1.0, seed: 3, sequence: 0 };
    let rare = (0..2_000).filter(|&i| draw.choose(&logits, i, 1) != 5).count();
    // 200 expected, standard deviation 13.4.
    assert!((140..=260).contains(&rare), "{rare} of 2,000");
}

/// Its kernels and their uniforms.
pub fn cases() -> Vec<Case> {
    vec![
        case(&k::ADVANCE, layout!(Advance { by })),
        case(&k::SELECT, layout!(Select { batch, kv_time, vocab })),
    ]
}

#[rustfmt::skip]
pub fn mistakes() -> Vec<Mistake> {
    mistakes![
        ADVANCE "+=" => "=", advance;
        SELECT "logit > best.score" => "logit >= best.score", greedy;
        SELECT "pcg(key + v)" => "pcg(key)", drawn;
        SELECT "t) >= wanted" => "t) >= 0.8 * wanted", nucleus;
        SELECT "scores[t] += scores[t + half * across]" => "scores[t] += scores[t]", nucleus;
    ]
}
