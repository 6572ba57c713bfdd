//! Every kernel against its twin on random odd shapes; the kernels' own files have the chosen ones.
//!
//! The shapes are the same at each run. `PROPTEST_CASES=500` tries more of them; a shape that fails is made
//! as small as possible before it is shown.

use driftscope::gpu::Gpu;
use driftscope::kernels::{
    AdamW, Dora, Draw, FinishStep, KvAppend, LoraGroups, Matmul, Select, TopK, Variant,
};
use proptest::prelude::*;
use proptest::sample::select as any_of;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::common::{gpu, shared};
use crate::{
    accumulate, adamw, attention, cross_entropy, cross_entropy_chunk, dora, embedding, fill, grad_norm,
    kv_cache, lora, matmul, rmsnorm, rope, select, shift, swiglu, top_k, unpack_f16,
};

/// Random cases of a family of kernels, on one device.
fn check<S: Strategy>(shapes: S, test: impl Fn(&Gpu, S::Value))
where
    S::Value: Clone,
{
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 24;
    }
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let gpu = gpu();
    let run = |shape| {
        shared(&gpu, || test(&gpu, S::Value::clone(&shape)));
        Ok(())
    };
    if let Err(error) = TestRunner::new_with_rng(config, rng).run(&shapes, run) {
        panic!("{error}");
    }
}

#[test]
fn accumulate() {
    check((1..3000u32, 0..3u32), |gpu, (len, micro)| accumulate::record_at(gpu, len, micro));
}

#[test]
fn adamw() {
    check((length(3000), 0..=100u32, 0..20u32), |gpu, (len, percent, at)| {
        let decayed = len * percent / 100;
        adamw::record_at(gpu, AdamW { len, decayed }, at);
        adamw::record_at(gpu, AdamW { len, decayed: decayed / 4 * 4 }, at);
    });
}

/// batch, time, heads, kv_heads, head_dim. Few widths: each is a pipeline, which takes long to compile.
fn attention_shape(time: u32) -> impl Strategy<Value = attention::Shape> {
    let shape = (1..4u32, 1..time, 1..4u32, 1..4u32, any_of(vec![3, 8, 10u32]));
    shape.prop_map(|(batch, time, kv_heads, group, dim)| (batch, time, kv_heads * group, kv_heads, dim))
}

#[test]
fn attention_forward() {
    check(attention_shape(80), attention::forward_at);
}

#[test]
fn attention_backward() {
    check(attention_shape(80), attention::backward_at);
}

#[test]
fn attention_from_cache() {
    let cache = (1..30u32).prop_flat_map(|kv_time| (Just(kv_time), 0..kv_time));
    check((attention_shape(2), cache), |gpu, (shape, (kv_time, position))| {
        attention::forward_from_cache_at(gpu, shape, kv_time, position);
    });
}

#[test]
fn cross_entropy() {
    check((1..100u32, 1..300u32, 0.1..100f32), |gpu, (rows, vocab, scale)| {
        cross_entropy::forward_at(gpu, rows, vocab, scale);
        cross_entropy::backward_at(gpu, rows, vocab, scale);
    });
}

#[test]
fn cross_entropy_chunks() {
    let vocab = (1..300u32).prop_flat_map(|vocab| (Just(vocab), 1..=vocab));
    check((1..100u32, vocab, 0.1..100f32), |gpu, (rows, (vocab, across), scale)| {
        // Not too many chunks: each is a submit.
        let across = across.max(vocab.div_ceil(8));
        cross_entropy_chunk::forward_at(gpu, rows, vocab, across, scale);
        cross_entropy_chunk::backward_at(gpu, rows, vocab, across, scale);
    });
}

#[test]
fn kl() {
    check(
        (1..40u32, 1..1100u32, 1..1100u32, 1..20u32, 0..300u32),
        |gpu, (rows, vocab, across, scale, percent)| {
            let across = across.max(vocab.div_ceil(8));
            crate::kl::backward_at(gpu, rows, vocab, across, scale as f32, percent as f32 / 100.0);
        },
    );
}

#[test]
fn embedding() {
    check((1..150u32, 1..70u32, 1..40u32), |gpu, (rows, width, vocab)| {
        embedding::forward_at(gpu, rows, width, vocab);
        embedding::backward_at(gpu, rows, width, vocab);
    });
}

#[test]
fn fill() {
    check(1..5000u32, fill::record_at);
}

#[test]
fn grad_norm() {
    let max_norm = prop_oneof![Just(0.0), 0.1..1000f32];
    check((1..5000u32, 1..100u32, 1..6u32, 0..100u32, max_norm), |gpu, (len, rows, ring, step, max_norm)| {
        grad_norm::sum_squares_at(gpu, len);
        grad_norm::finish_step_at(gpu, FinishStep { rows, ring }, step, max_norm);
    });
}

#[test]
fn neftune() {
    check((1..6u32, 1..40u32, 1..50u32), |gpu, (batch, time, width)| {
        crate::neftune::record_at(gpu, batch, time, width);
    });
}

#[test]
fn pull() {
    check(1..5000u32, crate::pull::record_at);
}

/// Positions up to one past the cache.
#[test]
fn kv_cache() {
    let cache = (1..9u32).prop_flat_map(|kv_time| (Just(kv_time), 0..=kv_time));
    check(
        (1..8u32, 1..60u32, 1..40u32, cache),
        |gpu, (batch, heads_width, kv_width, (kv_time, position))| {
            kv_cache::record_at(gpu, KvAppend { batch, heads_width, kv_width, kv_time }, position);
        },
    );
}

/// One to three stacked layers of up to 70 rows each.
fn stack() -> impl Strategy<Value = LoraGroups> {
    let members = prop::collection::vec(length(70), 1..=3usize);
    (1..20u32, members, 0.1..4f32).prop_map(|(rank, members, scale)| {
        let ends = members.iter().scan(0, |end, rows| {
            *end += rows;
            Some(*end)
        });
        let mut bounds = [0; 3];
        bounds.iter_mut().zip(ends).for_each(|(bound, end)| *bound = end);
        LoraGroups { rank, groups: members.len() as u32, bounds, scale }
    })
}

/// Half of the lengths are multiples of 4, which vectorised variants ask for.
fn length(most: u32) -> impl Strategy<Value = u32> {
    prop_oneof![1..=most, (1..=most / 4).prop_map(|n| 4 * n)]
}

fn product() -> impl Strategy<Value = Matmul> {
    let layout = any_of(matmul::LAYOUTS.to_vec());
    let shape = (length(140), length(140), length(140));
    let options = (any_of(Variant::ALL.to_vec()), any::<bool>(), any::<bool>());
    (layout, shape, options).prop_map(|(layout, (m, n, k), (variant, accumulate, packed))| {
        let force = Some(variant);
        Matmul { accumulate, packed, force, ..Matmul::new(layout, m, n, k) }
    })
}

#[test]
fn products() {
    check(prop::collection::vec(product(), 4), |gpu, ops| {
        ops.into_iter().for_each(|op| matmul::record_at(gpu, op));
    });
}

#[test]
fn lora_products() {
    use driftscope::kernels::Layout::{Nn, Nt};
    check((stack(), product()), |gpu, (op, mm)| {
        let n = op.bounds[op.groups as usize - 1];
        lora::forward_at(gpu, op, Matmul { layout: Nt, n, ..mm });
        lora::backward_input_at(gpu, op, Matmul { layout: Nn, k: n, ..mm });
        lora::products_at(gpu, op, mm.m, mm.k);
    });
}

#[test]
fn lora_gradients() {
    check((stack(), length(140)), |gpu, (op, m)| {
        lora::gradients_at(gpu, op, m);
    });
}

#[test]
fn dora() {
    check((stack(), length(70), 1..60u32, 0..8u32), |gpu, (op, m, k, bits)| {
        let adapted = (bits & ((1 << op.groups) - 1)).max(1);
        let op = Dora::new(op, adapted, m, op.bounds[op.groups as usize - 1], k);
        dora::norm_at(gpu, op);
        dora::scale_at(gpu, op, bits % 2 == 0);
        dora::magnitude_at(gpu, op);
    });
}

#[test]
fn rmsnorm() {
    check((1..150u32, 1..200u32), |gpu, (rows, width)| {
        rmsnorm::forward_at(gpu, rows, width);
        rmsnorm::backward_at(gpu, rows, width);
        rmsnorm::backward_weight_at(gpu, rows, width);
    });
}

#[test]
fn rope() {
    let shape = (1..5u32, 1..20u32, 1..6u32, 1..4u32, 1..=32u32);
    check((shape, 0..2u32, 0..50u32), |gpu, ((batch, time, heads, kv_heads, half), backward, position)| {
        rope::record_at(gpu, rope::op(batch, time, heads, kv_heads, 2 * half, backward), position);
    });
}

#[test]
fn select() {
    let shape = (1..80u32, 1..4u32, length(300));
    let draw = (0.05..5f32, prop_oneof![Just(1.0), 0.0..1f32], any::<u32>(), any::<u32>());
    check((shape, draw), |gpu, ((batch, kv_time, vocab), (temperature, top_p, seed, sequence))| {
        let op = Select { batch, kv_time, vocab };
        select::greedy_at(gpu, op);
        select::drawn_at(gpu, op, Draw { temperature, top_p, seed, sequence });
    });
}

#[test]
fn advance() {
    check((0..1000u32, 0..1000u32), |gpu, (from, by)| select::advance_at(gpu, from, by));
}

#[test]
fn shift() {
    check((1..100u32, 1..300u32, 0.1..12f32), |gpu, (rows, vocab, scale)| {
        shift::record_at(gpu, rows, vocab, scale);
    });
}

#[test]
fn swiglu() {
    check((1..100u32, 1..150u32, 1..20u32), |gpu, (rows, width, rank)| {
        swiglu::forward_at(gpu, rows, width);
        swiglu::forward_lora_at(gpu, rows, width, rank);
        swiglu::backward_at(gpu, rows, width);
    });
}

#[test]
fn top_k() {
    let vocab = (1..300u32).prop_flat_map(|vocab| (Just(vocab), 1..=vocab.min(16)));
    check((1..100u32, vocab), |gpu, (rows, (vocab, k))| {
        top_k::record_at(gpu, TopK { rows, vocab, k });
    });
}

#[test]
fn unpack_f16() {
    check(1..5000u32, unpack_f16::record_at);
}
