use crate::common::{assert_close, gpu, run, upload, values, weights};
use driftscope::gpu::Gpu;
use driftscope::kernels::{Layout, Matmul, Variant};

pub const LAYOUTS: [Layout; 3] = [Layout::Nn, Layout::Nt, Layout::Tn];

/// Twin and kernel add the same K products in f32 in a different order. Rounding errors (6e-8 each) then
/// walk like sqrt(K), and so does the largest of the sums, which the comparison divides by: a few 1e-7.
/// The square root leaves room for operands whose products cancel; a single missing product of the K is
/// off by about 1 / sqrt(K), far above it.
pub fn tolerance(k: u32) -> f32 {
    1e-6 * (k as f32).sqrt().max(2.0)
}

pub fn record_at(gpu: &Gpu, op: Matmul) {
    let a = values(1, (op.m * op.k) as usize);
    let (b, sb) = weights(gpu, 2, op.k * op.n, op.packed);
    let mut want = values(3, (op.m * op.n) as usize);
    let [sa, out] = [&a, &want].map(|v| upload(gpu, v));
    let got = run(gpu, &[&out], |plan| op.record(plan, &sa, &sb, &out));
    op.cpu(&a, &b, &mut want);
    assert_close(&format!("out, {op:?}"), &got[0], &want, tolerance(op.k));
}

/// A product of each layout, on one variant, with b as f32 and as f16.
fn variant(gpu: &Gpu, variant: Variant) {
    for layout in LAYOUTS {
        for packed in [false, true] {
            record_at(gpu, Matmul::new(layout, 36, 44, 68).force(variant).packed(packed));
        }
    }
}

pub fn register(gpu: &Gpu) {
    variant(gpu, Variant::Register);
}

pub fn scalar(gpu: &Gpu) {
    variant(gpu, Variant::Scalar);
}

pub fn sliced(gpu: &Gpu) {
    variant(gpu, Variant::Sliced);
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
                let op = Matmul::new(layout, m, n, k).force(variant);
                record_at(&gpu, op);
                record_at(&gpu, op.packed(true));
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
                    record_at(&gpu, op);
                    record_at(&gpu, op.packed(true));
                }
            }
        }
    }
}

#[test]
fn accumulates() {
    let gpu = gpu();
    for variant in Variant::ALL {
        for layout in LAYOUTS {
            for (m, n, k) in [(20, 36, 68), (9, 5, 3)] {
                let op = Matmul::new(layout, m, n, k).force(variant);
                record_at(&gpu, op.accumulate());
                record_at(&gpu, op.accumulate().packed(true));
            }
        }
    }
}

#[test]
fn chosen_variant_equals_twin_at_model_shapes() {
    let gpu = gpu();
    for m in [1, 2, 64, 192] {
        for (n, k) in [(384, 192), (2048, 192), (192, 640)] {
            record_at(&gpu, Matmul::new(Layout::Nt, m, n, k));
            record_at(&gpu, Matmul::new(Layout::Nt, m, n, k).packed(true));
        }
    }
}

/// More workgroups than one dimension of a grid may have.
#[test]
fn long_outputs_fold_the_grid() {
    let gpu = gpu();
    for variant in [Variant::Sliced, Variant::Scalar] {
        record_at(&gpu, Matmul::new(Layout::Nn, 140_001, 1, 1).force(variant));
    }
    record_at(&gpu, Matmul::new(Layout::Tn, 140_004, 4, 1).force(Variant::Register));
}
