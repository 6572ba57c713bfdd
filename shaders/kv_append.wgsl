// cache[b,position[0],c] = qkv[b,H*D+c]: the keys and values of the current token
// qkv (B,(H+2KV)*D); position (1); cache (B,kv_time,2*KV*D). One thread per (b,c).

struct Uniforms {
    batch: u32,
    heads_width: u32,
    kv_width: u32,
    kv_time: u32,
}

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> qkv: array<f32>;
@group(0) @binding(2) var<storage, read> position: array<u32>;
@group(0) @binding(3) var<storage, read_write> cache: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = index_of(gid, groups, 64u);
    let width = 2u * u.kv_width;
    if i >= u.batch * width || position[0] >= u.kv_time { return; }
    let b = i / width;
    let c = i % width;
    cache[(b * u.kv_time + position[0]) * width + c] = qkv[b * (u.heads_width + width) + u.heads_width + c];
}
