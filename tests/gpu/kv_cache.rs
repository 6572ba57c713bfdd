use crate::common::{Case, Mistake, assert_close, case, gpu, run, upload, values};
use driftscope::gpu::Gpu;
use driftscope::kernels as k;
use driftscope::kernels::KvAppend;

/// Copies, so exact; a position beyond the cache must leave it alone.
pub fn record_at(gpu: &Gpu, op: KvAppend, position: u32) {
    let KvAppend { batch, heads_width, kv_width, kv_time } = op;
    let qkv = values(1, (batch * (heads_width + 2 * kv_width)) as usize);
    let mut cache = values(2, (batch * kv_time * 2 * kv_width) as usize);
    let (x, p, c) = (upload(gpu, &qkv), upload(gpu, &[position]), upload(gpu, &cache));
    let got = run(gpu, &[&c], |plan| op.record(plan, &x, &p, &c));
    op.record_cpu(&qkv, position, &mut cache);
    assert_close("cache", &got[0], &cache, 0.0);
}

pub fn record(gpu: &Gpu) {
    let shapes = [(1, 1, 1, 0), (3, 10, 5, 3), (5, 48, 24, 2), (2, 6, 3, 4)];
    for (batch, heads_width, kv_width, position) in shapes {
        record_at(gpu, KvAppend { batch, heads_width, kv_width, kv_time: 4 }, position);
    }
}

#[test]
fn equals_twin() {
    record(&gpu());
}

/// Its kernels and their uniforms.
pub fn cases() -> Vec<Case> {
    vec![case(&k::KV_APPEND, layout!(KvAppend { batch, heads_width, kv_width, kv_time }))]
}

#[rustfmt::skip]
pub fn mistakes() -> Vec<Mistake> {
    mistakes![
        KV_APPEND "|| position[0] >= u.kv_time" => "", record;
        KV_APPEND "+ u.heads_width + c" => "+ c", record;
    ]
}
