// total[i] = x[i] in the first micro-batch of a step, total[i] += x[i] in the others
// x, total (len). One thread per element.

struct Uniforms {
    len: u32,
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
    noise: u32,
}

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> now: Step;
@group(0) @binding(3) var<storage, read_write> total: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = gid.x + gid.y * groups.x * 64u;
    if i >= u.len { return; }
    if now.micro == 0u {
        total[i] = x[i];
    } else {
        total[i] += x[i];
    }
}
