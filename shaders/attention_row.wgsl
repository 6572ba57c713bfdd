// out[n,h] = Σ_j p_j v_j,  p = softmax_j(scale q·k_j) over j <= position[0] + i;  lse[n,h] = log Σ_j exp(scale q·k_j)
// q (N,q_stride) at columns h*D; keys and values (B*kv_time,kv_stride) at k_offset, v_offset + (h/(H/KV))*D;
// out (N,H*D); lse (N,H), kept for the backward pass. One thread per (b,h,i): online softmax, no T×T buffer.
// Neighbouring threads differ in i, so that they read the same k and v rows together.

override head_dim: u32; // D <= 128; constant, so that loops unroll and arrays become registers
override quads: u32 = (head_dim + 3u) / 4u;

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> q: array<f32>;
@group(0) @binding(2) var<storage, read> kv: array<f32>;
@group(0) @binding(3) var<storage, read> position: array<u32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;
@group(0) @binding(5) var<storage, read_write> lse: array<f32>;

// Four components of the head that starts at word `at`; 0 beyond D.
fn load_q(at: u32, quad: u32) -> vec4f {
    let i = at + quad * 4u;
    if head_dim % 4u == 0u { return vec4f(q[i], q[i + 1u], q[i + 2u], q[i + 3u]); }
    var r = vec4f();
    for (var e = 0u; e < min(4u, head_dim - quad * 4u); e++) { r[e] = q[i + e]; }
    return r;
}

fn load_kv(at: u32, quad: u32) -> vec4f {
    let i = at + quad * 4u;
    if head_dim % 4u == 0u { return vec4f(kv[i], kv[i + 1u], kv[i + 2u], kv[i + 3u]); }
    var r = vec4f();
    for (var e = 0u; e < min(4u, head_dim - quad * 4u); e++) { r[e] = kv[i + e]; }
    return r;
}

fn store(at: u32, quad: u32, v: vec4f) {
    let i = at + quad * 4u;
    for (var e = 0u; e < min(4u, head_dim - quad * 4u); e++) { out[i + e] = v[e]; }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = index_of(gid, groups, 64u);
    if index >= u.batch * u.heads * u.time { return; }
    let i = index % u.time;
    let h = index / u.time % u.heads;
    let b = index / (u.time * u.heads);
    let n = b * u.time + i;
    let kv_head = h / (u.heads / u.kv_heads) * head_dim;

    var query: array<vec4f, 32>;
    var acc: array<vec4f, 32>;
    for (var c = 0u; c < quads; c++) {
        query[c] = load_q(n * u.q_stride + h * head_dim, c) * u.scale;
    }
    var max_score = -1e30;
    var sum = 0.0;
    for (var j = 0u; j <= position[0] + i; j++) {
        let row = (b * u.kv_time + j) * u.kv_stride + kv_head;
        var dots = vec4f();
        for (var c = 0u; c < quads; c++) {
            dots += query[c] * load_kv(row + u.k_offset, c);
        }
        let score = dots.x + dots.y + dots.z + dots.w;
        let new_max = max(max_score, score);
        let keep = exp(max_score - new_max);
        let p = exp(score - new_max);
        max_score = new_max;
        sum = sum * keep + p;
        for (var c = 0u; c < quads; c++) {
            acc[c] = acc[c] * keep + p * load_kv(row + u.v_offset, c);
        }
    }
    let at = (n * u.heads + h) * head_dim;
    for (var c = 0u; c < quads; c++) {
        store(at, c, acc[c] / sum);
    }
    lse[n * u.heads + h] = max_score + log(sum);
}
