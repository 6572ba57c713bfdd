// params -= lr * strength * (params - start): back towards where training began
// start, params (len). One thread per parameter.

struct Uniforms {
    len: u32,
    strength: f32,
}

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> start: array<f32>;
@group(0) @binding(2) var<storage, read> now: Step;
@group(0) @binding(3) var<storage, read_write> params: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = index_of(gid, groups, 64u);
    if i >= u.len { return; }
    params[i] -= now.lr * u.strength * (params[i] - start[i]);
}
