// attention_backward_q.wgsl in tiles of 8 queries by 8 keys; attention_tiles_forward.wgsl says why.
// One thread per (b,h) and 8 i's.

const THREADS = 8u;
const SIDE = 8u; // queries and keys of a tile

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(2) var<storage, read> out: array<vec4f>;
@group(0) @binding(3) var<storage, read> dout: array<vec4f>;
@group(0) @binding(4) var<storage, read> lse: array<f32>;
@group(0) @binding(5) var<storage, read_write> dqkv: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> delta: array<f32>;

// Four rows from the n-th on, those past the last being the last again.
fn rows(n: u32, last: u32) -> vec4u {
    return min(vec4u(n, n + 1u, n + 2u, n + 3u), vec4u(last));
}

// Four components, from the 4d-th on, of the four heads that start at these quads, a column each.
fn block_of_qkv(at: vec4u, d: u32) -> mat4x4f {
    return mat4x4f(qkv[at.x + d], qkv[at.y + d], qkv[at.z + d], qkv[at.w + d]);
}

// Four components, from the 4d-th on, of the four heads that start at these quads, a column each.
fn block_of_out(at: vec4u, d: u32) -> mat4x4f {
    return mat4x4f(out[at.x + d], out[at.y + d], out[at.z + d], out[at.w + d]);
}

// Four components, from the 4d-th on, of the four heads that start at these quads, a column each.
fn block_of_dout(at: vec4u, d: u32) -> mat4x4f {
    return mat4x4f(dout[at.x + d], dout[at.y + d], dout[at.z + d], dout[at.w + d]);
}

// Four components, from the 4d-th on, of the four heads that start at these quads, a column each.
fn block_of_dqkv(at: vec4u, d: u32) -> mat4x4f {
    return mat4x4f(dqkv[at.x + d], dqkv[at.y + d], dqkv[at.z + d], dqkv[at.w + d]);
}

// Four columns. Rows past the last are the last again and of the same value: a branch for each takes long to compile.
fn store_block(at: vec4u, d: u32, v: mat4x4f) {
    dqkv[at.x + d] = v[0];
    dqkv[at.y + d] = v[1];
    dqkv[at.z + d] = v[2];
    dqkv[at.w + d] = v[3];
}

// dot products of the columns
fn dots(x: mat4x4f, y: mat4x4f) -> vec4f {
    return vec4f(dot(x[0], y[0]), dot(x[1], y[1]), dot(x[2], y[2]), dot(x[3], y[3]));
}

// Four queries: log-sum-exp, delta, and the last key that each sees.
struct Queries {
    lse: vec4f,
    delta: vec4f,
    seen: vec4u,
}

fn column(score: vec4f, dp: vec4f, keys: vec4u, lse: f32, delta: f32, seen: u32) -> vec4f {
    let p = select(vec4f(), exp(score * u.scale - lse), keys <= vec4u(seen));
    return p * (dp - delta) * u.scale;
}

// Gradients of the scores of four queries, a column each, and four keys from j on.
fn gradients(s: mat4x4f, dp: mat4x4f, j: u32, q: Queries) -> mat4x4f {
    let keys = vec4u(j, j + 1u, j + 2u, j + 3u);
    return mat4x4f(
        column(s[0], dp[0], keys, q.lse.x, q.delta.x, q.seen.x),
        column(s[1], dp[1], keys, q.lse.y, q.delta.y, q.seen.y),
        column(s[2], dp[2], keys, q.lse.z, q.delta.z, q.seen.z),
        column(s[3], dp[3], keys, q.lse.w, q.delta.w, q.seen.w),
    );
}

@compute @workgroup_size(THREADS)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let quads = u.head_dim / 4u; // of a head
    let to_k = u.k_offset / 4u;
    let to_v = u.v_offset / 4u;
    let index = index_of(gid, groups, THREADS);
    let tiles = (u.time + SIDE - 1u) / SIDE;
    if index >= u.batch * u.heads * tiles { return; }
    let pairs = u.batch * u.heads; // neighbouring threads take the same i, hence as many tiles: software runs them in step
    let i = (tiles - 1u - index / pairs) * SIDE; // the longest first
    let h = index % pairs % u.heads;
    let b = index % pairs / u.heads;
    let kv_head = h / (u.heads / u.kv_heads) * quads;

    let n0 = rows(i, u.time - 1u) + b * u.time;
    let n1 = rows(i + 4u, u.time - 1u) + b * u.time;
    let q0 = n0 * (u.q_stride / 4u) + h * quads;
    let q1 = n1 * (u.q_stride / 4u) + h * quads;
    let at0 = n0 * u.heads + h;
    let at1 = n1 * u.heads + h;

    var own0 = vec4f();
    var own1 = vec4f();
    for (var d = 0u; d < quads; d++) {
        own0 += dots(block_of_dout(at0 * quads, d), block_of_out(at0 * quads, d));
        own1 += dots(block_of_dout(at1 * quads, d), block_of_out(at1 * quads, d));
    }
    // Rows past the last are the last again, and of the same value.
    for (var r = 0u; r < 4u; r++) {
        delta[at0[r]] = own0[r];
        delta[at1[r]] = own1[r];
    }
    let queries0 = Queries(vec4f(lse[at0.x], lse[at0.y], lse[at0.z], lse[at0.w]), own0, rows(i, u.time - 1u));
    let queries1 = Queries(vec4f(lse[at1.x], lse[at1.y], lse[at1.z], lse[at1.w]), own1, rows(i + 4u, u.time - 1u));

    for (var j = 0u; j < min(i + SIDE, u.time); j += SIDE) {
        let k0 = (rows(j, u.time - 1u) + b * u.time) * (u.kv_stride / 4u) + kv_head;
        let k1 = (rows(j + 4u, u.time - 1u) + b * u.time) * (u.kv_stride / 4u) + kv_head;
        var near0 = mat4x4f(); // scores of the first four queries and keys, of the second four queries and so on
        var near1 = mat4x4f();
        var far0 = mat4x4f();
        var far1 = mat4x4f();
        var dp_near0 = mat4x4f();
        var dp_near1 = mat4x4f();
        var dp_far0 = mat4x4f();
        var dp_far1 = mat4x4f();
        for (var d = 0u; d < quads; d++) {
            let x0 = block_of_qkv(q0, d);
            let x1 = block_of_qkv(q1, d);
            let k_near = transpose(block_of_qkv(k0 + to_k, d));
            near0 += k_near * x0;
            near1 += k_near * x1;
            let k_far = transpose(block_of_qkv(k1 + to_k, d));
            far0 += k_far * x0;
            far1 += k_far * x1;
            let y0 = block_of_dout(at0 * quads, d);
            let y1 = block_of_dout(at1 * quads, d);
            let v_near = transpose(block_of_qkv(k0 + to_v, d));
            dp_near0 += v_near * y0;
            dp_near1 += v_near * y1;
            let v_far = transpose(block_of_qkv(k1 + to_v, d));
            dp_far0 += v_far * y0;
            dp_far1 += v_far * y1;
        }
        near0 = gradients(near0, dp_near0, j, queries0);
        near1 = gradients(near1, dp_near1, j, queries1);
        far0 = gradients(far0, dp_far0, j + 4u, queries0);
        far1 = gradients(far1, dp_far1, j + 4u, queries1);
        for (var d = 0u; d < quads; d++) {
            let k_near = block_of_qkv(k0 + to_k, d);
            let k_far = block_of_qkv(k1 + to_k, d);
            var dq0 = k_near * near0 + k_far * far0;
            var dq1 = k_near * near1 + k_far * far1;
            if j > 0u {
                dq0 += block_of_dqkv(q0, d);
                dq1 += block_of_dqkv(q1, d);
            }
            store_block(q0, d, dq0);
            store_block(q1, d, dq1);
        }
    }
}
