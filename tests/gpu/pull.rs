use crate::common::{Case, Mistake, assert_close, case, gpu, run, upload, values};
use driftscope::gpu::Gpu;
use driftscope::kernels as k;
use driftscope::kernels::{Pull, Step};

/// The word after the last stays.
pub fn record_at(gpu: &Gpu, len: u32) {
    let op = Pull { len, strength: 3.0 };
    let step = Step { lr: 0.1, ..Step::default() };
    let (start, mut want) = (values(1, len as usize + 1), values(2, len as usize + 1));
    let (from, now, params) = (upload(gpu, &start), upload(gpu, step.words()), upload(gpu, &want));
    let got = run(gpu, &[&params], |plan| op.record(plan, &from, &now, &params));
    op.record_cpu(&start, &step, &mut want);
    assert_close("params", &got[0], &want, 1e-6);
}

pub fn record(gpu: &Gpu) {
    for len in [1, 65, 5000] {
        record_at(gpu, len);
    }
}

#[test]
fn equals_twin() {
    record(&gpu());
}

/// Its kernels and their uniforms.
pub fn cases() -> Vec<Case> {
    vec![case(&k::PULL, layout!(Pull { len, strength }))]
}

#[rustfmt::skip]
pub fn mistakes() -> Vec<Mistake> {
    mistakes![
        PULL "(params[i] - start[i])" => "params[i]", record;
        PULL "i >= u.len" => "i > u.len", record;
    ]
}
