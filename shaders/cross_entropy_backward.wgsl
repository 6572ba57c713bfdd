// logits[n,v] = (softmax(logits[n])[v] - [v = target]) / targets that count: the gradient in the place of the logits
// nll[n] as in cross_entropy_forward. Rows with target 0xffffffff become 0.
// targets (N); logits (N,V) in place; nll (N), nats. One thread per row n; the row's maximum is subtracted.

struct Uniforms {
    rows: u32,
    vocab: u32,
}

struct Step {
    lr: f32,
    beta1: f32,
    beta2: f32,
    eps: f32,
    weight_decay: f32,
    bias_correction1: f32,
    bias_correction2: f32,
    max_norm: f32,
    inv_targets: f32,
    step: u32,
    micro: u32,
    pad: u32,
}

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read> now: Step;
@group(0) @binding(3) var<storage, read_write> logits: array<f32>;
@group(0) @binding(4) var<storage, read_write> nll: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let n = gid.x + gid.y * groups.x * 64u;
    if n >= u.rows { return; }
    let row = n * u.vocab;
    let target_id = targets[n];
    if target_id == 0xffffffffu {
        for (var v = 0u; v < u.vocab; v++) {
            logits[row + v] = 0.0;
        }
        nll[n] = 0.0;
        return;
    }
    var largest = -1e30;
    for (var v = 0u; v < u.vocab; v++) {
        largest = max(largest, logits[row + v]);
    }
    var sum = 0.0;
    for (var v = 0u; v < u.vocab; v++) {
        sum += exp(logits[row + v] - largest);
    }
    nll[n] = log(sum) - (logits[row + target_id] - largest);
    for (var v = 0u; v < u.vocab; v++) {
        let p = exp(logits[row + v] - largest) / sum;
        logits[row + v] = (p - select(0.0, 1.0, v == target_id)) * now.inv_targets;
    }
}
