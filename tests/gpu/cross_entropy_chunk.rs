use crate::common::{Case, Mistake, assert_close, case, dirty, gpu, run, shared, upload};
use crate::cross_entropy::inputs;
use driftscope::gpu::Gpu;
use driftscope::kernels as k;
use driftscope::kernels::{CrossEntropy, CrossEntropyChunk, Step};

/// rows, vocabulary, columns of a chunk, scale
const SHAPES: [(u32, u32, u32, f32); 4] =
    [(1, 1, 1, 1.0), (3, 50, 7, 100.0), (65, 33, 20, 10.0), (7, 1003, 256, 3.0)];

/// Logits (S,V) as chunks of columns, each (S,W) and contiguous.
pub fn split(rows: u32, vocab: u32, across: u32, logits: &[f32]) -> Vec<(CrossEntropyChunk, Vec<f32>)> {
    let chunk = |start: u32| {
        let width = across.min(vocab - start);
        let part = |row: &[f32]| row[start as usize..][..width as usize].to_vec();
        let part = logits.chunks_exact(vocab as usize).flat_map(part).collect();
        (CrossEntropyChunk { rows, width, start }, part)
    };
    (0..vocab).step_by(across as usize).map(chunk).collect()
}

/// Each chunk against the twin, and the last against the kernel of whole rows. Exponentials are summed in another
/// order and scaled once for each chunk: about 1e-6.
pub fn forward_at(gpu: &Gpu, rows: u32, vocab: u32, across: u32, scale: f32) {
    let (logits, targets) = inputs(rows, vocab, scale);
    let n = rows as usize;
    let t = upload(gpu, &targets);
    let (state, nll) = (dirty(gpu, 4 * n), dirty(gpu, n));
    let (mut want_state, mut want_nll) = (vec![-777.0; 4 * n], vec![-777.0; n]);
    for (op, chunk) in split(rows, vocab, across, &logits) {
        let x = upload(gpu, &chunk);
        let got = run(gpu, &[&state, &nll], |plan| op.forward(plan, &x, &t, &state, &nll));
        op.forward_cpu(&chunk, &targets, &mut want_state, &mut want_nll);
        assert_close("state", &got[0], &want_state, 1e-5);
        assert_close("nll", &got[1], &want_nll, 1e-5);
    }
    let whole = CrossEntropy { rows, vocab }.forward_cpu(&logits, &targets);
    assert_close("nll of whole rows", &want_nll, &whole, 1e-5);
}

pub fn forward(gpu: &Gpu) {
    shared(gpu, || {
        for (rows, vocab, across, scale) in SHAPES {
            forward_at(gpu, rows, vocab, across, scale);
        }
    });
}

pub fn backward_at(gpu: &Gpu, rows: u32, vocab: u32, across: u32, scale: f32) {
    let step = Step { inv_targets: 0.25, ..Step::default() };
    let (logits, targets) = inputs(rows, vocab, scale);
    let chunks = split(rows, vocab, across, &logits);
    let n = rows as usize;
    let (mut state, mut nll) = (vec![0.0; 4 * n], vec![0.0; n]);
    for (op, chunk) in &chunks {
        op.forward_cpu(chunk, &targets, &mut state, &mut nll);
    }
    let (t, now, s) = (upload(gpu, &targets), upload(gpu, step.words()), upload(gpu, &state));
    let mut whole = logits.clone();
    CrossEntropy { rows, vocab }.backward_cpu(&targets, &step, &mut whole);
    for ((op, mut chunk), (_, want)) in chunks.into_iter().zip(split(rows, vocab, across, &whole)) {
        let x = upload(gpu, &chunk);
        let got = run(gpu, &[&x], |plan| op.backward(plan, &t, &now, &s, &x));
        op.backward_cpu(&targets, &step, &state, &mut chunk);
        assert_close("dlogits", &got[0], &chunk, 1e-5);
        assert_close("dlogits of whole rows", &chunk, &want, 1e-5);
    }
}

pub fn backward(gpu: &Gpu) {
    for (rows, vocab, across, scale) in SHAPES {
        backward_at(gpu, rows, vocab, across, scale);
    }
}

#[test]
fn forward_equals_twin() {
    forward(&gpu());
}

#[test]
fn backward_equals_twin() {
    backward(&gpu());
}

/// Chunks of 48,000 columns and of Llama 3's vocabulary: more than llvmpipe grants a thread loop rounds for.
#[test]
fn wide_rows_equal_twin() {
    let gpu = gpu();
    for (vocab, width) in [(49_152, 48_000), (128_256, 128_256)] {
        forward_at(&gpu, 3, vocab, width, 3.0);
        backward_at(&gpu, 3, vocab, width, 3.0);
    }
}

/// Its kernels and their uniforms.
pub fn cases() -> Vec<Case> {
    vec![
        case(&k::CROSS_ENTROPY_CHUNK_BACKWARD, layout!(CrossEntropyChunk { rows, width, start })),
        case(&k::CROSS_ENTROPY_CHUNK_FORWARD, layout!(CrossEntropyChunk { rows, width, start })),
    ]
}

#[rustfmt::skip]
pub fn mistakes() -> Vec<Mistake> {
    mistakes![
        CROSS_ENTROPY_CHUNK_BACKWARD "u.start + v" => "v", backward;
        CROSS_ENTROPY_CHUNK_BACKWARD "logits[at] = 0.0" => "logits[at] = now.inv_targets", backward;
        CROSS_ENTROPY_CHUNK_FORWARD "before.y * exp(before.x - largest)" => "before.y", forward;
        CROSS_ENTROPY_CHUNK_FORWARD "var own = before.z" => "var own = before.w", forward;
        CROSS_ENTROPY_CHUNK_FORWARD "if u.start > 0u" => "if u.start >= 0u", forward;
    ]
}
