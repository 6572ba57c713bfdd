// dq_i = scale Σ_{j<=i} p_ij (dout_i·v_j - delta_i) k_j,  p_ij = exp(scale q_i·k_j - lse_i),  delta_i = dout_i·out_i
// qkv (N,q_stride); out, dout (N,H*D); lse (N,H) from the forward pass; writes the q columns of dqkv
// (N,q_stride) and delta (N,H), which attention_backward_kv reads. One thread per (b,h,i).

override head_dim: u32; // D <= 128; constant, so that loops unroll and arrays become registers
override quads: u32 = (head_dim + 3u) / 4u;

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> qkv: array<f32>;
@group(0) @binding(2) var<storage, read> out: array<f32>;
@group(0) @binding(3) var<storage, read> dout: array<f32>;
@group(0) @binding(4) var<storage, read> lse: array<f32>;
@group(0) @binding(5) var<storage, read_write> dqkv: array<f32>;
@group(0) @binding(6) var<storage, read_write> delta: array<f32>;

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
    if index >= u.batch * u.heads * u.time { return; }
    let i = index % u.time;
    let h = index / u.time % u.heads;
    let b = index / (u.time * u.heads);
    let n = b * u.time + i;
    let at = n * u.heads + h;
    let q_at = n * u.q_stride + h * head_dim;
    let kv_head = h / (u.heads / u.kv_heads) * head_dim;

    var own = 0.0;
    for (var d = 0u; d < head_dim; d++) {
        own += dout[at * head_dim + d] * out[at * head_dim + d];
    }
    delta[at] = own;

    var q: array<vec4f, 32>;
    var d_out: array<vec4f, 32>;
    var dq: array<vec4f, 32>;
    for (var c = 0u; c < quads; c++) {
        q[c] = load_qkv(q_at, c) * u.scale;
        d_out[c] = load_dout(at * head_dim, c);
    }
    let row_lse = lse[at];
    for (var j = 0u; j <= i; j++) {
        let row = (b * u.time + j) * u.kv_stride + kv_head;
        var scores = vec4f();
        var dps = vec4f();
        for (var c = 0u; c < quads; c++) {
            scores += q[c] * load_qkv(row + u.k_offset, c);
            dps += d_out[c] * load_qkv(row + u.v_offset, c);
        }
        let ds = exp(sum4(scores) - row_lse) * (sum4(dps) - own) * u.scale;
        for (var c = 0u; c < quads; c++) {
            dq[c] += ds * load_qkv(row + u.k_offset, c);
        }
    }
    for (var c = 0u; c < quads; c++) {
        store(q_at, c, dq[c]);
    }
}
