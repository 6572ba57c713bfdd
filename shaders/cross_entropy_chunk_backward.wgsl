// logits[n,v] = (softmax(logits[n])[v] - [v = target]) / targets that count, for some columns of a row
// logits (S,W) in place: the columns v = start .. start+W of (S,V); targets (S), rows with 0xffffffff become 0
// state (S): the row's largest logit and Σ exp(logit - largest), from all chunks of cross_entropy_chunk_forward
// One thread per four columns of a row.

struct Uniforms {
    rows: u32,
    width: u32,
    start: u32,
}

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read> now: Step;
@group(0) @binding(3) var<storage, read> state: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> logits: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let t = index_of(gid, groups, 64u);
    let across = (u.width + 3u) / 4u;
    let n = t / across;
    if n >= u.rows { return; }
    let target_id = targets[n];
    let largest_and_sum = state[n].xy;
    let first = t % across * 4u;
    for (var v = first; v < min(first + 4u, u.width); v++) {
        let at = n * u.width + v;
        if target_id == 0xffffffffu {
            logits[at] = 0.0;
        } else {
            let p = exp(logits[at] - largest_and_sum.x) / largest_and_sum.y;
            let onehot = select(0.0, 1.0, u.start + v == target_id);
            logits[at] = (p - onehot) * now.inv_targets;
        }
    }
}
