use crate::common::{Case, Mistake, assert_close, case, dirty, gpu, run, shared, upload, values};
use driftscope::gpu::Gpu;
use driftscope::kernels as k;
use driftscope::kernels::{FinishStep, PARTIALS, Step, SumSquares};

/// Same order as the twin, but fused multiply-adds may round differently.
pub fn sum_squares_at(gpu: &Gpu, len: u32) {
    let op = SumSquares { len };
    let grads = values(1, len as usize);
    let (g, partials) = (upload(gpu, &grads), dirty(gpu, PARTIALS as usize));
    let got = run(gpu, &[&partials], |plan| op.record(plan, &g, &partials));
    assert_close("partials", &got[0], &op.record_cpu(&grads), 1e-6);
    let want: f32 = grads.iter().map(|g| g * g).sum();
    assert_close("sum", &[got[0].iter().sum()], &[want], 1e-5);
}

pub fn sum_squares(gpu: &Gpu) {
    for len in [1, 7, 1024, 5003] {
        sum_squares_at(gpu, len);
    }
}

/// Sums of 1,024 positive numbers in sequence: errors of about 1e-6.
pub fn finish_step_at(gpu: &Gpu, op: FinishStep, step: u32, max_norm: f32) {
    let partials: Vec<f32> = values(1, PARTIALS as usize).iter().map(|v| v.abs()).collect();
    let step = Step { step, max_norm, inv_targets: 0.2, ..Step::default() };
    let nll: Vec<f32> = values(2, op.rows as usize).iter().map(|v| v.abs()).collect();
    let mut metrics = values(3, 2 * op.ring as usize); // the other slots stay
    let [p, n] = [&partials, &nll].map(|v| upload(gpu, v));
    let (s, scalars, ring) = (upload(gpu, step.words()), dirty(gpu, 4), upload(gpu, &metrics));
    let got = run(gpu, &[&scalars, &ring], |plan| op.record(plan, &p, &n, &s, &scalars, &ring));
    let want = op.record_cpu(&partials, &nll, &step, &mut metrics);
    for (i, what) in ["clip", "grad_norm", "loss", "unused"].iter().enumerate() {
        assert_close(what, &got[0][i..=i], &want[i..=i], 1e-5);
    }
    assert_close("metrics", &got[1], &metrics, 1e-5);
}

pub fn finish_step(gpu: &Gpu) {
    shared(gpu, || {
        for (rows, step, max_norm) in [(1, 0, 0.0), (7, 4, 1.0), (265, 11, 1000.0)] {
            finish_step_at(gpu, FinishStep { rows, ring: 3 }, step, max_norm);
        }
    });
}

#[test]
fn sum_squares_equals_twin() {
    sum_squares(&gpu());
}

#[test]
fn finish_step_equals_twin() {
    finish_step(&gpu());
}

/// By hand: the norm of (3, 4) is 5, clipped to 1 the factor is 1/5.
#[test]
fn clips_to_the_norm() {
    let partials = SumSquares { len: 2 }.record_cpu(&[3.0, 4.0]);
    let step = Step { max_norm: 1.0, inv_targets: 0.5, ..Step::default() };
    let got = FinishStep { rows: 2, ring: 1 }.record_cpu(&partials, &[1.0, 2.0], &step, &mut [0.0; 2]);
    assert_close("scalars", &got, &[0.2, 5.0, 1.5, 0.0], 1e-6);
}

/// Its kernels and their uniforms.
pub fn cases() -> Vec<Case> {
    vec![
        case(&k::FINISH_STEP, layout!(FinishStep { rows, ring })),
        case(&k::SUM_SQUARES, layout!(SumSquares { len })),
    ]
}

#[rustfmt::skip]
pub fn mistakes() -> Vec<Mistake> {
    mistakes![
        FINISH_STEP "min(1.0," => "max(1.0,", finish_step;
        FINISH_STEP "2u * slot] = loss" => "2u * slot] = sums.y", finish_step;
        FINISH_STEP "partial[t] += partial" => "partial[t] = partial", finish_step;
        SUM_SQUARES "i >= u.len" => "i >= u.len - 1u", sum_squares;
    ]
}
