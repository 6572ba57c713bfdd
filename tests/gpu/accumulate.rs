use crate::common::{Case, Mistake, assert_close, case, gpu, run, upload, values};
use driftscope::gpu::Gpu;
use driftscope::kernels as k;
use driftscope::kernels::{Accumulate, Step};

/// Stores or adds: exact.
pub fn record_at(gpu: &Gpu, len: u32, micro: u32) {
    let step = Step { micro, ..Step::default() };
    let (x, mut total) = (values(1, len as usize), values(2, len as usize));
    let (xs, s, totals) = (upload(gpu, &x), upload(gpu, step.words()), upload(gpu, &total));
    let op = Accumulate { len };
    let got = run(gpu, &[&totals], |plan| op.record(plan, &xs, &s, &totals));
    op.record_cpu(&x, &step, &mut total);
    assert_close("total", &got[0], &total, 0.0);
}

pub fn record(gpu: &Gpu) {
    for (len, micro) in [(1, 0), (7, 1), (1003, 0), (1003, 2)] {
        record_at(gpu, len, micro);
    }
}

#[test]
fn equals_twin() {
    record(&gpu());
}

/// Its kernels and their uniforms.
pub fn cases() -> Vec<Case> {
    vec![case(&k::ACCUMULATE, layout!(Accumulate { len }))]
}

#[rustfmt::skip]
pub fn mistakes() -> Vec<Mistake> {
    mistakes![
        ACCUMULATE "now.micro == 0u" => "now.micro == 1u", record;
    ]
}
