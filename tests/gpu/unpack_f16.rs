use crate::common::{Case, Mistake, assert_close, case, gpu, run, scaled, upload};
use driftscope::gpu::Gpu;
use driftscope::kernels as k;
use driftscope::kernels::{UnpackF16, pack_f16};

/// Exact, for values that f16 holds as normal numbers: a GPU may take those below 6.1e-5 for 0. The words after
/// the last stay.
pub fn record_at(gpu: &Gpu, len: u32) {
    let mut values = scaled(1, 2 * len as usize, 1e4);
    values[0] = 0.0;
    values[1] = -65504.0;
    let words = pack_f16(&values);
    let op = UnpackF16 { len };
    let (packed, out) = (upload(gpu, &words), upload(gpu, &vec![-777.0f32; 2 * len as usize + 2]));
    let got = run(gpu, &[&out], |plan| op.record(plan, &packed, &out));
    let mut want = op.record_cpu(&words);
    want.extend([-777.0; 2]);
    assert_close("out", &got[0], &want, 0.0);
}

/// 2,100,000 words take a two-dimensional grid.
pub fn record(gpu: &Gpu) {
    for len in [1, 65, 2_100_000] {
        record_at(gpu, len);
    }
}

#[test]
fn equals_twin() {
    record(&gpu());
}

#[test]
fn packs_pairs_from_the_low_half_on_and_fills_a_vec4() {
    assert_eq!(pack_f16(&[1.0, -2.0, 0.5]), [0xc000_3c00, 0x3800, 0, 0]);
    assert_eq!(pack_f16(&[0.1; 8]), [0x2e66_2e66; 4]);
    assert_eq!(UnpackF16 { len: 2 }.record_cpu(&[0xc000_3c00, 0x3800]), [1.0, -2.0, 0.5, 0.0]);
}

/// Its kernels and their uniforms.
pub fn cases() -> Vec<Case> {
    vec![case(&k::UNPACK_F16, layout!(UnpackF16 { len }))]
}

#[rustfmt::skip]
pub fn mistakes() -> Vec<Mistake> {
    mistakes![
        UNPACK_F16 "unpack2x16float" => "unpack2x16snorm", record;
    ]
}
