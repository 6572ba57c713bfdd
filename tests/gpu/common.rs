//! A device per thread, seeded values, and the comparison.

use driftscope::gpu::{Gpu, PlanBuilder, Slice};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A device of its own for each test: wgpu's is cheap next to the tests.
pub fn gpu() -> Gpu {
    pollster::block_on(Gpu::new()).expect("a WebGPU adapter (Mesa's lavapipe will do)")
}

/// `n` values in (-1, 1), the same for the same seed.
pub fn values(seed: u64, n: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// Records a plan, runs it, and reads the outputs.
pub fn run(gpu: &Gpu, outputs: &[&Slice], record: impl FnOnce(&mut PlanBuilder)) -> Vec<Vec<f32>> {
    let mut builder = PlanBuilder::new(gpu);
    record(&mut builder);
    builder.finish("test").submit(gpu);
    pollster::block_on(gpu.read_many(outputs)).expect("the plan ran")
}

/// Largest difference, relative to the largest magnitude expected.
pub fn assert_close(what: &str, got: &[f32], want: &[f32], tolerance: f32) {
    assert_eq!(got.len(), want.len(), "{what}: length");
    let scale = want.iter().fold(1e-6f32, |m, v| m.max(v.abs()));
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((g - w).abs() <= tolerance * scale, "{what}[{i}]: got {g}, want {w} (scale {scale})");
    }
}
