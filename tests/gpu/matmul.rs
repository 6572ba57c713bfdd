use crate::common::{assert_close, gpu, run, values};
use driftscope::gpu::Gpu;
use driftscope::kernels::{Kernel, Layout, MATMUL_REGISTER, MATMUL_SKINNY, MATMUL_TILED, Matmul, Variant};

const LAYOUTS: [Layout; 3] = [Layout::Nn, Layout::Nt, Layout::Tn];

/// Twin and kernel add the same K products in f32 in a different order. Rounding errors (6e-8 each) then
/// walk like sqrt(K), and so does the largest of the sums, which the comparison divides by: a few 1e-7.
/// The square root leaves room for operands whose products cancel; a single missing product of the K is
/// off by about 1 / sqrt(K), far above it.
pub fn tolerance(k: u32) -> f32 {
    1e-6 * (k as f32).sqrt().max(2.0)
}

/// A copy of `kernel` with one piece of its source replaced: the comparison must notice.
pub fn perturbed(kernel: &Kernel, from: &str, to: &str) -> &'static Kernel {
    assert!(kernel.source.contains(from), "{} has no `{from}`", kernel.name);
    let source = kernel.source.replacen(from, to, 1).leak();
    Box::leak(Box::new(Kernel { name: "perturbed", source, inputs: kernel.inputs, outputs: kernel.outputs }))
}

/// The largest difference, relative to the largest magnitude expected.
pub fn difference(got: &[f32], want: &[f32]) -> f32 {
    let scale = want.iter().fold(1e-6f32, |m, v| m.max(v.abs()));
    got.iter().zip(want).fold(0.0, |d: f32, (g, w)| d.max((g - w).abs() / scale))
}

/// (kernel, twin) of `op`, on the kernel it chooses or on `instead`.
fn both(gpu: &Gpu, op: Matmul, instead: Option<&'static Kernel>) -> (Vec<f32>, Vec<f32>) {
    let (a, b) = (values(1, (op.m * op.k) as usize), values(2, (op.k * op.n) as usize));
    let mut want = values(3, (op.m * op.n) as usize);
    let (sa, sb) = (gpu.upload("a", &a).unwrap(), gpu.upload("b", &b).unwrap());
    let out = gpu.upload("out", &want).unwrap();
    let got = run(gpu, &[&out], |plan| {
        let mut launch = op.launch(gpu, None);
        match instead {
            Some(kernel) => {
                launch.kernel = kernel;
                launch.record(plan, [&sa, &sb, &sa, &sb], &out);
            }
            None => op.record(plan, &sa, &sb, &out),
        }
    });
    op.cpu(&a, &b, &mut want);
    (got.into_iter().next().unwrap(), want)
}

fn check(gpu: &Gpu, op: Matmul) {
    let (got, want) = both(gpu, op, None);
    assert_close(&format!("{op:?}"), &got, &want, tolerance(op.k));
}

/// A product of each layout, on one variant.
fn variant(gpu: &Gpu, variant: Variant) {
    for layout in LAYOUTS {
        check(gpu, Matmul::new(layout, 36, 44, 68).force(variant));
    }
}

pub fn register(gpu: &Gpu) {
    variant(gpu, Variant::Register);
}

pub fn skinny(gpu: &Gpu) {
    variant(gpu, Variant::Scalar);
}

pub fn tiled(gpu: &Gpu) {
    variant(gpu, Variant::Tiled);
}

#[test]
fn every_variant_equals_twin_on_odd_shapes() {
    let gpu = gpu();
    let shapes = [
        (1, 1, 1),
        (1, 5, 3),
        (3, 1, 17),
        (5, 3, 1),
        (17, 63, 65),
        (63, 17, 130),
        (65, 130, 5),
        (130, 65, 63),
        (4, 4, 4),
        (4, 8, 17),
        (20, 68, 36),
        (132, 64, 12),
        (1, 192, 64),
        (64, 260, 20),
        (7, 12, 44),
    ];
    for variant in Variant::ALL {
        for layout in LAYOUTS {
            for (m, n, k) in shapes {
                check(&gpu, Matmul::new(layout, m, n, k).force(variant));
            }
        }
    }
}

/// The same with rows that are multiples of 4 wherever a variant asks for it, so that none falls back.
#[test]
fn aligned_variants_equal_twin_with_odd_free_dimensions() {
    let gpu = gpu();
    for variant in [Variant::Register, Variant::Tiled] {
        for free in [1, 3, 5, 17, 63, 65, 130] {
            for aligned in [4, 20, 64, 132] {
                let ops = [
                    Matmul::new(Layout::Nn, free, 36, aligned),
                    Matmul::new(Layout::Nt, free, 20, aligned),
                    Matmul::new(Layout::Nt, 65, if variant == Variant::Tiled { free } else { aligned }, 36),
                    Matmul::new(Layout::Tn, 68, aligned, free),
                ];
                for op in ops.map(|op| op.force(variant)) {
                    assert_eq!(op.variant(&gpu), variant);
                    check(&gpu, op);
                }
            }
        }
    }
}

#[test]
fn accumulates_and_scales() {
    let gpu = gpu();
    for variant in Variant::ALL {
        for layout in LAYOUTS {
            for (m, n, k) in [(20, 36, 68), (9, 5, 3)] {
                let op = Matmul::new(layout, m, n, k).force(variant);
                check(&gpu, op.accumulate());
                check(&gpu, op.alpha(-0.37));
                check(&gpu, op.alpha(2.5).accumulate());
            }
        }
    }
}

#[test]
fn chosen_variant_equals_twin_at_model_shapes() {
    let gpu = gpu();
    for m in [1, 2, 64, 192] {
        for (n, k) in [(384, 192), (2048, 192), (192, 640)] {
            check(&gpu, Matmul::new(Layout::Nt, m, n, k));
        }
    }
}

/// More workgroups than one dimension of a grid may have.
#[test]
fn long_outputs_fold_the_grid() {
    let gpu = gpu();
    for variant in [Variant::Sliced, Variant::Scalar] {
        check(&gpu, Matmul::new(Layout::Nn, 140_001, 1, 1).force(variant));
    }
    check(&gpu, Matmul::new(Layout::Tn, 140_004, 4, 1).force(Variant::Register));
}

#[test]
fn a_perturbed_kernel_fails() {
    let gpu = gpu();
    let cases = [
        (Variant::Register, Layout::Nt, &MATMUL_REGISTER, "block_a(m + 4u, k)", "block_a(m, k)"),
        (Variant::Register, Layout::Tn, &MATMUL_REGISTER, "k + 3u < u.k", "k + 4u < u.k"),
        (Variant::Tiled, Layout::Nn, &MATMUL_TILED, "block_a(y, 3u)", "block_a(y, 2u)"),
        (Variant::Tiled, Layout::Nt, &MATMUL_TILED, "x + i * 16u", "x * 4u + i"),
        (Variant::Sliced, Layout::Tn, &MATMUL_SKINNY, "k += SLICES", "k += SLICES + 1u"),
        (Variant::Scalar, Layout::Nn, &MATMUL_SKINNY, "sum *= u.alpha", "sum *= 1.001"),
    ];
    for (variant, layout, kernel, from, to) in cases {
        let op = Matmul::new(layout, 36, 44, 68).force(variant);
        // A device each: pipelines are cached by name.
        let gpu_perturbed = crate::common::gpu();
        let (got, want) = both(&gpu_perturbed, op, Some(perturbed(kernel, from, to)));
        let off = difference(&got, &want);
        assert!(off > 10.0 * tolerance(op.k), "{variant:?} {from}: only {off} off");
        check(&gpu, op);
    }
}
