use crate::common::{assert_close, gpu, run, values};
use crate::matmul::{difference, perturbed, tolerance};
use driftscope::gpu::{Gpu, Slice};
use driftscope::kernels::{
    Kernel, LORA_BACKWARD_B, Layout, LoraGroups, MATMUL_REGISTER, MATMUL_SKINNY, MATMUL_TILED, Matmul,
    Slices, Variant,
};

/// (groups, bounds) of stacked weights with N rows.
const STACKS: [(u32, [u32; 3]); 6] = [
    (1, [36, 0, 0]),
    (2, [20, 64, 0]),
    (3, [64, 80, 96]),
    (2, [7, 132, 0]),
    (3, [5, 64, 77]),
    (3, [1, 2, 132]),
];

fn rows(stack: (u32, [u32; 3])) -> u32 {
    stack.1[stack.0 as usize - 1]
}

fn lora(rank: u32, (groups, bounds): (u32, [u32; 3])) -> LoraGroups {
    LoraGroups { rank, groups, bounds, scale: 1.75 }
}

fn upload(gpu: &Gpu, seed: u64, n: u32) -> (Vec<f32>, Slice) {
    let data = values(seed, n as usize);
    let slice = gpu.upload("test", &data).unwrap();
    (data, slice)
}

/// (kernel, twin) of the forward pass, on the kernel it chooses or on `instead`.
fn forward(gpu: &Gpu, op: LoraGroups, mm: Matmul, instead: Option<&'static Kernel>) -> (Vec<f32>, Vec<f32>) {
    let (x, xs) = upload(gpu, 1, mm.m * mm.k);
    let (w, ws) = upload(gpu, 2, mm.n * mm.k);
    let (xa, xas) = upload(gpu, 3, mm.m * op.groups * op.rank);
    let (b, bs) = upload(gpu, 4, mm.n * op.rank);
    let (mut want, out) = upload(gpu, 5, mm.m * mm.n);
    let got = run(gpu, &[&out], |plan| match instead {
        Some(kernel) => {
            let mut launch = mm.launch(gpu, Some(op));
            launch.kernel = kernel;
            launch.record(plan, [&xs, &ws, &xas, &bs], &out);
        }
        None => op.forward(plan, mm, &xs, &ws, &xas, &bs, &out),
    });
    op.forward_cpu(mm, &x, &w, &xa, &b, &mut want);
    (got.into_iter().next().unwrap(), want)
}

#[test]
fn forward_equals_twin() {
    let gpu = gpu();
    for variant in Variant::ALL {
        for rank in [1, 2, 3, 4, 8, 16] {
            for stack in STACKS {
                let op = lora(rank, stack);
                let mm = Matmul::new(Layout::Nt, 19, rows(stack), 20).force(variant);
                for mm in [mm, mm.accumulate(), mm.alpha(0.5)] {
                    let (got, want) = forward(&gpu, op, mm, None);
                    assert_close(&format!("{mm:?} {op:?}"), &got, &want, tolerance(mm.k + rank));
                }
            }
        }
    }
}

#[test]
fn backward_input_equals_twin() {
    let gpu = gpu();
    for variant in Variant::ALL {
        for rank in [1, 2, 3, 4, 8, 16] {
            for (stack, width_in) in STACKS.into_iter().flat_map(|s| [(s, 20), (s, 33)]) {
                let (op, m, n) = (lora(rank, stack), 19, rows(stack));
                let (dy, dys) = upload(&gpu, 1, m * n);
                let (w, ws) = upload(&gpu, 2, n * width_in);
                let (dxa, dxas) = upload(&gpu, 3, m * op.groups * rank);
                let (a, adapters) = upload(&gpu, 4, op.groups * rank * width_in);
                let mm = Matmul::new(Layout::Nn, m, width_in, n).force(variant);
                for mm in [mm, mm.accumulate()] {
                    let (mut want, dx) = upload(&gpu, 5, m * width_in);
                    let got = run(&gpu, &[&dx], |plan| {
                        op.backward_input(plan, mm, &dys, &ws, &dxas, &adapters, &dx);
                    });
                    op.backward_input_cpu(mm, &dy, &w, &dxa, &a, &mut want);
                    let k = n + op.groups * rank;
                    assert_close(&format!("{mm:?} {op:?}"), &got[0], &want, tolerance(k));
                }
            }
        }
    }
}

#[test]
fn adapter_gradients_equal_twins() {
    gradients(&gpu());
}

pub fn gradients(gpu: &Gpu) {
    for slices in [Slices::ONE, Slices::MANY] {
        for rank in [1, 2, 3, 4, 8, 16] {
            for (stack, m) in STACKS.into_iter().flat_map(|s| [(s, 1), (s, 65), (s, 130)]) {
                let (op, n) = (lora(rank, stack), rows(stack));
                let (dy, dys) = upload(gpu, 1, m * n);
                let (b, bs) = upload(gpu, 2, n * rank);
                let (xa, xas) = upload(gpu, 3, m * op.groups * rank);
                let (_, dxa) = upload(gpu, 4, m * op.groups * rank);
                let (_, db) = upload(gpu, 5, n * rank);
                let got = run(gpu, &[&dxa, &db], |plan| {
                    op.backward_down_as(slices, plan, m, n, &dys, &bs, &dxa);
                    op.backward_b_as(slices, plan, m, n, &dys, &xas, &db);
                });
                let what = format!("{op:?} m {m}");
                assert_close(&what, &got[0], &op.backward_down_cpu(m, n, &dy, &b), tolerance(n));
                assert_close(&what, &got[1], &op.backward_b_cpu(n, &dy, &xa), tolerance(m));
            }
        }
    }
}

/// `down` and `backward_a` are plain products of the stacked adapters.
#[test]
fn down_and_backward_a_equal_products() {
    let gpu = gpu();
    for rank in [1, 3, 8] {
        let op = lora(rank, STACKS[2]);
        let (m, width_in, width) = (33, 20, op.groups * rank);
        let (x, xs) = upload(&gpu, 1, m * width_in);
        let (a, adapters) = upload(&gpu, 2, width * width_in);
        let (dxa, dxas) = upload(&gpu, 3, m * width);
        let (mut want_xa, xa) = upload(&gpu, 4, m * width);
        let (mut want_da, da) = upload(&gpu, 5, width * width_in);
        let got = run(&gpu, &[&xa, &da], |plan| {
            op.down(plan, m, width_in, &xs, &adapters, &xa);
            op.backward_a(plan, m, width_in, &dxas, &xs, &da);
        });
        Matmul::new(Layout::Nt, m, width, width_in).cpu(&x, &a, &mut want_xa);
        Matmul::new(Layout::Tn, width, width_in, m).cpu(&dxa, &x, &mut want_da);
        assert_close("xa", &got[0], &want_xa, tolerance(width_in));
        assert_close("da", &got[1], &want_da, tolerance(m));
    }
}

#[test]
fn a_perturbed_kernel_fails() {
    let (op, stack) = (lora(8, STACKS[2]), STACKS[2]);
    let cases = [
        (Variant::Register, &MATMUL_REGISTER, "row_q(j, n + 12u)", "row_q(j, n + 8u)"),
        (Variant::Tiled, &MATMUL_TILED, "n >= u.end_1", "n > u.end_1"),
        (Variant::Sliced, &MATMUL_SKINNY, "group(n) * u.rank + r", "r"),
    ];
    for (variant, kernel, from, to) in cases {
        let mm = Matmul::new(Layout::Nt, 19, rows(stack), 20).force(variant);
        let (got, want) = forward(&gpu(), op, mm, Some(perturbed(kernel, from, to)));
        let off = difference(&got, &want);
        assert!(off > 10.0 * tolerance(mm.k), "{variant:?} {from}: only {off} off");
    }
    let gpu = gpu();
    let (m, n) = (65, rows(stack));
    let (dy, dys) = upload(&gpu, 1, m * n);
    let (xa, xas) = upload(&gpu, 3, m * op.groups * op.rank);
    let (_, db) = upload(&gpu, 5, n * op.rank);
    let kernel = perturbed(&LORA_BACKWARD_B, "m < u.m;", "m < u.m - 1u;");
    let (overrides, uniforms, workgroups) = op.backward_b_launch(Slices::MANY, m, n);
    let got = run(&gpu, &[&db], |plan| {
        plan.dispatch(kernel, &overrides, &uniforms, &[&dys, &xas], &[&db], workgroups);
    });
    assert!(difference(&got[0], &op.backward_b_cpu(n, &dy, &xa)) > 10.0 * tolerance(m));
}
