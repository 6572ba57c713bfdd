use crate::common::{
    Case, Mistake, assert_close, case, dirty, gpu, ids, inner, run, upload, values, weights,
};
use driftscope::gpu::Gpu;
use driftscope::kernels as k;
use driftscope::kernels::{Embedding, EmbeddingBackward, IGNORED, token_index};

/// rows, width, vocab
const SHAPES: [(u32, u32, u32); 3] = [(1, 1, 1), (7, 5, 3), (65, 48, 11)];

/// Copies, so exact; of f32 and of f16.
pub fn forward_at(gpu: &Gpu, rows: u32, width: u32, vocab: u32) {
    let op = Embedding { rows, width, vocab };
    let mut tokens = ids(1, rows as usize, vocab);
    tokens[rows as usize / 2] = if rows > 1 { IGNORED } else { 0 };
    let t = upload(gpu, &tokens);
    for packed in [false, true] {
        let (table, e) = weights(gpu, 2, vocab * width, packed);
        let x = dirty(gpu, (rows * width) as usize);
        let got = run(gpu, &[&x], |plan| op.forward_from(plan, &t, &e, packed, &x));
        assert_close("x", &got[0], &op.forward_cpu(&tokens, &table), 0.0);
    }
}

pub fn forward(gpu: &Gpu) {
    for (rows, width, vocab) in SHAPES {
        forward_at(gpu, rows, width, vocab);
    }
}

/// Sums in the same order as the twin; the compiler may fuse, hence not exact.
pub fn backward_at(gpu: &Gpu, rows: u32, width: u32, vocab: u32) {
    let op = EmbeddingBackward { rows, width };
    let (order, starts, unique) = token_index(&ids(1, rows as usize, vocab));
    let dx = values(2, (rows * width) as usize);
    let mut dtable = values(3, (vocab * width) as usize); // accumulated into
    let d = upload(gpu, &dtable);
    let inputs = [&order, &starts, &unique].map(|v| upload(gpu, v));
    let g = upload(gpu, &dx);
    let got = run(gpu, &[&d], |plan| op.backward(plan, &inputs[0], &inputs[1], &inputs[2], &g, &d));
    op.backward_cpu(&order, &starts, &unique, &dx, &mut dtable);
    assert_close("dtable", &got[0], &dtable, 1e-6);
}

pub fn backward(gpu: &Gpu) {
    for (rows, width, vocab) in SHAPES {
        backward_at(gpu, rows, width, vocab);
    }
}

#[test]
fn forward_equals_twin() {
    forward(&gpu());
}

#[test]
fn backward_equals_twin() {
    backward(&gpu());
}

#[test]
fn token_index_lists_every_position_once() {
    let (order, starts, unique) = token_index(&[5, 2, IGNORED, 5, 0, 2]);
    assert_eq!(order, [4, 1, 5, 0, 3, 2]);
    assert_eq!(starts, [0, 1, 3, 5, 6, 6, 6]);
    assert_eq!(unique, [0, 2, 5, IGNORED, IGNORED, IGNORED]);
}

/// The forward pass is linear in the table, so <forward(E), dx> = <E, backward(dx)> for every E.
#[test]
fn backward_is_the_transpose_of_forward() {
    let (rows, width, vocab) = (9, 4, 5);
    let tokens = ids(1, 9, vocab);
    let (table, dx) = (values(2, 20), values(3, 36));
    let (order, starts, unique) = token_index(&tokens);
    let mut dtable = vec![0.0; 20];
    EmbeddingBackward { rows, width }.backward_cpu(&order, &starts, &unique, &dx, &mut dtable);
    let x = Embedding { rows, width, vocab }.forward_cpu(&tokens, &table);
    assert!((inner(&x, &dx) - inner(&table, &dtable)).abs() < 1e-5);
}

/// Its kernels and their uniforms.
pub fn cases() -> Vec<Case> {
    vec![
        case(&k::EMBEDDING_BACKWARD, layout!(EmbeddingBackward { rows, width })),
        case(&k::EMBEDDING_FORWARD, layout!(Embedding { rows, width, vocab })),
    ]
}

#[rustfmt::skip]
pub fn mistakes() -> Vec<Mistake> {
    mistakes![
        EMBEDDING_BACKWARD "] += sum" => "] = sum", backward;
        EMBEDDING_BACKWARD "order[i] * u.width" => "i * u.width", backward;
        EMBEDDING_FORWARD "i % u.width" => "i / u.width", forward;
        EMBEDDING_FORWARD "i % 2u == 1u" => "i % 2u == 0u", forward;
        EMBEDDING_FORWARD "x[i] = 0.0" => "x[i] = 1.0", forward;
    ]
}
