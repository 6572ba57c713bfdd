use crate::common::{Case, Mistake, assert_close, case, gpu, run, upload, values};
use driftscope::gpu::Gpu;
use driftscope::kernels as k;
use driftscope::kernels::{AdamW, Step};

fn step(at: u32) -> Step {
    let base = Step { lr: 0.1, beta1: 0.9, beta2: 0.95, eps: 1e-8, weight_decay: 0.1, ..Step::default() };
    base.at(at)
}

/// Elementwise; a large learning rate shows every term. Division and root may differ by 2.5 ulp.
pub fn record_at(gpu: &Gpu, op: AdamW, at: u32) {
    let n = op.len as usize;
    let (grads, clip, step) = (values(1, n), 0.7, step(at));
    let (mut params, mut m) = (values(2, n), values(3, n));
    let mut v: Vec<f32> = values(4, n).iter().map(|v| v * v).collect();
    let [g, p, ms, vs] = [&grads, &params, &m, &v].map(|v| upload(gpu, v));
    let (s, scalars) = (upload(gpu, step.words()), upload(gpu, &[clip, 2.0, 3.0, 0.0]));
    let got = run(gpu, &[&p, &ms, &vs], |plan| op.record(plan, &g, &s, &scalars, &p, &ms, &vs));
    op.record_cpu(&grads, &step, clip, &mut params, &mut m, &mut v);
    assert_close("params", &got[0], &params, 1e-6);
    assert_close("m", &got[1], &m, 1e-6);
    assert_close("v", &got[2], &v, 1e-6);
}

pub fn record(gpu: &Gpu) {
    for (len, decayed, at) in [(1, 0, 0), (7, 7, 1), (1003, 500, 9), (520, 256, 3)] {
        record_at(gpu, AdamW { len, decayed }, at);
    }
}

#[test]
fn equals_twin() {
    record(&gpu());
}

/// The algorithm box of the paper in f64 over five steps.
#[test]
fn twin_is_adamw() {
    let op = AdamW { len: 2, decayed: 1 };
    let (mut p, mut m, mut v) = ([0.5f32, -0.25], [0f32; 2], [0f32; 2]);
    let mut want = [0.5f64, -0.25];
    let (mut m64, mut v64) = ([0f64; 2], [0f64; 2]);
    for t in 1..=5 {
        let g = [0.3 / t as f32, 1e-3 * t as f32];
        op.record_cpu(&g, &step(t - 1), 1.0, &mut p, &mut m, &mut v);
        for i in 0..2 {
            let g = f64::from(g[i]);
            m64[i] = 0.9 * m64[i] + 0.1 * g;
            v64[i] = 0.95 * v64[i] + 0.05 * g * g;
            let m_hat = m64[i] / (1.0 - 0.9f64.powi(t as i32));
            let v_hat = v64[i] / (1.0 - 0.95f64.powi(t as i32));
            let decay = if i == 0 { 0.1 } else { 0.0 };
            want[i] -= 0.1 * decay * want[i];
            want[i] -= 0.1 * m_hat / (v_hat.sqrt() + 1e-8);
        }
    }
    assert_close("params", &p, &want.map(|v| v as f32), 1e-6);
}

/// Its kernels and their uniforms.
pub fn cases() -> Vec<Case> {
    vec![
        case(&k::ADAMW, layout!(AdamW { len, decayed })),
        case(&k::ADAMW_QUADS, layout!(AdamW { len, decayed })),
    ]
}

#[rustfmt::skip]
pub fn mistakes() -> Vec<Mistake> {
    mistakes![
        ADAMW "i < u.decayed" => "i <= u.decayed", record;
        ADAMW "(1.0 - now.beta2)" => "(1.0 - now.beta1)", record;
        ADAMW_QUADS "u.len / LANES" => "u.len / LANES - 1u", record;
        ADAMW_QUADS "u.decayed / LANES" => "u.decayed", record;
    ]
}
