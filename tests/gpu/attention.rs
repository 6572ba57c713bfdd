use crate::common::{
    Case, Mistake, assert_close, assert_gradient, case, dirty, gpu, inner, run, scaled, shared, upload,
    values,
};
use driftscope::gpu::Gpu;
use driftscope::kernels as k;
use driftscope::kernels::Attention;

/// batch, time, heads, kv_heads, head_dim
pub type Shape = (u32, u32, u32, u32, u32);

/// D below, at and above a multiple of 4, up to the limit; T beyond one workgroup and off the tiles; grouped heads.
const SHAPES: [Shape; 11] = [
    (1, 1, 1, 1, 1),
    (2, 5, 3, 1, 7),
    (2, 5, 3, 1, 8),
    (1, 70, 4, 2, 48),
    (3, 17, 6, 2, 5),
    (3, 17, 6, 2, 4),
    (1, 9, 2, 2, 128),
    // Several blocks of own rows and of others, heads with and without a second half, whole and in part.
    (1, 130, 2, 1, 128),
    (2, 67, 2, 2, 64),
    (1, 97, 3, 1, 65),
    (1, 33, 2, 1, 36),
];

/// Queries, keys and values in the same rows, as in training.
fn fused((batch, time, heads, kv_heads, head_dim): Shape) -> Attention {
    let stride = (heads + 2 * kv_heads) * head_dim;
    Attention {
        batch,
        time,
        heads,
        kv_heads,
        head_dim,
        q_stride: stride,
        kv_stride: stride,
        k_offset: heads * head_dim,
        v_offset: (heads + kv_heads) * head_dim,
        kv_time: time,
        scale: 1.0 / (head_dim as f32).sqrt(),
    }
}

fn lengths(op: Attention) -> (usize, usize, usize) {
    let rows = op.batch * op.time;
    ((rows * op.q_stride) as usize, (rows * op.heads * op.head_dim) as usize, (rows * op.heads) as usize)
}

/// exp of scores whose sums run in another order: 1e-7 times the size of the scores.
pub fn forward_at(gpu: &Gpu, shape: Shape) {
    let op = fused(shape);
    let (qkv_len, out_len, lse_len) = lengths(op);
    let qkv = scaled(1, qkv_len, 3.0);
    let (x, p) = (upload(gpu, &qkv), upload(gpu, &[0u32]));
    let (want_out, want_lse) = op.forward_cpu(&qkv, &qkv, 0);
    let (out, lse) = (dirty(gpu, out_len), dirty(gpu, lse_len));
    let got = run(gpu, &[&out, &lse], |plan| op.forward(plan, &x, &x, &p, &out, &lse));
    assert_close("out", &got[0], &want_out, 1e-5);
    assert_close("lse", &got[1], &want_lse, 1e-5);
}

pub fn forward(gpu: &Gpu) {
    shared(gpu, || SHAPES.into_iter().for_each(|shape| forward_at(gpu, shape)));
}

/// Queries from `position` on over a cache that is only filled up to them.
pub fn forward_from_cache(gpu: &Gpu) {
    shared(gpu, || {
        forward_from_cache_at(gpu, (3, 1, 4, 2, 5), 9, 6);
        forward_from_cache_at(gpu, (2, 1, 6, 2, 48), 300, 289);
        forward_from_cache_at(gpu, (1, 1, 2, 1, 128), 130, 128);
        forward_from_cache_at(gpu, (3, 3, 4, 2, 8), 9, 5);
        forward_from_cache_at(gpu, (2, 3, 4, 2, 5), 90, 70);
    });
}

pub fn forward_from_cache_at(gpu: &Gpu, shape: Shape, kv_time: u32, position: u32) {
    let (batch, _, _, kv_heads, head_dim) = shape;
    let width = kv_heads * head_dim;
    let cached = Attention { kv_time, kv_stride: 2 * width, k_offset: 0, ..fused(shape) };
    let op = Attention { v_offset: width, ..cached };
    let (qkv_len, out_len, lse_len) = lengths(op);
    let (q, cache) = (values(1, qkv_len), values(2, (batch * kv_time * op.kv_stride) as usize));
    let inputs = (upload(gpu, &q), upload(gpu, &cache), upload(gpu, &[position]));
    let (want_out, want_lse) = op.forward_cpu(&q, &cache, position);
    let (out, lse) = (dirty(gpu, out_len), dirty(gpu, lse_len));
    let got = run(gpu, &[&out, &lse], |plan| {
        op.forward(plan, &inputs.0, &inputs.1, &inputs.2, &out, &lse);
    });
    assert_close("out", &got[0], &want_out, 1e-5);
    assert_close("lse", &got[1], &want_lse, 1e-5);
}

/// As the forward pass; sums over up to 70 rows on top.
pub fn backward_at(gpu: &Gpu, shape: Shape) {
    let op = fused(shape);
    let (qkv_len, out_len, lse_len) = lengths(op);
    let (qkv, dout) = (scaled(1, qkv_len, 2.0), values(2, out_len));
    let (out, lse) = op.forward_cpu(&qkv, &qkv, 0);
    let mut want = vec![-777.0; qkv_len];
    let want_delta = op.backward_q_cpu(&qkv, &out, &dout, &lse, &mut want);
    op.backward_kv_cpu(&qkv, &dout, &lse, &want_delta, &mut want);

    let [x, o, d, l] = [&qkv, &out, &dout, &lse].map(|v| upload(gpu, v));
    let [dqkv, delta, spare] = [qkv_len, lse_len, 2 * out_len].map(|len| dirty(gpu, len));
    let got = run(gpu, &[&dqkv, &delta], |plan| {
        op.backward_q(plan, &x, &o, &d, &l, &dqkv, &delta);
        op.backward_kv(plan, &x, &d, &l, &delta, &dqkv, &spare);
    });
    assert_close("dqkv", &got[0], &want, 2e-5);
    assert_close("delta", &got[1], &want_delta, 1e-5);
}

pub fn backward(gpu: &Gpu) {
    shared(gpu, || SHAPES.into_iter().for_each(|shape| backward_at(gpu, shape)));
}

#[test]
fn forward_equals_twin() {
    forward(&gpu());
}

#[test]
fn forward_from_cache_equals_twin() {
    forward_from_cache(&gpu());
}

#[test]
fn backward_equals_twin() {
    backward(&gpu());
}

/// The plain formula with the whole row of scores, in f64.
#[test]
fn twin_is_softmax_attention() {
    let op = fused((2, 4, 4, 2, 3));
    let (qkv_len, _, _) = lengths(op);
    let qkv = values(1, qkv_len);
    let (out, lse) = op.forward_cpu(&qkv, &qkv, 0);
    let at = |b: usize, t: usize, column: usize| f64::from(qkv[(b * 4 + t) * 24 + column]);
    for (n, got) in out.iter().enumerate() {
        let (b, i, h, d) = (n / 48, n / 12 % 4, n / 3 % 4, n % 3);
        let score = |j| {
            let dot: f64 = (0..3).map(|c| at(b, i, h * 3 + c) * at(b, j, 12 + h / 2 * 3 + c)).sum();
            (dot / 3f64.sqrt()).exp()
        };
        let total: f64 = (0..=i).map(score).sum();
        let want: f64 = (0..=i).map(|j| score(j) / total * at(b, j, 18 + h / 2 * 3 + d)).sum();
        assert!((f64::from(*got) - want).abs() < 1e-6, "out[{n}]: got {got}, want {want}");
        assert!((f64::from(lse[n / 3]) - total.ln()).abs() < 1e-6);
    }
}

#[test]
fn backward_is_the_gradient() {
    let op = fused((2, 4, 4, 2, 3));
    let (qkv_len, out_len, _) = lengths(op);
    let (qkv, dout) = (values(1, qkv_len), values(2, out_len));
    let (out, lse) = op.forward_cpu(&qkv, &qkv, 0);
    let mut dqkv = vec![0.0; qkv_len];
    let delta = op.backward_q_cpu(&qkv, &out, &dout, &lse, &mut dqkv);
    op.backward_kv_cpu(&qkv, &dout, &lse, &delta, &mut dqkv);
    assert_gradient("dqkv", &qkv, &dqkv, |x| inner(&op.forward_cpu(x, x, 0).0, &dout));
}

/// Its kernels and their uniforms.
pub fn cases() -> Vec<Case> {
    [
        &k::ATTENTION_ADD_HEADS,
        &k::ATTENTION_BACKWARD_KV,
        &k::ATTENTION_BACKWARD_KV_QUADS,
        &k::ATTENTION_BACKWARD_Q,
        &k::ATTENTION_BACKWARD_Q_QUADS,
        &k::ATTENTION_DECODE,
        &k::ATTENTION_DECODE_QUADS,
        &k::ATTENTION_FORWARD,
        &k::ATTENTION_FORWARD_QUADS,
        &k::ATTENTION_ROW,
        &k::ATTENTION_TILES_BACKWARD_KV,
        &k::ATTENTION_TILES_BACKWARD_Q,
        &k::ATTENTION_TILES_FORWARD,
    ]
    .map(|kernel| {
        case(
            kernel,
            layout!(Attention {
                batch,
                time,
                heads,
                kv_heads,
                head_dim,
                q_stride,
                kv_stride,
                k_offset,
                v_offset,
                kv_time,
                scale
            }),
        )
    })
    .into()
}

#[rustfmt::skip]
pub fn mistakes() -> Vec<Mistake> {
    mistakes![
        ATTENTION_ADD_HEADS "h < group" => "h < 1u", backward;
        ATTENTION_BACKWARD_KV "queries >= vec4u(key)" => "queries > vec4u(key)", backward;
        ATTENTION_BACKWARD_KV "lay_weights(x, y, ds)" => "lay_weights(x, y, p)", backward;
        ATTENTION_BACKWARD_KV "let i = c * 4u;" => "let i = 0u;", backward;
        ATTENTION_BACKWARD_KV_QUADS "& (queries < vec4u(u.time))" => "", backward;
        ATTENTION_BACKWARD_KV_QUADS "step % each >= many" => "step % each > many", backward;
        ATTENTION_BACKWARD_Q "keys <= vec4u(query)" => "keys < vec4u(query)", backward;
        ATTENTION_BACKWARD_Q "x == 0u { delta[n * u.heads + h] = total; }" => "x == 0u { delta[n * u.heads + h] = 0.5 * total; }", backward;
        ATTENTION_BACKWARD_Q_QUADS "key + other_row(t / 4u + 32u)" => "key + other_row(t / 4u)", backward;
        ATTENTION_BACKWARD_Q_QUADS "four * 4u * BY_BLOCK + x" => "four * 3u * BY_BLOCK + x", backward;
        ATTENTION_DECODE "seen = position[0] + 1u" => "seen = position[0]", forward_from_cache;
        ATTENTION_DECODE "sum += weights[j]" => "sum += weights[0u]", forward_from_cache;
        ATTENTION_DECODE_QUADS "total = total * keep + p" => "total = total + p", forward_from_cache;
        ATTENTION_DECODE_QUADS "highest + log(total)" => "log(total)", forward_from_cache;
        ATTENTION_FORWARD "last = position[0] + first" => "last = first", forward_from_cache;
        ATTENTION_FORWARD "highest + log(total)" => "log(total)", forward;
        ATTENTION_FORWARD_QUADS "far = scaled_columns(far, keep);" => "", forward;
        ATTENTION_FORWARD_QUADS "total = total * keep" => "total = total", forward;
        ATTENTION_FORWARD_QUADS "32u * BY_ROW] = next1" => "31u * BY_ROW] = next1", forward;
        ATTENTION_ROW "j <= position[0] + i" => "j < position[0] + i", forward;
        ATTENTION_ROW "position[0] + i" => "i", forward_from_cache;
        ATTENTION_ROW "max_score + log(sum)" => "log(sum)", forward;
        ATTENTION_TILES_BACKWARD_KV "& (queries < vec4u(u.time))" => "", backward;
        ATTENTION_TILES_BACKWARD_KV "if tile > 0u" => "if i > j", backward;
        ATTENTION_TILES_BACKWARD_KV "y1 * near1" => "y0 * near1", backward;
        ATTENTION_TILES_BACKWARD_Q "keys <= vec4u(seen)" => "keys < vec4u(seen)", backward;
        ATTENTION_TILES_BACKWARD_Q "if j > 0u" => "if j > SIDE", backward;
        ATTENTION_TILES_BACKWARD_Q "own1, rows(i + 4u," => "own1, rows(i,", backward;
        ATTENTION_TILES_FORWARD "seen0 = rows(position[0] + i," => "seen0 = rows(i,", forward_from_cache;
        ATTENTION_TILES_FORWARD ", keep0)" => ", vec4f(1.0))", forward;
        ATTENTION_TILES_FORWARD "far * far1" => "far * far0", forward;
    ]
}
