use crate::common::{
    Case, Mistake, assert_close, assert_gradient, assert_within, case, dirty, gpu, inner, run, shared,
    upload, values,
};
use driftscope::gpu::Gpu;
use driftscope::kernels as k;
use driftscope::kernels::RmsNorm;

const SHAPES: [(u32, u32); 5] = [(1, 1), (3, 5), (7, 48), (65, 192), (130, 33)];

/// Sums of up to 192 squares, in another order after vectorisation: a few ulp.
pub fn forward_at(gpu: &Gpu, rows: u32, width: u32) {
    let op = RmsNorm { rows, width, eps: 1e-5 };
    let (x, w) = (values(1, (rows * width) as usize), values(2, width as usize));
    let (xs, ws) = (upload(gpu, &x), upload(gpu, &w));
    let (y, rstd, residual) = (dirty(gpu, x.len()), dirty(gpu, rows as usize), dirty(gpu, x.len()));
    let outputs = [&y, &rstd, &residual];
    let got = run(gpu, &outputs, |plan| op.forward(plan, &xs, &ws, &y, &rstd, &residual));
    let (want_y, want_rstd) = op.forward_cpu(&x, &w);
    assert_close("y", &got[0], &want_y, 1e-5);
    assert_close("rstd", &got[1], &want_rstd, 1e-5);
    assert_close("residual", &got[2], &x, 0.0);
}

pub fn forward(gpu: &Gpu) {
    shared(gpu, || {
        for (rows, width) in SHAPES {
            forward_at(gpu, rows, width);
        }
    });
}

/// The two terms of dx may cancel, as they do where a row has one column: its error is bound by their magnitudes,
/// `rstd (|dy w| + |x| rstd² mean |dy w x|)`, of which each rounding is 6e-8; 1e-5 of the largest holds a row's sum too.
pub fn backward_at(gpu: &Gpu, rows: u32, width: u32) {
    let op = RmsNorm { rows, width, eps: 1e-5 };
    let n = (rows * width) as usize;
    let (dy, x, w, before) = (values(1, n), values(2, n), values(3, width as usize), values(4, n));
    let rstd = op.forward_cpu(&x, &w).1;
    let want = op.backward_cpu(&dy, &x, &w, &rstd);
    let columns = width as usize;
    let magnitudes =
        dy.chunks_exact(columns).zip(x.chunks_exact(columns)).zip(&rstd).flat_map(|((dy, x), r)| {
            let products = || dy.iter().zip(&w).map(|(dy, w)| (dy * w).abs());
            let mean = products().zip(x).map(|(p, x)| p * x.abs()).sum::<f32>() * r * r / width as f32;
            products().zip(x).map(move |(p, x)| r * (p + x.abs() * mean)).collect::<Vec<_>>()
        });
    let largest = magnitudes.fold(1.0, f32::max); // what is added to is up to 1
    let inputs = [&dy, &x, &w, &rstd].map(|v| upload(gpu, v));
    for accumulate in [false, true] {
        let dx = upload(gpu, &before);
        let got = run(gpu, &[&dx], |plan| {
            op.backward(plan, &inputs[0], &inputs[1], &inputs[2], &inputs[3], &dx, accumulate);
        });
        let add = |(w, b): (&f32, &f32)| if accumulate { w + b } else { *w };
        let want: Vec<f32> = want.iter().zip(&before).map(add).collect();
        assert_within("dx", &got[0], &want, 1e-5 * largest);
    }
}

pub fn backward(gpu: &Gpu) {
    shared(gpu, || {
        for (rows, width) in SHAPES {
            backward_at(gpu, rows, width);
        }
    });
}

pub fn backward_weight_at(gpu: &Gpu, rows: u32, width: u32) {
    let op = RmsNorm { rows, width, eps: 1e-5 };
    let n = (rows * width) as usize;
    let (dy, x) = (values(1, n), values(2, n));
    let rstd = op.forward_cpu(&x, &vec![1.0; width as usize]).1;
    let inputs = [&dy, &x, &rstd].map(|v| upload(gpu, v));
    let dw = dirty(gpu, width as usize);
    let got = run(gpu, &[&dw], |plan| {
        op.backward_weight(plan, &inputs[0], &inputs[1], &inputs[2], &dw);
    });
    assert_close("dw", &got[0], &op.backward_weight_cpu(&dy, &x, &rstd), 1e-5);
}

pub fn backward_weight(gpu: &Gpu) {
    shared(gpu, || {
        for (rows, width) in SHAPES {
            backward_weight_at(gpu, rows, width);
        }
    });
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
fn backward_weight_equals_twin() {
    backward_weight(&gpu());
}

#[test]
fn backward_is_the_gradient() {
    let op = RmsNorm { rows: 3, width: 5, eps: 1e-5 };
    let (dy, x, w) = (values(1, 15), values(2, 15), values(3, 5));
    let rstd = op.forward_cpu(&x, &w).1;
    let dx = op.backward_cpu(&dy, &x, &w, &rstd);
    assert_gradient("dx", &x, &dx, |x| inner(&op.forward_cpu(x, &w).0, &dy));
    let dw = op.backward_weight_cpu(&dy, &x, &rstd);
    assert_gradient("dw", &w, &dw, |w| inner(&op.forward_cpu(&x, w).0, &dy));
}

/// Its kernels and their uniforms.
pub fn cases() -> Vec<Case> {
    [
        &k::RMSNORM_BACKWARD,
        &k::RMSNORM_BACKWARD_QUADS,
        &k::RMSNORM_BACKWARD_WEIGHT,
        &k::RMSNORM_FORWARD,
        &k::RMSNORM_FORWARD_QUADS,
    ]
    .map(|kernel| case(kernel, layout!(RmsNorm { rows, width, eps })))
    .into()
}

#[rustfmt::skip]
pub fn mistakes() -> Vec<Mistake> {
    mistakes![
        RMSNORM_BACKWARD "* mean" => "+ mean", backward;
        RMSNORM_BACKWARD "dx[row + c] += d" => "dx[row + c] = d", backward;
        RMSNORM_BACKWARD "c += SLICES" => "c += SLICES + 1u", backward;
        RMSNORM_BACKWARD_QUADS "total(products)" => "products.x", backward;
        RMSNORM_BACKWARD_QUADS "c += SLICES" => "c += SLICES + 1u", backward;
        RMSNORM_BACKWARD_WEIGHT "partial[t + half * columns]" => "partial[t + half]", backward_weight;
        RMSNORM_BACKWARD_WEIGHT "rstd[n]" => "rstd[0]", backward_weight;
        RMSNORM_FORWARD "u.width) + u.eps" => "u.width) - u.eps", forward;
        RMSNORM_FORWARD "partial[t] += partial" => "partial[t] = partial", forward;
        RMSNORM_FORWARD "residual[row + c] = v" => "residual[row + c] = v * r", forward;
        RMSNORM_FORWARD_QUADS "total(squares)" => "squares.x", forward;
        RMSNORM_FORWARD_QUADS "residual[row + c] = v" => "residual[row + c] = v * r", forward;
    ]
}
