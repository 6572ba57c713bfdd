// x[b,t,c] += alpha / sqrt(L_b C) * eps, eps uniform in (-1, 1): a hash of the step's key, b, t and c
// x (B*T,C); lengths (B), L_b tokens of row b; rows without one get no noise. One thread per element.

struct Uniforms {
    batch: u32,
    time: u32,
    width: u32,
    alpha: f32,
}

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> lengths: array<u32>;
@group(0) @binding(2) var<storage, read> now: Step;
@group(0) @binding(3) var<storage, read_write> x: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = index_of(gid, groups, 64u);
    if i >= u.batch * u.time * u.width { return; }
    let c = i % u.width;
    let t = i / u.width % u.time;
    let b = i / (u.width * u.time);
    if lengths[b] == 0u { return; }
    let hash = pcg(pcg(pcg(now.noise + b) + t) + c);
    // 23 bits are exact in f32; the half keeps the draw off both ends.
    let eps = (f32(hash >> 9u) + 0.5) / 4194304.0 - 1.0;
    x[i] += u.alpha / sqrt(f32(lengths[b] * u.width)) * eps;
}
