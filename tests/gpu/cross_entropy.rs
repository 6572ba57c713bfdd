use crate::common::{
    Case, Mistake, assert_close, assert_gradient, case, dirty, gpu, ids, run, scaled, shared, upload,
};
use driftscope::gpu::Gpu;
use driftscope::kernels as k;
use driftscope::kernels::{CrossEntropy, IGNORED, Step};

const SHAPES: [(u32, u32, f32); 4] = [(1, 1, 1.0), (3, 5, 100.0), (65, 33, 10.0), (7, 1003, 3.0)];

/// Logits up to 100 overflow exp unless the maximum is subtracted; every third target is ignored.
pub fn inputs(rows: u32, vocab: u32, scale: f32) -> (Vec<f32>, Vec<u32>) {
    let mut targets = ids(1, rows as usize, vocab);
    targets.iter_mut().skip(1).step_by(3).for_each(|t| *t = IGNORED);
    (scaled(2, (rows * vocab) as usize, scale), targets)
}

/// The sum of 1,003 exponentials in another order, and the adapter's exp and log: about 1e-6.
pub fn forward_at(gpu: &Gpu, rows: u32, vocab: u32, scale: f32) {
    let op = CrossEntropy { rows, vocab };
    let (logits, targets) = inputs(rows, vocab, scale);
    let (x, t, nll) = (upload(gpu, &logits), upload(gpu, &targets), dirty(gpu, rows as usize));
    let got = run(gpu, &[&nll], |plan| op.forward(plan, &x, &t, &nll));
    assert_close("nll", &got[0], &op.forward_cpu(&logits, &targets), 1e-5);
}

pub fn forward(gpu: &Gpu) {
    shared(gpu, || {
        for (rows, vocab, scale) in SHAPES {
            forward_at(gpu, rows, vocab, scale);
        }
    });
}

pub fn backward_at(gpu: &Gpu, rows: u32, vocab: u32, scale: f32) {
    let step = Step { inv_targets: 0.25, ..Step::default() };
    let op = CrossEntropy { rows, vocab };
    let (mut logits, targets) = inputs(rows, vocab, scale);
    let (t, s) = (upload(gpu, &targets), upload(gpu, step.words()));
    let (x, nll) = (upload(gpu, &logits), dirty(gpu, rows as usize));
    let got = run(gpu, &[&x, &nll], |plan| op.backward(plan, &t, &s, &x, &nll));
    let want = op.backward_cpu(&targets, &step, &mut logits);
    assert_close("dlogits", &got[0], &logits, 1e-5);
    assert_close("nll", &got[1], &want, 1e-5);
}

pub fn backward(gpu: &Gpu) {
    shared(gpu, || {
        for (rows, vocab, scale) in SHAPES {
            backward_at(gpu, rows, vocab, scale);
        }
    });
}

/// SmolLM2's and Llama 3's vocabularies: more columns than llvmpipe grants a thread loop rounds for.
#[test]
fn wide_rows_equal_twin() {
    let gpu = gpu();
    for vocab in [49_152, 128_256] {
        shared(&gpu, || {
            forward_at(&gpu, 3, vocab, 3.0);
            backward_at(&gpu, 3, vocab, 3.0);
        });
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

#[test]
fn backward_is_the_gradient() {
    let op = CrossEntropy { rows: 4, vocab: 5 };
    let step = Step { inv_targets: 0.5, ..Step::default() };
    let (logits, targets) = inputs(4, 5, 2.0);
    let mut dlogits = logits.clone();
    let nll = op.backward_cpu(&targets, &step, &mut dlogits);
    assert_eq!(nll, op.forward_cpu(&logits, &targets));
    let loss = |x: &[f32]| op.forward_cpu(x, &targets).iter().map(|v| f64::from(v * 0.5)).sum();
    assert_gradient("dlogits", &logits, &dlogits, loss);
}

/// Its kernels and their uniforms.
pub fn cases() -> Vec<Case> {
    vec![
        case(&k::CROSS_ENTROPY_BACKWARD, layout!(CrossEntropy { rows, vocab })),
        case(&k::CROSS_ENTROPY_FORWARD, layout!(CrossEntropy { rows, vocab })),
    ]
}

#[rustfmt::skip]
pub fn mistakes() -> Vec<Mistake> {
    mistakes![
        CROSS_ENTROPY_BACKWARD "* now.inv_targets" => "* now.lr", backward;
        CROSS_ENTROPY_BACKWARD "log(sum) - (" => "log(sum) + (", backward;
        CROSS_ENTROPY_BACKWARD "4u * slice; v < u.vocab" => "4u * slice; v + 4u < u.vocab", backward;
        CROSS_ENTROPY_FORWARD "v < columns" => "v + 4u < columns", forward;
        CROSS_ENTROPY_FORWARD "max(partial[t], partial[t + half])" => "min(partial[t], partial[t + half])", forward;
        CROSS_ENTROPY_FORWARD "exp(four(row, v) - largest), is_there" => "exp(four(row, v) - largest), vec4(true)", forward;
    ]
}
