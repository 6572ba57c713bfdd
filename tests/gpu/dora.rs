use crate::common::{
    Case, Mistake, assert_close, assert_gradient, case, gpu, inner, run, upload, values, weights,
};
use driftscope::gpu::Gpu;
use driftscope::kernels as k;
use driftscope::kernels::{Dora, LoraGroups};

/// Three stacked layers of which the first and the last are adapted, two of which the last, and one.
fn ops() -> [Dora; 3] {
    let lora = |rank, groups, bounds| LoraGroups { rank, groups, bounds, scale: 1.75 };
    [
        Dora::new(lora(3, 3, [5, 64, 77]), 0b101, 19, 77, 20),
        Dora::new(lora(1, 2, [7, 132, 0]), 0b10, 1, 132, 33),
        Dora::new(lora(4, 1, [36, 0, 0]), 0b1, 70, 36, 1),
    ]
}

/// Rows are sums of K squares of sums of R products: some ulp. Of a weight as f32 and as f16.
pub fn norm_at(gpu: &Gpu, op: Dora) {
    let groups = (op.adapted.ilog2() + 1).max(u32::from(op.end_0 < op.n) + u32::from(op.end_1 < op.n) + 1);
    let (a, b) = (values(2, (groups * op.rank * op.k) as usize), values(3, (op.n * op.rank) as usize));
    let (a_s, bs) = (upload(gpu, &a), upload(gpu, &b));
    for packed in [false, true] {
        let (w, ws) = weights(gpu, 1, op.n * op.k, packed);
        let norm = upload(gpu, &vec![-777.0f32; op.n as usize]);
        let got = run(gpu, &[&norm], |plan| op.norm(plan, &ws, packed, &a_s, &bs, &norm));
        assert_close("norm", &got[0], &op.norm_cpu(&w, &a, &b), 1e-5);
    }
}

/// Lengths of about 1, zero for every third row.
fn norms(n: u32) -> Vec<f32> {
    let length = |(i, v): (usize, f32)| if i % 3 == 1 { 0.0 } else { 1.5 + v };
    values(6, n as usize).into_iter().enumerate().map(length).collect()
}

/// A quotient and a product; a division may differ by 2.5 ulp.
pub fn scale_at(gpu: &Gpu, op: Dora, accumulate: bool) {
    let (x, magnitude, norm) = (values(1, (op.m * op.n) as usize), values(2, op.n as usize), norms(op.n));
    let mut y = values(3, x.len());
    let [xs, ms, ns, ys] = [&x, &magnitude, &norm, &y].map(|v| upload(gpu, v));
    let got = run(gpu, &[&ys], |plan| op.scale(plan, &xs, &ms, &ns, &ys, accumulate));
    op.scale_cpu(&x, &magnitude, &norm, &mut y, accumulate);
    assert_close("y", &got[0], &y, 1e-6);
}

pub fn magnitude_at(gpu: &Gpu, op: Dora) {
    let n = (op.m * op.n) as usize;
    let (dy, x, norm) = (values(1, n), values(2, n), norms(op.n));
    let [dys, xs, ns] = [&dy, &x, &norm].map(|v| upload(gpu, v));
    let dm = upload(gpu, &vec![-777.0f32; op.n as usize]);
    let got = run(gpu, &[&dm], |plan| op.backward_magnitude(plan, &dys, &xs, &ns, &dm));
    assert_close("dmagnitude", &got[0], &op.backward_magnitude_cpu(&dy, &x, &norm), 1e-5);
}

pub fn norm(gpu: &Gpu) {
    ops().into_iter().for_each(|op| norm_at(gpu, op));
}

pub fn scale(gpu: &Gpu) {
    for op in ops() {
        scale_at(gpu, op, false);
        scale_at(gpu, op, true);
    }
}

pub fn magnitude(gpu: &Gpu) {
    ops().into_iter().for_each(|op| magnitude_at(gpu, op));
}

#[test]
fn equals_twin() {
    let gpu = gpu();
    norm(&gpu);
    scale(&gpu);
    magnitude(&gpu);
}

/// The twin's gradient of the magnitude is the slope of its forward pass.
#[test]
fn magnitude_gradient_is_a_slope() {
    let op = Dora { m: 3, n: 5, ..ops()[0] };
    let (x, dy, norm) = (values(1, 15), values(2, 15), norms(5));
    let loss = |magnitude: &[f32]| {
        let mut y = vec![0.0; 15];
        op.scale_cpu(&x, magnitude, &norm, &mut y, false);
        inner(&y, &dy)
    };
    let gradient = op.backward_magnitude_cpu(&dy, &x, &norm);
    assert_gradient("dmagnitude", &values(3, 5), &gradient, loss);
}

/// Its kernels and their uniforms.
pub fn cases() -> Vec<Case> {
    [&k::DORA_BACKWARD_MAGNITUDE, &k::DORA_NORM, &k::DORA_SCALE]
        .map(|kernel| case(kernel, layout!(Dora { m, n, k, rank, scale, end_0, end_1, adapted })))
        .into()
}

#[rustfmt::skip]
pub fn mistakes() -> Vec<Mistake> {
    mistakes![
        DORA_BACKWARD_MAGNITUDE "sum / norm[n]" => "sum", magnitude;
        DORA_BACKWARD_MAGNITUDE "norm[n] == 0.0" => "norm[n] < 0.0", magnitude;
        DORA_NORM "(group * u.rank + r)" => "r", norm;
        DORA_NORM "u.scale * low" => "low", norm;
        DORA_NORM "vec4u(k) + LANES < vec4u(u.k)" => "vec4<bool>(true)", norm;
        DORA_NORM "u.adapted >> group" => "u.adapted", norm;
        DORA_NORM "i % 2u == 1u" => "i % 2u == 0u", norm;
        DORA_SCALE "magnitude[n] / norm[n]" => "norm[n]", scale;
        DORA_SCALE "value += y[i]" => "value = y[i]", scale;
    ]
}
