use crate::common::{assert_words, gpu, ids, run, upload};
use driftscope::gpu::Gpu;
use driftscope::kernels::{Advance, IGNORED, Select};

/// Logits of few different values, so that most rows have equal largest ones; half of the tokens are
/// forced; the last position has no room behind it.
pub fn select(gpu: &Gpu) {
    for (batch, kv_time, vocab) in [(1, 1, 1), (3, 4, 7), (70, 5, 33)] {
        let op = Select { batch, kv_time, vocab };
        let logits: Vec<f32> = ids(1, (batch * vocab) as usize, 5).iter().map(|&v| v as f32 - 7.0).collect();
        let mut forced = ids(2, (batch * kv_time) as usize, vocab);
        forced.iter_mut().step_by(2).for_each(|t| *t = IGNORED);
        for position in 0..kv_time {
            let mut tokens = ids(3, forced.len(), vocab);
            let mut current = ids(4, batch as usize, vocab);
            let x = upload(gpu, &logits);
            let [f, p, t, c] = [&forced, &vec![position], &tokens, &current].map(|v| upload(gpu, v));
            let got = run(gpu, &[&t, &c], |plan| op.record(plan, &x, &f, &p, &t, &c));
            op.record_cpu(&logits, &forced, position, &mut tokens, &mut current);
            assert_words("tokens", &got[0], &tokens);
            assert_words("current", &got[1], &current);
        }
    }
}

pub fn advance(gpu: &Gpu) {
    let position = upload(gpu, &[41u32]);
    let got = run(gpu, &[&position], |plan| {
        Advance { by: 1 }.record(plan, &position);
        Advance { by: 3 }.record(plan, &position);
    });
    let mut want = 41;
    Advance { by: 1 }.record_cpu(&mut want);
    Advance { by: 3 }.record_cpu(&mut want);
    assert_words("position", &got[0], &[want]);
}

#[test]
fn select_equals_twin() {
    select(&gpu());
}

#[test]
fn advance_equals_twin() {
    advance(&gpu());
}

/// By hand: the first row is forced, the second takes the lower of two equal ids.
#[test]
fn takes_forced_tokens_and_the_lowest_id() {
    let (mut tokens, mut current) = ([0; 4], [0; 2]);
    let logits = [0.0, 9.0, 1.0, -3.0, 2.0, 2.0];
    let forced = [IGNORED, 2, IGNORED, IGNORED];
    let op = Select { batch: 2, kv_time: 2, vocab: 3 };
    op.record_cpu(&logits, &forced, 0, &mut tokens, &mut current);
    assert_eq!((tokens, current), ([0, 2, 0, 1], [2, 1]));
}
