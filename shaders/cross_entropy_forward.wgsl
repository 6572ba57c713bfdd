// nll[n] = log Σ_v exp(logits[n,v]) - logits[n,target], 0 where the target is 0xffffffff
// logits (N,V); targets (N); nll (N), nats. One thread per row n; the row's maximum is subtracted.

struct Uniforms {
    rows: u32,
    vocab: u32,
}

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<u32>;
@group(0) @binding(3) var<storage, read_write> nll: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let n = gid.x + gid.y * groups.x * 64u;
    if n >= u.rows { return; }
    if targets[n] == 0xffffffffu {
        nll[n] = 0.0;
        return;
    }
    let row = n * u.vocab;
    var largest = -1e30;
    for (var v = 0u; v < u.vocab; v++) {
        largest = max(largest, logits[row + v]);
    }
    var sum = 0.0;
    for (var v = 0u; v < u.vocab; v++) {
        sum += exp(logits[row + v] - largest);
    }
    nll[n] = log(sum) - (logits[row + targets[n]] - largest);
}
