// out[2i] and out[2i+1] = the low and the high half of packed[i], f16 each, as f32
// packed (len); out (2*len). One thread per word.

struct Uniforms {
    len: u32,
}

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> packed: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<vec2f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = index_of(gid, groups, 64u);
    if i >= u.len { return; }
    out[i] = unpack2x16float(packed[i]);
}
