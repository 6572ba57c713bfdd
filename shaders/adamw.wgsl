// p -= lr wd p (below `decayed`);  m = β1 m + (1-β1) g;  v = β2 v + (1-β2) g²;
// p -= lr (m / (1-β1^t)) / (sqrt(v / (1-β2^t)) + eps),  g = grads * clip
// grads, params, m, v (len); scalars (4) from finish_step, clip first. One thread per value V of the parameters.

struct Uniforms {
    len: u32,
    decayed: u32,
}

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> grads: array<V>;
@group(0) @binding(2) var<storage, read> now: Step;
@group(0) @binding(3) var<storage, read> scalars: array<f32>;
@group(0) @binding(4) var<storage, read_write> params: array<V>;
@group(0) @binding(5) var<storage, read_write> m: array<V>;
@group(0) @binding(6) var<storage, read_write> v: array<V>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = index_of(gid, groups, 64u);
    if i >= u.len / LANES { return; }
    let g = grads[i] * scalars[0];
    var p = params[i];
    if i < u.decayed / LANES {
        p *= 1.0 - now.lr * now.weight_decay;
    }
    let new_m = m[i] + (g - m[i]) * (1.0 - now.beta1);
    let new_v = v[i] * now.beta2 + g * g * (1.0 - now.beta2);
    let denominator = sqrt(new_v) / sqrt(now.bias_correction2) + now.eps;
    m[i] = new_m;
    v[i] = new_v;
    params[i] = p - now.lr / now.bias_correction1 * (new_m / denominator);
}
