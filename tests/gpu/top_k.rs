use crate::common::{Case, Mistake, assert_close, assert_words, case, dirty, gpu, ids, run, shared, upload};
use driftscope::gpu::Gpu;
use driftscope::kernels as k;
use driftscope::kernels::TopK;

/// Few different values: ties everywhere. Ids are exact, log-probabilities carry the sum's rounding.
fn logits(rows: u32, vocab: u32) -> Vec<f32> {
    ids(1, (rows * vocab) as usize, 40).iter().map(|&v| v as f32 / 4.0 - 20.0).collect()
}

pub fn record_at(gpu: &Gpu, op: TopK) {
    let TopK { rows, vocab, k } = op;
    let logits = logits(rows, vocab);
    let x = upload(gpu, &logits);
    let (top, logprobs) = (dirty(gpu, (rows * k) as usize), dirty(gpu, (rows * k) as usize));
    let got = run(gpu, &[&top, &logprobs], |plan| op.record(plan, &x, &top, &logprobs));
    let want = op.record_cpu(&logits);
    assert_words("ids", &got[0], &want.0);
    assert_close("logprobs", &got[1], &want.1, 1e-5);
}

pub fn record(gpu: &Gpu) {
    for (rows, vocab, k) in [(1, 1, 1), (3, 5, 5), (65, 33, 3), (7, 1003, 16)] {
        shared(gpu, || record_at(gpu, TopK { rows, vocab, k }));
    }
}

/// Logits that rise along the row move most in the lists.
fn rising(gpu: &Gpu, op: TopK) {
    let logits: Vec<f32> = (0..op.rows * op.vocab).map(|i| i as f32 / 8e3).collect();
    let x = upload(gpu, &logits);
    let [top, logprobs] = [0, 1].map(|_| dirty(gpu, (op.rows * op.k) as usize));
    let got = run(gpu, &[&top], |plan| op.record(plan, &x, &top, &logprobs));
    assert_words("ids", &got[0], &op.record_cpu(&logits).0);
}

/// SmolLM2's and Llama 3's vocabularies: more columns than llvmpipe grants a thread loop rounds for.
#[test]
fn wide_rows_equal_twin() {
    let gpu = gpu();
    for vocab in [49_152, 128_256] {
        shared(&gpu, || record_at(&gpu, TopK { rows: 2, vocab, k: 10 }));
        shared(&gpu, || rising(&gpu, TopK { rows: 1, vocab, k: 10 }));
    }
}

#[test]
fn equals_twin() {
    record(&gpu());
}

#[test]
fn twin_is_a_stable_sort() {
    let logits = logits(1, 103);
    let mut order: Vec<u32> = (0..103).collect();
    order.sort_by(|a, b| logits[*b as usize].total_cmp(&logits[*a as usize]));
    let (got, logprobs) = TopK { rows: 1, vocab: 103, k: 16 }.record_cpu(&logits);
    assert_eq!(got, order[..16]);
    let sum: f32 = logits.iter().map(|v| v.exp()).sum();
    let want: Vec<f32> = order[..16].iter().map(|&v| logits[v as usize] - sum.ln()).collect();
    assert_close("logprobs", &logprobs, &want, 1e-5);
}

/// Its kernels and their uniforms.
pub fn cases() -> Vec<Case> {
    vec![case(&k::TOP_K, layout!(TopK { rows, vocab, k }))]
}

#[rustfmt::skip]
pub fn mistakes() -> Vec<Mistake> {
    mistakes![
        TOP_K "logit <= best" => "logit < best", record;
        TOP_K "largest + log(" => "log(", record;
        TOP_K "min(owners[t], owners[t + half])" => "max(owners[t], owners[t + half])", record;
        TOP_K "taken++" => "taken += 2u", record;
    ]
}
