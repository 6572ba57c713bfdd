use crate::common::{
    Case, Mistake, assert_close, assert_within, case, dirty, gpu, ids, run, scaled, shared, upload,
};
use driftscope::gpu::Gpu;
use driftscope::kernels as k;
use driftscope::kernels::{IGNORED, Shift};

fn column(out: &[f32], c: usize) -> Vec<f32> {
    out.iter().skip(c).step_by(4).copied().collect()
}

/// KL sums terms of size p times the logits' rounding error, a few 1e-7 in all. Base logits are rounded to
/// steps of a half, so that ranks have ties; ranks are exact.
pub fn record_at(gpu: &Gpu, rows: u32, vocab: u32, scale: f32) {
    let op = Shift { rows, vocab };
    let n = (rows * vocab) as usize;
    let tuned = scaled(1, n, scale);
    let base: Vec<f32> = scaled(2, n, scale).iter().map(|v| (v * 2.0).round() / 2.0).collect();
    let mut tokens = ids(3, rows as usize, vocab);
    tokens.iter_mut().skip(1).step_by(4).for_each(|t| *t = IGNORED);
    let (t, b, i) = (upload(gpu, &tuned), upload(gpu, &base), upload(gpu, &tokens));
    let out = dirty(gpu, 4 * rows as usize);
    let got = run(gpu, &[&out], |plan| op.record(plan, &t, &b, &i, &out));
    let want = op.record_cpu(&tuned, &base, &tokens);
    let columns = |c| (column(&got[0], c), column(&want, c));
    let (got_kl, want_kl) = columns(0);
    // Not relative alone: that of nearly equal rows is small, its rounding errors are not.
    let largest = want_kl.iter().fold(0.0, |m: f32, kl| m.max(*kl));
    let rounding = 1e-5 * (vocab as f32 / 1000.0).sqrt().max(1.0);
    assert_within("kl", &got_kl, &want_kl, 2e-7 + rounding * largest);
    for (c, what, tolerance) in [(1, "rank", 0.0), (2, "logprob", 1e-5), (3, "base logprob", 1e-5)] {
        let (got, want) = columns(c);
        assert_close(what, &got, &want, tolerance);
    }
    let got = run(gpu, &[&out], |plan| op.record(plan, &b, &b, &i, &out));
    assert!(column(&got[0], 0).iter().all(|kl| *kl == 0.0), "equal rows: got {:?}", got[0]);
}

pub fn record(gpu: &Gpu) {
    for (rows, vocab, scale) in [(1, 1, 1.0), (3, 5, 3.0), (65, 33, 10.0), (7, 1003, 4.0)] {
        shared(gpu, || record_at(gpu, rows, vocab, scale));
    }
}

/// SmolLM2's and Llama 3's vocabularies: more columns than llvmpipe grants a thread loop rounds for.
#[test]
fn wide_rows_equal_twin() {
    let gpu = gpu();
    for vocab in [49_152, 128_256] {
        shared(&gpu, || record_at(&gpu, 3, vocab, 3.0));
    }
}

#[test]
fn equals_twin() {
    record(&gpu());
}

/// Σ p (log p - log q) in f64, down to a shift so small that f32 differences of log-probabilities are noise.
#[test]
fn twin_is_the_kl_divergence() {
    let vocab = 1003;
    let base = scaled(1, vocab, 5.0);
    for size in [1e-4, 1e-2, 1.0, 10.0] {
        let tuned: Vec<f32> = base.iter().zip(scaled(2, vocab, size)).map(|(b, d)| b + d).collect();
        let probabilities = |row: &[f32]| -> Vec<f64> {
            let exps: Vec<f64> = row.iter().map(|v| f64::from(*v).exp()).collect();
            let sum: f64 = exps.iter().sum();
            exps.iter().map(|e| e / sum).collect()
        };
        let (p, q) = (probabilities(&tuned), probabilities(&base));
        let want: f64 = p.iter().zip(&q).map(|(p, q)| p * (p / q).ln()).sum();
        let got = Shift { rows: 1, vocab: vocab as u32 }.record_cpu(&tuned, &base, &[17]);
        let error = (f64::from(got[0]) - want).abs();
        assert!(error < 1e-7 + 1e-5 * want, "size {size}: got {}, want {want}", got[0]);
        assert!((f64::from(got[2]) - p[17].ln()).abs() < 1e-5);
        assert!((f64::from(got[3]) - q[17].ln()).abs() < 1e-5);
    }
}

/// By hand: of equal logits the lower id ranks first.
#[test]
fn ranks_count_larger_logits_and_lower_ids() {
    let base = [1.0, 3.0, 2.0, 2.0, 0.0];
    let op = Shift { rows: 1, vocab: 5 };
    let ranks: Vec<f32> = (0..5).map(|token| op.record_cpu(&base, &base, &[token])[1]).collect();
    assert_eq!(ranks, [4.0, 1.0, 2.0, 3.0, 5.0]);
}

/// Its kernels and their uniforms.
pub fn cases() -> Vec<Case> {
    vec![case(&k::SHIFT, layout!(Shift { rows, vocab }))]
}

#[rustfmt::skip]
pub fn mistakes() -> Vec<Mistake> {
    mistakes![
        SHIFT "v < token" => "v <= token", record;
        SHIFT "row_sum(t, mine.y)" => "mine.y", record;
        SHIFT "logp.x - logp.y" => "logp.y - logp.x", record;
    ]
}
