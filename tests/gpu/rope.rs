use crate::common::{Case, Mistake, assert_close, case, gpu, inner, run, upload, values};
use driftscope::gpu::Gpu;
use driftscope::kernels as k;
use driftscope::kernels::{Rope, rope_table};

pub fn op(batch: u32, time: u32, heads: u32, kv_heads: u32, head_dim: u32, backward: u32) -> Rope {
    let stride = (heads + 2 * kv_heads) * head_dim;
    Rope { batch, time, heads, kv_heads, head_dim, stride, backward }
}

/// Two products and a sum per element: an ulp when the compiler fuses them.
pub fn record_at(gpu: &Gpu, op: Rope, position: u32) {
    let frequencies: Vec<f64> = (0..op.head_dim / 2).map(|d| 0.7f64.powi(d as i32)).collect();
    let table = rope_table((position + op.time) as usize, &frequencies);
    let mut qkv = values(1, (op.batch * op.time * op.stride) as usize);
    let (t, p, x) = (upload(gpu, &table), upload(gpu, &[position]), upload(gpu, &qkv));
    let got = run(gpu, &[&x], |plan| op.record(plan, &t, &p, &x));
    op.record_cpu(&table, position, &mut qkv);
    assert_close("qkv", &got[0], &qkv, 1e-6);
}

/// One way or the other round.
fn record(gpu: &Gpu, backward: u32) {
    let shapes = [(1, 1, 1, 1, 2, 0), (2, 5, 3, 1, 6, 4), (3, 7, 4, 2, 48, 0), (5, 1, 4, 2, 10, 11)];
    for (batch, time, heads, kv_heads, head_dim, position) in shapes {
        record_at(gpu, op(batch, time, heads, kv_heads, head_dim, backward), position);
    }
}

pub fn forward(gpu: &Gpu) {
    record(gpu, 0);
}

pub fn backward(gpu: &Gpu) {
    record(gpu, 1);
}

#[test]
fn equals_twin() {
    forward(&gpu());
    backward(&gpu());
}

/// A rotation's inverse is its transpose: backward undoes forward and carries gradients.
#[test]
fn backward_is_inverse_and_transpose() {
    let (forward, backward) = (op(2, 3, 2, 1, 6, 0), op(2, 3, 2, 1, 6, 1));
    let table = rope_table(8, &[1.0, 0.2, 0.05]);
    let (x, dy) = (values(1, 144), values(2, 144));
    let (mut y, mut dx) = (x.clone(), dy.clone());
    forward.record_cpu(&table, 2, &mut y);
    backward.record_cpu(&table, 2, &mut dx);
    assert!((inner(&y, &dy) - inner(&x, &dx)).abs() < 1e-4);
    backward.record_cpu(&table, 2, &mut y);
    assert_close("x", &y, &x, 1e-6);
}

/// By hand: D = 2 at position 1 turns (1, 0) by one radian.
#[test]
fn turns_by_the_position_in_radians() {
    let mut qkv = [1.0, 0.0, 0.0, 1.0, 5.0, 6.0];
    op(1, 1, 1, 1, 2, 0).record_cpu(&rope_table(2, &[1.0]), 1, &mut qkv);
    let (sin, cos) = 1f32.sin_cos();
    assert_close("qkv", &qkv, &[cos, sin, -sin, cos, 5.0, 6.0], 1e-6);
}

/// Its kernels and their uniforms.
pub fn cases() -> Vec<Case> {
    vec![
        case(&k::ROPE, layout!(Rope { batch, time, heads, kv_heads, head_dim, stride, backward })),
        case(&k::ROPE_QUADS, layout!(Rope { batch, time, heads, kv_heads, head_dim, stride, backward })),
    ]
}

#[rustfmt::skip]
pub fn mistakes() -> Vec<Mistake> {
    mistakes![
        ROPE "+ position[0]" => "", forward;
        ROPE "sin = -sin" => "sin = sin", backward;
        ROPE_QUADS "head * 2u * half" => "head * half", forward;
        ROPE_QUADS "u.stride / LANES" => "u.stride", backward;
    ]
}
