//! A device per test, seeded values, buffers, and the comparisons.

use driftscope::gpu::{Gpu, Kernel, PlanBuilder, Slice};
use driftscope::kernels::{Share, UnpackF16, pack_f16};
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

/// [`values`] times `scale`.
pub fn scaled(seed: u64, n: usize, scale: f32) -> Vec<f32> {
    values(seed, n).iter().map(|v| v * scale).collect()
}

/// `n` ids below `limit`, the same for the same seed.
pub fn ids(seed: u64, n: usize, limit: u32) -> Vec<u32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|_| rng.random_range(0..limit)).collect()
}

/// A buffer that holds `data`.
pub fn upload<T: bytemuck::Pod>(gpu: &Gpu, data: &[T]) -> Slice {
    gpu.upload("input", data).unwrap()
}

/// [`values`] as a kernel reads weights, and their buffer: f32 or, if `packed`, rounded to f16.
pub fn weights(gpu: &Gpu, seed: u64, n: u32, packed: bool) -> (Vec<f32>, Slice) {
    let mut values = values(seed, n as usize);
    if !packed {
        let slice = upload(gpu, &values);
        return (values, slice);
    }
    let words = pack_f16(&values);
    values = UnpackF16 { len: words.len() as u32 }.record_cpu(&words);
    values.truncate(n as usize);
    (values, upload(gpu, &words))
}

/// A buffer full of values that no kernel would leave behind: what it fails to write shows.
pub fn dirty(gpu: &Gpu, n: usize) -> Slice {
    gpu.upload("output", &vec![-777.0f32; n]).unwrap()
}

/// Runs `test` for each way in which kernels share out their work.
pub fn shared(gpu: &Gpu, test: impl Fn()) {
    for share in Share::ALL {
        gpu.choose(|choices| choices.share = share);
        test();
    }
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
    let scale = want.iter().fold(1e-6f32, |m, v| m.max(v.abs()));
    assert_within(what, got, want, tolerance * scale);
}

/// Largest difference by itself.
pub fn assert_within(what: &str, got: &[f32], want: &[f32], bound: f32) {
    assert_eq!(got.len(), want.len(), "{what}: length");
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((g - w).abs() <= bound, "{what}[{i}]: got {g}, want {w} (within {bound})");
    }
}

/// The words of a u32 output are what the twin gives.
pub fn assert_words(what: &str, got: &[f32], want: &[u32]) {
    assert_eq!(got.len(), want.len(), "{what}: length");
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!(g.to_bits() == *w, "{what}[{i}]: got {}, want {w}", g.to_bits());
    }
}

/// `Σ a*b` in f64: the loss whose gradient with respect to `a` is `b`.
pub fn inner(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// `gradient` against central differences of `loss` at `x`. With h = 1e-2 the truncation (h² f''' / 6)
/// and the f32 noise of the loss (1e-7 / h) both stay near 1e-4 for the O(1) functions here.
pub fn assert_gradient(what: &str, x: &[f32], gradient: &[f32], loss: impl Fn(&[f32]) -> f64) {
    let h = 1e-2f32;
    let slope = |i: usize| {
        let mut moved = x.to_vec();
        moved[i] = x[i] + h;
        let up = (loss(&moved), moved[i]);
        moved[i] = x[i] - h;
        ((up.0 - loss(&moved)) / f64::from(up.1 - moved[i])) as f32
    };
    let slopes: Vec<f32> = (0..x.len()).map(slope).collect();
    assert_close(what, gradient, &slopes, 2e-3);
}

/// Size of a struct and the offsets of its fields, in bytes.
#[derive(Debug, PartialEq)]
pub struct Layout {
    pub size: usize,
    pub fields: Vec<(String, usize)>,
}

/// `layout!(Fill { len })`: where the fields of a kernel's struct lie.
macro_rules! layout {
    ($name:ident { $($field:ident),* }) => {
        $crate::common::Layout {
            size: size_of::<driftscope::kernels::$name>(),
            fields: vec![$((stringify!($field).into(), std::mem::offset_of!(driftscope::kernels::$name, $field))),*],
        }
    };
}

/// A kernel, and its uniforms as Rust has them.
pub struct Case {
    pub kernel: &'static Kernel,
    pub uniforms: Layout,
}

pub fn case(kernel: &'static Kernel, uniforms: Layout) -> Case {
    Case { kernel, uniforms }
}

/// One wrong place in one shader, and the comparison that must notice it.
pub struct Mistake {
    pub kernel: &'static Kernel,
    pub right: &'static str,
    pub wrong: &'static str,
    /// The comparison's name.
    pub test: String,
    pub compare: fn(&Gpu),
}

/// `mistakes![FILL "right" => "wrong", record; …]`: at least one for each kernel, more for those that do distinct
/// things; with the comparison that must notice it.
macro_rules! mistakes {
    ($($kernel:ident $right:literal => $wrong:literal, $compare:path;)*) => {
        vec![$($crate::common::Mistake {
            kernel: &driftscope::kernels::$kernel,
            right: $right,
            wrong: $wrong,
            test: $crate::common::test_name(module_path!(), stringify!($compare)),
            compare: $compare,
        }),*]
    };
}

/// "fill::record" of a function of this file, or of another's path.
pub fn test_name(file: &str, function: &str) -> String {
    let path = function.strip_prefix("crate::").map(str::to_owned);
    path.unwrap_or_else(|| format!("{}::{function}", file.rsplit("::").next().unwrap_or_default()))
}
