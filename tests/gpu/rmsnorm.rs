use crate::common::{assert_close, gpu, run, values};
use driftscope::kernels::RmsNorm;

#[test]
fn forward_equals_twin_on_odd_shapes() {
    let gpu = gpu();
    for (rows, width) in [(1, 1), (3, 5), (7, 48), (65, 192), (130, 33)] {
        let op = RmsNorm { rows, width, eps: 1e-5 };
        let (x, w) = (values(1, (rows * width) as usize), values(2, width as usize));
        let (xs, ws) = (gpu.upload("x", &x).unwrap(), gpu.upload("w", &w).unwrap());
        let y = gpu.buffer("y", x.len()).unwrap();
        let rstd = gpu.buffer("rstd", rows as usize).unwrap();
        let got = run(&gpu, &[&y, &rstd], |plan| op.forward(plan, &xs, &ws, &y, &rstd));
        let (want_y, want_rstd) = op.forward_cpu(&x, &w);
        assert_close("y", &got[0], &want_y, 1e-5);
        assert_close("rstd", &got[1], &want_rstd, 1e-5);
    }
}
