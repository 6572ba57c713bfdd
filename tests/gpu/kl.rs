use crate::common::{
    Case, Mistake, assert_close, assert_gradient, assert_within, case, gpu, run, scaled, shared, upload,
};
use crate::cross_entropy::inputs;
use crate::cross_entropy_chunk::split;
use driftscope::gpu::Gpu;
use driftscope::kernels as k;
use driftscope::kernels::{CrossEntropyChunk, IGNORED, KlBackward, KlInputs, Step};

/// rows, vocabulary, columns of a chunk, scale, strength
const SHAPES: [(u32, u32, u32, f32, f32); 5] = [
    (1, 1, 1, 1.0, 1.0),
    (3, 50, 7, 100.0, 0.3),
    (65, 33, 33, 10.0, 2.0),
    (7, 1003, 256, 3.0, 0.1),
    (5, 64, 64, 3.0, 0.0),
];

/// What all chunks of a forward pass leave: states and nll.
fn forward(chunks: &[(CrossEntropyChunk, Vec<f32>)], targets: &[u32]) -> (Vec<f32>, Vec<f32>) {
    let (mut state, mut nll) = (vec![0.0; 4 * targets.len()], vec![0.0; targets.len()]);
    for (op, chunk) in chunks {
        op.forward_cpu(chunk, targets, &mut state, &mut nll);
    }
    (state, nll)
}

/// The logits of the base: those of the model, each moved by up to half of the scale.
fn base_of(logits: &[f32], scale: f32) -> Vec<f32> {
    logits.iter().zip(scaled(9, logits.len(), scale / 2.0)).map(|(x, d)| x + d).collect()
}

/// Σ q (log q - log p) of each row, in f64; 0 where the row does not count.
fn divergences(vocab: u32, logits: &[f32], base: &[f32], targets: &[u32]) -> Vec<f64> {
    let log_softmax = |row: &[f32]| -> Vec<f64> {
        let largest = row.iter().fold(f32::MIN, |m, v| m.max(*v));
        let shifted: Vec<f64> = row.iter().map(|v| f64::from(*v) - f64::from(largest)).collect();
        let log_sum = shifted.iter().map(|v| v.exp()).sum::<f64>().ln();
        shifted.iter().map(|v| v - log_sum).collect()
    };
    let rows = logits.chunks_exact(vocab as usize).zip(base.chunks_exact(vocab as usize));
    let of = |((x, y), target): ((&[f32], &[f32]), &u32)| match *target {
        IGNORED => 0.0,
        _ => {
            let (p, q) = (log_softmax(x), log_softmax(y));
            q.iter().zip(&p).map(|(q, p)| q.exp() * (q - p)).sum()
        }
    };
    rows.zip(targets).map(of).collect()
}

/// Every chunk against the twin, and the sum of the twin's against f64. Exponentials are summed in another order:
/// about 1e-6 of each gradient's largest term. The divergence's terms cancel: its error is bound by the sum of their
/// magnitudes, Σ q |log q - log p|, at most the largest distance of two logits; 1e-6 of it, times the strength.
pub fn backward_at(gpu: &Gpu, rows: u32, vocab: u32, across: u32, scale: f32, strength: f32) {
    let step = Step { inv_targets: 0.25, ..Step::default() };
    let (logits, targets) = inputs(rows, vocab, scale);
    let base = base_of(&logits, scale);
    let chunks = split(rows, vocab, across, &logits);
    let base_chunks = split(rows, vocab, across, &base);
    let (state, mut want_nll) = forward(&chunks, &targets);
    let (base_state, _) = forward(&base_chunks, &targets);
    let cross_entropy = want_nll.clone();
    let bound = 4e-6 * (strength * 4.0 * scale + want_nll.iter().fold(1.0, |m: f32, v| m.max(v.abs())));

    let (t, now) = (upload(gpu, &targets), upload(gpu, step.words()));
    let (s, b, nll) = (upload(gpu, &state), upload(gpu, &base_state), upload(gpu, &want_nll));
    for ((chunk, mut values), (_, base)) in chunks.into_iter().zip(base_chunks) {
        let op = KlBackward { rows, width: chunk.width, start: chunk.start, strength };
        let (x, y) = (upload(gpu, &values), upload(gpu, &base));
        let inputs = KlInputs { targets: &t, step: &now, state: &s, base_state: &b, base_logits: &y };
        let got = run(gpu, &[&x, &nll], |plan| op.record(plan, &inputs, &x, &nll));
        op.record_cpu(&targets, &step, [&state, &base_state], &base, &mut values, &mut want_nll);
        assert_close("dlogits", &got[0], &values, 1e-5);
        assert_within("nll", &got[1], &want_nll, bound);
    }
    let kl = divergences(vocab, &logits, &base, &targets);
    let added = |(kl, nll): (f64, &f32)| (f64::from(*nll) + f64::from(strength) * kl) as f32;
    let want: Vec<f32> = kl.into_iter().zip(&cross_entropy).map(added).collect();
    assert_within("nll in f64", &want_nll, &want, bound);
}

pub fn backward(gpu: &Gpu) {
    shared(gpu, || {
        for (rows, vocab, across, scale, strength) in SHAPES {
            backward_at(gpu, rows, vocab, across, scale, strength);
        }
    });
}

#[test]
fn backward_equals_twin() {
    backward(&gpu());
}

/// A chunk of 128,256 columns: more than llvmpipe grants a thread loop rounds for.
#[test]
fn wide_rows_equal_twin() {
    backward_at(&gpu(), 3, 128_256, 128_256, 3.0, 0.5);
}

#[test]
fn backward_is_the_gradient() {
    let (rows, vocab, strength) = (4, 5, 0.7);
    let step = Step { inv_targets: 0.5, ..Step::default() };
    let (logits, targets) = inputs(rows, vocab, 2.0);
    let base = base_of(&logits, 2.0);
    let whole = |x: &[f32]| vec![(CrossEntropyChunk { rows, width: vocab, start: 0 }, x.to_vec())];
    let (state, mut nll) = forward(&whole(&logits), &targets);
    let (base_state, _) = forward(&whole(&base), &targets);
    let mut dlogits = logits.clone();
    let op = KlBackward { rows, width: vocab, start: 0, strength };
    op.record_cpu(&targets, &step, [&state, &base_state], &base, &mut dlogits, &mut nll);
    let loss = |x: &[f32]| {
        let (_, nll) = forward(&whole(x), &targets);
        let kl = divergences(vocab, x, &base, &targets);
        let counted = targets.iter().zip(nll).zip(kl).filter(|((t, _), _)| **t != IGNORED);
        counted.map(|((_, nll), kl)| 0.5 * (f64::from(nll) + f64::from(strength) * kl)).sum()
    };
    assert_gradient("dlogits", &logits, &dlogits, loss);
}

/// Of a model that is the base: no divergence and no gradient but cross-entropy's, to the last bit.
#[test]
fn the_base_itself_is_at_no_distance() {
    let gpu = gpu();
    let (rows, vocab) = (7, 100);
    let (logits, targets) = inputs(rows, vocab, 3.0);
    let (state, nll) =
        forward(&[(CrossEntropyChunk { rows, width: vocab, start: 0 }, logits.clone())], &targets);
    let gradient = |strength: f32| {
        let now = upload(&gpu, Step { inv_targets: 0.25, ..Step::default() }.words());
        let [s, b] = [&state, &state].map(|state| upload(&gpu, state));
        let (t, x, y) = (upload(&gpu, &targets), upload(&gpu, &logits), upload(&gpu, &logits));
        let out = upload(&gpu, &nll);
        let op = KlBackward { rows, width: vocab, start: 0, strength };
        let inputs = KlInputs { targets: &t, step: &now, state: &s, base_state: &b, base_logits: &y };
        run(&gpu, &[&x, &out], |plan| op.record(plan, &inputs, &x, &out))
    };
    assert_eq!(gradient(5.0), gradient(0.0));
}

/// Its kernels and their uniforms.
pub fn cases() -> Vec<Case> {
    vec![case(&k::KL_BACKWARD, layout!(KlBackward { rows, width, start, strength }))]
}

#[rustfmt::skip]
pub fn mistakes() -> Vec<Mistake> {
    mistakes![
        KL_BACKWARD "* now.inv_targets" => "* now.lr", backward;
        KL_BACKWARD "u.strength * (p - q)" => "u.strength * (q - p)", backward;
        KL_BACKWARD "(y - log_sums.y) - (x - log_sums.x)" => "(x - log_sums.x) - (y - log_sums.y)", backward;
        KL_BACKWARD "u.start + four" => "four", backward;
        KL_BACKWARD "terms, four < vec4u(u.width)" => "terms, vec4(true)", backward;
        KL_BACKWARD "nll[n] +=" => "nll[n] =", backward;
        KL_BACKWARD "v < columns" => "v + 4u < columns", backward;
    ]
}
