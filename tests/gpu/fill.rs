use crate::common::{Case, Mistake, assert_close, case, gpu, run, upload, values};
use driftscope::gpu::Gpu;
use driftscope::kernels as k;
use driftscope::kernels::Fill;

/// The word after the last stays.
pub fn record_at(gpu: &Gpu, len: u32) {
    let mut want = values(1, len as usize + 1);
    let out = upload(gpu, &want);
    let got = run(gpu, &[&out], |plan| Fill { len }.record(plan, &out));
    Fill { len }.record_cpu(&mut want);
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

/// Its kernels and their uniforms.
pub fn cases() -> Vec<Case> {
    vec![case(&k::FILL, layout!(Fill { len }))]
}

#[rustfmt::skip]
pub fn mistakes() -> Vec<Mistake> {
    mistakes![
        FILL "i >= u.len" => "i > u.len", record;
    ]
}
