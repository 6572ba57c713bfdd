// out[i] = 0 for i < len; words beyond stay
// out (at least len). One thread per word.

struct Uniforms {
    len: u32,
}

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = index_of(gid, groups, 64u);
    if i >= u.len { return; }
    out[i] = 0.0;
}
