// For each q and k head of a row: x'[d] = x[d] cos - x[d+D/2] sin, x'[d+D/2] = x[d+D/2] cos + x[d] sin
// with the angle of position[0] + t; backward turns by minus that angle.
// table (T_max,2,D/2) of cos, sin; position (1); qkv (N,stride) in place: columns 0..H*D are q, the next
// KV*D are k, v follows and stays. One thread per pair of values V (n,head,d).

struct Uniforms {
    batch: u32,
    time: u32,
    heads: u32,
    kv_heads: u32,
    head_dim: u32,
    stride: u32,
    backward: u32,
}

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> table: array<V>;
@group(0) @binding(2) var<storage, read> position: array<u32>;
@group(0) @binding(3) var<storage, read_write> qkv: array<V>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = index_of(gid, groups, 64u);
    let half = u.head_dim / (2u * LANES);
    let pairs = (u.heads + u.kv_heads) * half;
    if i >= u.batch * u.time * pairs { return; }
    let n = i / pairs;
    let head = i % pairs / half;
    let d = i % half;
    let t = n % u.time + position[0];
    let cos = table[t * 2u * half + d];
    var sin = table[(t * 2u + 1u) * half + d];
    if u.backward != 0u { sin = -sin; }
    let at = n * (u.stride / LANES) + head * 2u * half + d;
    let a = qkv[at];
    let b = qkv[at + half];
    qkv[at] = a * cos - b * sin;
    qkv[at + half] = b * cos + a * sin;
}
