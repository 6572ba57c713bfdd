use crate::common::{Case, Mistake, assert_close, case, gpu, run, shared, upload, values, weights};
use crate::matmul::tolerance;
use driftscope::gpu::{Gpu, Slice};
use driftscope::kernels as k;
use driftscope::kernels::{Layout, LoraGroups, Matmul, Variant};

/// (groups, bounds) of stacked weights with N rows.
const STACKS: [(u32, [u32; 3]); 6] = [
    (1, [36, 0, 0]),
    (2, [20, 64, 0]),
    (3, [64, 80, 96]),
    (2, [7, 132, 0]),
    (3, [5, 64, 77]),
    (3, [1, 2, 132]),
];

const RANKS: [u32; 6] = [1, 2, 3, 4, 8, 16];

fn lora(rank: u32, (groups, bounds): (u32, [u32; 3])) -> LoraGroups {
    LoraGroups { rank, groups, bounds, scale: 1.75 }
}

/// N, the rows of the stacked weight.
fn rows(op: LoraGroups) -> u32 {
    op.bounds[op.groups as usize - 1]
}

fn random(gpu: &Gpu, seed: u64, n: u32) -> (Vec<f32>, Slice) {
    let data = values(seed, n as usize);
    let slice = upload(gpu, &data);
    (data, slice)
}

/// mm is Nt with n = N.
pub fn forward_at(gpu: &Gpu, op: LoraGroups, mm: Matmul) {
    let (x, xs) = random(gpu, 1, mm.m * mm.k);
    let (w, ws) = weights(gpu, 2, mm.n * mm.k, mm.packed);
    let (xa, xas) = random(gpu, 3, mm.m * op.groups * op.rank);
    let (b, bs) = random(gpu, 4, mm.n * op.rank);
    let (mut want, out) = random(gpu, 5, mm.m * mm.n);
    let got = run(gpu, &[&out], |plan| op.forward(plan, mm, &xs, &ws, &xas, &bs, &out));
    op.forward_cpu(mm, &x, &w, &xa, &b, &mut want);
    assert_close(&format!("out, {mm:?} {op:?}"), &got[0], &want, tolerance(mm.k + op.rank));
}

/// mm is Nn with k = N.
pub fn backward_input_at(gpu: &Gpu, op: LoraGroups, mm: Matmul) {
    let (dy, dys) = random(gpu, 1, mm.m * mm.k);
    let (w, ws) = weights(gpu, 2, mm.k * mm.n, mm.packed);
    let (dxa, dxas) = random(gpu, 3, mm.m * op.groups * op.rank);
    let (a, adapters) = random(gpu, 4, op.groups * op.rank * mm.n);
    let (mut want, dx) = random(gpu, 5, mm.m * mm.n);
    let got = run(gpu, &[&dx], |plan| {
        op.backward_input(plan, mm, &dys, &ws, &dxas, &adapters, &dx);
    });
    op.backward_input_cpu(mm, &dy, &w, &dxa, &a, &mut want);
    let k = mm.k + op.groups * op.rank;
    assert_close(&format!("dx, {mm:?} {op:?}"), &got[0], &want, tolerance(k));
}

/// Gradients of both adapters from M rows.
pub fn gradients_at(gpu: &Gpu, op: LoraGroups, m: u32) {
    let n = rows(op);
    let (dy, dys) = random(gpu, 1, m * n);
    let (b, bs) = random(gpu, 2, n * op.rank);
    let (xa, xas) = random(gpu, 3, m * op.groups * op.rank);
    let (_, dxa) = random(gpu, 4, m * op.groups * op.rank);
    let (_, db) = random(gpu, 5, n * op.rank);
    let got = run(gpu, &[&dxa, &db], |plan| {
        op.backward_output(plan, m, n, &dys, &bs, &xas, &dxa, &db);
    });
    let what = |name| format!("{name}, {op:?} m {m} {:?}", gpu.choices().share);
    assert_close(&what("dxa"), &got[0], &op.backward_down_cpu(m, n, &dy, &b), tolerance(n));
    assert_close(&what("db"), &got[1], &op.backward_b_cpu(n, &dy, &xa), tolerance(m));
}

/// `down` and `backward_a` are plain products of the stacked adapters.
pub fn products_at(gpu: &Gpu, op: LoraGroups, m: u32, width_in: u32) {
    let width = op.groups * op.rank;
    let (x, xs) = random(gpu, 1, m * width_in);
    let (a, adapters) = random(gpu, 2, width * width_in);
    let (dxa, dxas) = random(gpu, 3, m * width);
    let (mut want_xa, xa) = random(gpu, 4, m * width);
    let (mut want_da, da) = random(gpu, 5, width * width_in);
    let got = run(gpu, &[&xa, &da], |plan| {
        op.down(plan, m, width_in, &xs, &adapters, &xa);
        op.backward_a(plan, m, width_in, &dxas, &xs, &da);
    });
    Matmul::new(Layout::Nt, m, width, width_in).cpu(&x, &a, &mut want_xa);
    Matmul::new(Layout::Tn, width, width_in, m).cpu(&dxa, &x, &mut want_da);
    assert_close("xa", &got[0], &want_xa, tolerance(width_in));
    assert_close("da", &got[1], &want_da, tolerance(m));
}

/// The forward pass and the input's gradient of stacks whose groups end with tiles and within them, on one variant.
fn variant(gpu: &Gpu, variant: Variant) {
    for op in [lora(8, STACKS[2]), lora(8, STACKS[1])] {
        forward_at(gpu, op, Matmul::new(Layout::Nt, 19, rows(op), 20).force(variant));
        backward_input_at(gpu, op, Matmul::new(Layout::Nn, 19, 20, rows(op)).force(variant));
    }
}

pub fn register(gpu: &Gpu) {
    variant(gpu, Variant::Register);
}

pub fn sliced(gpu: &Gpu) {
    variant(gpu, Variant::Sliced);
}

/// Stacks whose rows are no whole quads.
pub fn sliced_words(gpu: &Gpu) {
    for op in [lora(3, STACKS[4]), lora(2, STACKS[3])] {
        forward_at(gpu, op, Matmul::new(Layout::Nt, 19, rows(op), 21).force(Variant::Sliced));
    }
}

pub fn tiled(gpu: &Gpu) {
    variant(gpu, Variant::Tiled);
}

/// One stack of three, by all kernels.
pub fn gradients(gpu: &Gpu) {
    shared(gpu, || [7, 8].into_iter().for_each(|rank| gradients_at(gpu, lora(rank, STACKS[2]), 65)));
}

#[test]
fn forward_equals_twin() {
    let gpu = gpu();
    for variant in Variant::ALL {
        for op in RANKS.into_iter().flat_map(|rank| STACKS.map(|stack| lora(rank, stack))) {
            let mm = Matmul::new(Layout::Nt, 19, rows(op), 20).force(variant);
            for mm in [mm, mm.accumulate(), mm.packed(true)] {
                forward_at(&gpu, op, mm);
            }
        }
    }
}

#[test]
fn backward_input_equals_twin() {
    let gpu = gpu();
    for variant in Variant::ALL {
        for op in RANKS.into_iter().flat_map(|rank| STACKS.map(|stack| lora(rank, stack))) {
            for width_in in [20, 33] {
                let mm = Matmul::new(Layout::Nn, 19, width_in, rows(op)).force(variant);
                for mm in [mm, mm.accumulate(), mm.packed(true)] {
                    backward_input_at(&gpu, op, mm);
                }
            }
        }
    }
}

#[test]
fn adapter_gradients_equal_twins() {
    let gpu = gpu();
    shared(&gpu, || {
        for op in RANKS.into_iter().flat_map(|rank| STACKS.map(|stack| lora(rank, stack))) {
            for m in [1, 65, 130] {
                gradients_at(&gpu, op, m);
            }
        }
    });
}

#[test]
fn down_and_backward_a_equal_products() {
    let gpu = gpu();
    for rank in [1, 3, 8] {
        products_at(&gpu, lora(rank, STACKS[2]), 33, 20);
    }
}

/// Its kernels and their uniforms.
pub fn cases() -> Vec<Case> {
    [
        &k::LORA_BACKWARD_OUTPUT,
        &k::LORA_BACKWARD_OUTPUT_QUADS,
        &k::LORA_TILES_BACKWARD_OUTPUT,
        &k::LORA_TILES_BACKWARD_OUTPUT_QUADS,
    ]
    .map(|kernel| case(kernel, layout!(LoraUniforms { m, n, rank, groups, scale, end_0, end_1, down })))
    .into()
}

#[rustfmt::skip]
pub fn mistakes() -> Vec<Mistake> {
    mistakes![
        LORA_BACKWARD_OUTPUT "four_xa(ms.w, rs) * there.w" => "four_xa(ms.w, rs)", gradients;
        LORA_BACKWARD_OUTPUT "n < end;" => "n < end - 4u;", gradients;
        LORA_BACKWARD_OUTPUT_QUADS "dxa[at + e] = u.scale * values[e]" => "dxa[at + e] = values[e]", gradients;
        LORA_BACKWARD_OUTPUT_QUADS "partial[t + half * stride]" => "partial[t + half]", gradients;
        LORA_BACKWARD_OUTPUT_QUADS "four_b(ns.w, rs)" => "four_b(ns.z, rs)", gradients;
        LORA_TILES_BACKWARD_OUTPUT "(row + i) * u.groups + t.g" => "(row + i) * u.groups", gradients;
        LORA_TILES_BACKWARD_OUTPUT "four_terms(t, term, r + 4u)" => "four_terms(t, term, r)", gradients;
        LORA_TILES_BACKWARD_OUTPUT "block(t, row + 8u, term)" => "block(t, row + 4u, term)", gradients;
        LORA_TILES_BACKWARD_OUTPUT ", term < u.m)" => ", true)", gradients;
        LORA_TILES_BACKWARD_OUTPUT_QUADS "(four + term * u.rank) / LANES" => "four + term * u.rank / LANES", gradients;
        LORA_TILES_BACKWARD_OUTPUT_QUADS "* u.groups + t.g" => "* u.groups", gradients;
    ]
}
