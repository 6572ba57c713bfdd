use crate::common::{Case, Mistake, assert_close, case, gpu, run, upload, values, weights};
use driftscope::gpu::Gpu;
use driftscope::kernels as k;
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

/// Rows that are no whole quads.
pub fn odd(gpu: &Gpu) {
    for layout in LAYOUTS {
        for packed in [false, true] {
            record_at(gpu, Matmul::new(layout, 7, 6, 67).force(Variant::Sliced).packed(packed));
        }
    }
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

/// Sums over Llama 3's vocabulary, and an odd one: more terms than the loop rounds that llvmpipe grants a thread.
#[test]
fn long_sums_equal_twin() {
    let gpu = gpu();
    for layout in LAYOUTS {
        for (n, k) in [(4, 128_256), (3, 128_257)] {
            for variant in Variant::ALL {
                record_at(&gpu, Matmul::new(layout, 4, n, k).force(variant));
            }
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

/// Its kernels and their uniforms.
pub fn cases() -> Vec<Case> {
    [&k::MATMUL_REGISTER, &k::MATMUL_SKINNY, &k::MATMUL_SKINNY_QUADS, &k::MATMUL_TILED]
        .map(|kernel| case(kernel, layout!(MatmulUniforms { m, n, k, scale, rank, groups, end_0, end_1 })))
        .into()
}

#[rustfmt::skip]
pub fn mistakes() -> Vec<Mistake> {
    mistakes![
        MATMUL_REGISTER "block_a(m + 4u, k)" => "block_a(m, k)", register;
        MATMUL_REGISTER "i % 2u == 1u" => "i % 2u == 0u", register;
        MATMUL_REGISTER "k + 3u < u.k" => "k + 4u < u.k", register;
        MATMUL_REGISTER "s20 = s30" => "", register;
        MATMUL_REGISTER "row_q(j, n + 12u, first)" => "row_q(j, n + 8u, first)", crate::lora::register;
        MATMUL_REGISTER "first = group(vec4u(n)).x * u.rank" => "first = 0u", crate::lora::register;
        MATMUL_REGISTER "own < vec4u(u.rank)" => "own <= vec4u(u.rank)", crate::lora::register;
        MATMUL_REGISTER "column(n + 15u), SPLIT" => "n, SPLIT", crate::lora::register;
        MATMUL_SKINNY "< vec4u(u.k);" => "<= vec4u(u.k);", odd;
        MATMUL_SKINNY "i % 2u == 1u" => "i % 2u == 0u", odd;
        MATMUL_SKINNY "r < vec4u(u.rank)" => "r <= vec4u(u.rank)", crate::lora::sliced_words;
        MATMUL_SKINNY_QUADS "i % 2u == 1u" => "i % 2u == 0u", scalar;
        MATMUL_SKINNY_QUADS "k = slice * 4u" => "k = slice * 8u", sliced;
        MATMUL_SKINNY_QUADS "half * blocks" => "half", sliced;
        MATMUL_SKINNY_QUADS "first = group(ns).x * u.rank" => "first = u.rank", crate::lora::sliced;
        MATMUL_TILED "block_a(y, 3u)" => "block_a(y, 2u)", tiled;
        MATMUL_TILED "x + i * 16u" => "x * 4u + i", tiled;
        MATMUL_TILED "unpack2x16float(two.y)" => "unpack2x16float(two.x)", tiled;
        MATMUL_TILED "n >= u.end_1" => "n > u.end_1", crate::lora::tiled;
    ]
}
