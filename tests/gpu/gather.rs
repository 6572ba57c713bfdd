use crate::common::{assert_close, dirty, gpu, ids, run, upload, values};
use driftscope::gpu::Gpu;
use driftscope::kernels::Gather;

/// Copies, so exact.
pub fn record(gpu: &Gpu) {
    for (n, rows, width) in [(1, 1, 1), (7, 3, 5), (9, 70, 33)] {
        let op = Gather { rows, width };
        let (x, picked) = (values(1, (n * width) as usize), ids(2, rows as usize, n));
        let (xs, r, out) = (upload(gpu, &x), upload(gpu, &picked), dirty(gpu, (rows * width) as usize));
        let got = run(gpu, &[&out], |plan| op.record(plan, &xs, &r, &out));
        assert_close("out", &got[0], &op.record_cpu(&x, &picked), 0.0);
    }
}

#[test]
fn equals_twin() {
    record(&gpu());
}
