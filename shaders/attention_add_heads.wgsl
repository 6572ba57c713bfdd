// The k and v columns of dqkv (N,kv_stride): sums of what the query heads of each key and value head have left in
// by_head (N,2*H*D), first dk, then dv. One thread per (row, k or v, kv head, component).

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> by_head: array<f32>;
@group(0) @binding(2) var<storage, read_write> dqkv: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = index_of(gid, groups, 64u);
    let width = u.kv_heads * u.head_dim;
    if index >= u.batch * u.time * 2u * width { return; }
    let column = index % width;
    let is_v = index / width % 2u == 1u;
    let n = index / (2u * width);
    let group = u.heads / u.kv_heads;
    let kv_head = column / u.head_dim;
    let first = (n * 2u + u32(is_v)) * u.heads * u.head_dim + kv_head * group * u.head_dim + column % u.head_dim;
    var sum = 0.0;
    for (var h = 0u; h < group; h++) { sum += by_head[first + h * u.head_dim]; }
    dqkv[n * u.kv_stride + select(u.k_offset, u.v_offset, is_v) + column] = sum;
}
