// dv_j = Σ_{i>=j} p_ij dout_i,  dk_j = scale Σ_{i>=j} p_ij (dout_i·v_j - delta_i) q_i,  p_ij = exp(scale q_i·k_j - lse_i),
// summed over the H/KV query heads that share the key and value head.
// qkv (N,q_stride); dout (N,H*D); lse, delta (N,H); writes the k and v columns of dqkv (N,q_stride).
// One thread per (b,kv head,j): each element has one writer, no atomics.

override head_dim: u32; // D <= 128; constant, so that loops unroll and arrays become registers
override quads: u32 = (head_dim + 3u) / 4u;

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> qkv: array<f32>;
@group(0) @binding(2) var<storage, read> dout: array<f32>;
@group(0) @binding(3) var<storage, read> lse: array<f32>;
@group(0) @binding(4) var<storage, read> delta: array<f32>;
@group(0) @binding(5) var<storage, read_write> dqkv: array<f32>;

// Four components of the head that starts at word `at`; 0 beyond D.
fn load_qkv(at: u32, quad: u32) -> vec4f {
    let i = at + quad * 4u;
    if head_dim % 4u == 0u { return vec4f(qkv[i], qkv[i + 1u], qkv[i + 2u], qkv[i + 3u]); }
    var r = vec4f();
    for (var e = 0u; e < min(4u, head_dim - quad * 4u); e++) { r[e] = qkv[i + e]; }
    return r;
}

fn load_dout(at: u32, quad: u32) -> vec4f {
    let i = at + quad * 4u;
    if head_dim % 4u == 0u { return vec4f(dout[i], dout[i + 1u], dout[i + 2u], dout[i + 3u]); }
    var r = vec4f();
    for (var e = 0u; e < min(4u, head_dim - quad * 4u); e++) { r[e] = dout[i + e]; }
    return r;
}

fn sum4(v: vec4f) -> f32 {
    return v.x + v.y + v.z + v.w;
}

fn store(at: u32, quad: u32, v: vec4f) {
    let i = at + quad * 4u;
    for (var e = 0u; e < min(4u, head_dim - quad * 4u); e++) { dqkv[i + e] = v[e]; }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = index_of(gid, groups, 64u);
    if index >= u.batch * u.kv_heads * u.time { return; }
    let j = index % u.time;
    let kv_head = index / u.time % u.kv_heads;
    let b = index / (u.time * u.kv_heads);
    let row = (b * u.time + j) * u.kv_stride + kv_head * head_dim;
    let group = u.heads / u.kv_heads;

    var k: array<vec4f, 32>;
    var v: array<vec4f, 32>;
    var dk: array<vec4f, 32>;
    var dv: array<vec4f, 32>;
    for (var c = 0u; c < quads; c++) {
        k[c] = load_qkv(row + u.k_offset, c) * u.scale;
        v[c] = load_qkv(row + u.v_offset, c);
    }
    for (var h = kv_head * group; h < (kv_head + 1u) * group; h++) {
        // From the workgroup's first j on, so that its threads read the same row i together.
        for (var i = j & ~63u; i < u.time; i++) {
            if i < j { continue; }
            let n = b * u.time + i;
            let at = n * u.heads + h;
            var scores = vec4f();
            var dps = vec4f();
            for (var c = 0u; c < quads; c++) {
                scores += k[c] * load_qkv(n * u.q_stride + h * head_dim, c);
                dps += v[c] * load_dout(at * head_dim, c);
            }
            let p = exp(sum4(scores) - lse[at]);
            let ds = p * (sum4(dps) - delta[at]) * u.scale;
            for (var c = 0u; c < quads; c++) {
                dv[c] += p * load_dout(at * head_dim, c);
                dk[c] += ds * load_qkv(n * u.q_stride + h * head_dim, c);
            }
        }
    }
    for (var c = 0u; c < quads; c++) {
        store(row + u.k_offset, c, dk[c]);
        store(row + u.v_offset, c, dv[c]);
    }
}
