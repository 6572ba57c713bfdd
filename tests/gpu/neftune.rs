use crate::common::{Case, Mistake, assert_close, case, gpu, run, upload, values};
use driftscope::gpu::Gpu;
use driftscope::kernels as k;
use driftscope::kernels::{Neftune, Step};

pub fn record_at(gpu: &Gpu, batch: u32, time: u32, width: u32) {
    let op = Neftune { batch, time, width, alpha: 5.0 };
    let lengths: Vec<u32> = (0..batch).map(|b| (b * 3) % (time + 1)).collect();
    let step = Step { noise: 4_000_000_000, ..Step::default() };
    let mut want = values(1, (batch * time * width) as usize);
    let (l, s, x) = (upload(gpu, &lengths), upload(gpu, step.words()), upload(gpu, &want));
    let got = run(gpu, &[&x], |plan| op.record(plan, &l, &s, &x));
    want.iter_mut().zip(op.noise_cpu(&lengths, &step)).for_each(|(x, noise)| *x += noise);
    assert_close("x", &got[0], &want, 1e-6);
}

pub fn record(gpu: &Gpu) {
    for (batch, time, width) in [(1, 1, 1), (3, 5, 7), (4, 33, 48)] {
        record_at(gpu, batch, time, width);
    }
}

#[test]
fn equals_twin() {
    record(&gpu());
}

/// Uniform in (-1, 1) times alpha / sqrt(L C): mean 0, variance a third of the square.
#[test]
fn twin_is_uniform_noise() {
    let op = Neftune { batch: 2, time: 64, width: 96, alpha: 5.0 };
    let noise = op.noise_cpu(&[40, 0], &Step { noise: 7, ..Step::default() });
    let (row, empty) = noise.split_at(64 * 96);
    assert!(empty.iter().all(|v| *v == 0.0));
    let reach = 5.0 / (40.0f64 * 96.0).sqrt();
    let scaled: Vec<f64> = row.iter().map(|v| f64::from(*v) / reach).collect();
    let n = scaled.len() as f64;
    let (mean, square) = (scaled.iter().sum::<f64>() / n, scaled.iter().map(|v| v * v).sum::<f64>() / n);
    assert!(scaled.iter().all(|v| v.abs() < 1.0) && mean.abs() < 0.03, "{mean}");
    assert!((square - 1.0 / 3.0).abs() < 0.02, "{square}");
}

/// Its kernels and their uniforms.
pub fn cases() -> Vec<Case> {
    vec![case(&k::NEFTUNE, layout!(Neftune { batch, time, width, alpha }))]
}

#[rustfmt::skip]
pub fn mistakes() -> Vec<Mistake> {
    mistakes![
        NEFTUNE "pcg(pcg(pcg(now.noise + b) + t) + c)" => "pcg(pcg(pcg(now.noise + b)) + c)", record;
        NEFTUNE "lengths[b] * u.width" => "u.time * u.width", record;
    ]
}
