use crate::common::{
    Case, Mistake, assert_close, assert_gradient, case, dirty, gpu, inner, run, scaled, shared, upload,
    values,
};
use driftscope::gpu::Gpu;
use driftscope::kernels as k;
use driftscope::kernels::SwiGlu;

const SHAPES: [(u32, u32); 4] = [(1, 1), (3, 5), (65, 33), (7, 128)];

/// Gates up to 100: exp overflows without its bound.
pub fn forward_at(gpu: &Gpu, rows: u32, width: u32) {
    for scale in [3.0, 100.0] {
        let op = SwiGlu { rows, width };
        let gate_up = scaled(1, (rows * 2 * width) as usize, scale);
        let (x, h) = (upload(gpu, &gate_up), dirty(gpu, (rows * width) as usize));
        let got = run(gpu, &[&h], |plan| op.forward(plan, &x, &h));
        assert_close("h", &got[0], &op.forward_cpu(&gate_up), 1e-5);
    }
}

pub fn forward(gpu: &Gpu) {
    for (rows, width) in SHAPES {
        forward_at(gpu, rows, width);
    }
}

/// xa sums up to 150 terms.
pub fn forward_lora_at(gpu: &Gpu, rows: u32, width: u32, rank: u32) {
    let op = SwiGlu { rows, width };
    let (gate_up, a) = (scaled(1, (rows * 2 * width) as usize, 3.0), values(2, (rank * width) as usize));
    let (want_h, want_xa) = op.forward_lora_cpu(rank, &gate_up, &a);
    let (x, a) = (upload(gpu, &gate_up), upload(gpu, &a));
    let (h, xa) = (dirty(gpu, want_h.len()), dirty(gpu, want_xa.len()));
    let got = run(gpu, &[&h, &xa], |plan| op.forward_lora(plan, rank, &x, &a, &h, &xa));
    assert_close("h", &got[0], &want_h, 1e-5);
    assert_close("xa", &got[1], &want_xa, 1e-5);
}

pub fn forward_lora(gpu: &Gpu) {
    shared(gpu, || {
        for (rows, width) in SHAPES {
            for rank in [1, 8, 13] {
                forward_lora_at(gpu, rows, width, rank);
            }
        }
    });
}

pub fn backward_at(gpu: &Gpu, rows: u32, width: u32) {
    for scale in [3.0, 100.0] {
        let op = SwiGlu { rows, width };
        let gate_up = scaled(1, (rows * 2 * width) as usize, scale);
        let dh = values(2, (rows * width) as usize);
        let (x, d, dx) = (upload(gpu, &gate_up), upload(gpu, &dh), dirty(gpu, gate_up.len()));
        let got = run(gpu, &[&dx], |plan| op.backward(plan, &x, &d, &dx));
        assert_close("dgate_up", &got[0], &op.backward_cpu(&gate_up, &dh), 1e-5);
    }
}

pub fn backward(gpu: &Gpu) {
    for (rows, width) in SHAPES {
        backward_at(gpu, rows, width);
    }
}

#[test]
fn forward_equals_twin() {
    forward(&gpu());
}

#[test]
fn forward_lora_equals_twin() {
    forward_lora(&gpu());
}

#[test]
fn backward_equals_twin() {
    backward(&gpu());
}

#[test]
fn backward_is_the_gradient() {
    let op = SwiGlu { rows: 3, width: 5 };
    let (x, dh) = (scaled(1, 30, 2.0), values(2, 15));
    assert_gradient("dgate_up", &x, &op.backward_cpu(&x, &dh), |x| inner(&op.forward_cpu(x), &dh));
}

/// Its kernels and their uniforms.
pub fn cases() -> Vec<Case> {
    vec![
        case(&k::SWIGLU_BACKWARD, layout!(SwiGlu { rows, width })),
        case(&k::SWIGLU_BACKWARD_QUADS, layout!(SwiGlu { rows, width })),
        case(&k::SWIGLU_FORWARD, layout!(SwiGlu { rows, width })),
        case(&k::SWIGLU_FORWARD_QUADS, layout!(SwiGlu { rows, width })),
        case(&k::SWIGLU_LORA_FORWARD, layout!(SwiGluLora { rows, width, rank })),
        case(&k::SWIGLU_LORA_FORWARD_QUADS, layout!(SwiGluLora { rows, width, rank })),
    ]
}

#[rustfmt::skip]
pub fn mistakes() -> Vec<Mistake> {
    mistakes![
        SWIGLU_BACKWARD "1.0 - s)" => "1.0 + s)", backward;
        SWIGLU_BACKWARD "dh[i] * gate * s" => "dh[i] * s", backward;
        SWIGLU_BACKWARD_QUADS "i / width * width" => "i / width", backward;
        SWIGLU_BACKWARD_QUADS "const LANES = 4u" => "const LANES = 2u", backward;
        SWIGLU_FORWARD "-max(x" => "max(x", forward;
        SWIGLU_FORWARD_QUADS "gate_up[at + width]" => "gate_up[at + u.width]", forward;
        SWIGLU_LORA_FORWARD "h[rows.y + c] = v1" => "h[rows.y + c] = v0", forward_lora;
        SWIGLU_LORA_FORWARD "c += SLICES" => "c += SLICES + 1u", forward_lora;
        SWIGLU_LORA_FORWARD "= sum[i][e]" => "= sum[e][i]", forward_lora;
        SWIGLU_LORA_FORWARD_QUADS "h[rows.w + c] = v3" => "", forward_lora;
        SWIGLU_LORA_FORWARD_QUADS "total(value * a3)" => "total(value * a2)", forward_lora;
    ]
}
