// attention_backward_kv.wgsl in tiles of 8 keys by 8 queries; attention_tiles_forward.wgsl says why.
// One thread per (b,kv head) and 8 j's: each element has one writer, no atomics.

const THREADS = 8u;
const SIDE = 8u; // queries and keys of a tile

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(2) var<storage, read> dout: array<vec4f>;
@group(0) @binding(3) var<storage, read> lse: array<f32>;
@group(0) @binding(4) var<storage, read> delta: array<f32>;
@group(0) @binding(5) var<storage, read_write> dqkv: array<vec4f>;

// Four rows from the n-th on, those past the last being the last again.
fn rows(n: u32, last: u32) -> vec4u {
    return min(vec4u(n, n + 1u, n + 2u, n + 3u), vec4u(last));
}

// Four components, from the 4d-th on, of the four heads that start at these quads, a column each.
fn block_of_qkv(at: vec4u, d: u32) -> mat4x4f {
    return mat4x4f(qkv[at.x + d], qkv[at.y + d], qkv[at.z + d], qkv[at.w + d]);
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

fn column(score: vec4f, lse: vec4f, i: u32, j: u32) -> vec4f {
    let queries = vec4u(i, i + 1u, i + 2u, i + 3u);
    return select(vec4f(), exp(score * u.scale - lse), (queries >= vec4u(j)) & (queries < vec4u(u.time)));
}

// Of scores of these four keys, a column each, and four queries from i on.
fn probabilities(s: mat4x4f, lse: vec4f, i: u32, keys: vec4u) -> mat4x4f {
    return mat4x4f(
        column(s[0], lse, i, keys.x),
        column(s[1], lse, i, keys.y),
        column(s[2], lse, i, keys.z),
        column(s[3], lse, i, keys.w),
    );
}

fn gradients(p: mat4x4f, dp: mat4x4f, delta: vec4f) -> mat4x4f {
    return mat4x4f(
        p[0] * (dp[0] - delta) * u.scale,
        p[1] * (dp[1] - delta) * u.scale,
        p[2] * (dp[2] - delta) * u.scale,
        p[3] * (dp[3] - delta) * u.scale,
    );
}

@compute @workgroup_size(THREADS)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let quads = u.head_dim / 4u; // of a head
    let to_k = u.k_offset / 4u;
    let to_v = u.v_offset / 4u;
    let index = index_of(gid, groups, THREADS);
    let tiles = (u.time + SIDE - 1u) / SIDE;
    if index >= u.batch * u.kv_heads * tiles { return; }
    let pairs = u.batch * u.kv_heads; // neighbouring threads take the same j, hence as many tiles: software runs them in step
    let j = index / pairs * SIDE;
    let kv_head = index % pairs % u.kv_heads;
    let b = index % pairs / u.kv_heads;
    let group = u.heads / u.kv_heads;

    let last = u.time - 1u;
    let keys0 = rows(j, last);
    let keys1 = rows(j + 4u, last);
    let k0 = (keys0 + b * u.time) * (u.kv_stride / 4u) + kv_head * quads;
    let k1 = (keys1 + b * u.time) * (u.kv_stride / 4u) + kv_head * quads;
    // Each query head and tile of queries by one counter: a loop less.
    let down = (u.time - j + SIDE - 1u) / SIDE;
    for (var tile = 0u; tile < group * down; tile++) {
        let h = kv_head * group + tile / down;
        let i = j + tile % down * SIDE;
        let n0 = rows(i, last) + b * u.time;
        let n1 = rows(i + 4u, last) + b * u.time;
        let q0 = n0 * (u.q_stride / 4u) + h * quads;
        let q1 = n1 * (u.q_stride / 4u) + h * quads;
        let at0 = n0 * u.heads + h;
        let at1 = n1 * u.heads + h;
        var near0 = mat4x4f(); // of the first four queries and keys, of the second four queries and so on
        var near1 = mat4x4f();
        var far0 = mat4x4f();
        var far1 = mat4x4f();
        var ds_near0 = mat4x4f();
        var ds_near1 = mat4x4f();
        var ds_far0 = mat4x4f();
        var ds_far1 = mat4x4f();
        for (var d = 0u; d < quads; d++) {
            let x0 = transpose(block_of_qkv(q0, d));
            let x1 = transpose(block_of_qkv(q1, d));
            let k_near = block_of_qkv(k0 + to_k, d);
            near0 += x0 * k_near;
            near1 += x1 * k_near;
            let k_far = block_of_qkv(k1 + to_k, d);
            far0 += x0 * k_far;
            far1 += x1 * k_far;
            let y0 = transpose(block_of_dout(at0 * quads, d));
            let y1 = transpose(block_of_dout(at1 * quads, d));
            let v_near = block_of_qkv(k0 + to_v, d);
            ds_near0 += y0 * v_near;
            ds_near1 += y1 * v_near;
            let v_far = block_of_qkv(k1 + to_v, d);
            ds_far0 += y0 * v_far;
            ds_far1 += y1 * v_far;
        }
        let lse0 = vec4f(lse[at0.x], lse[at0.y], lse[at0.z], lse[at0.w]);
        let lse1 = vec4f(lse[at1.x], lse[at1.y], lse[at1.z], lse[at1.w]);
        let delta0 = vec4f(delta[at0.x], delta[at0.y], delta[at0.z], delta[at0.w]);
        let delta1 = vec4f(delta[at1.x], delta[at1.y], delta[at1.z], delta[at1.w]);
        near0 = probabilities(near0, lse0, i, keys0);
        near1 = probabilities(near1, lse1, i + 4u, keys0);
        far0 = probabilities(far0, lse0, i, keys1);
        far1 = probabilities(far1, lse1, i + 4u, keys1);
        ds_near0 = gradients(near0, ds_near0, delta0);
        ds_near1 = gradients(near1, ds_near1, delta1);
        ds_far0 = gradients(far0, ds_far0, delta0);
        ds_far1 = gradients(far1, ds_far1, delta1);
        for (var d = 0u; d < quads; d++) {
            let x0 = block_of_qkv(q0, d);
            let x1 = block_of_qkv(q1, d);
            let y0 = block_of_dout(at0 * quads, d);
            let y1 = block_of_dout(at1 * quads, d);
            var dk_near = x0 * ds_near0 + x1 * ds_near1;
            var dk_far = x0 * ds_far0 + x1 * ds_far1;
            var dv_near = y0 * near0 + y1 * near1;
            var dv_far = y0 * far0 + y1 * far1;
            if tile > 0u {
                dk_near += block_of_dqkv(k0 + to_k, d);
                dk_far += block_of_dqkv(k1 + to_k, d);
                dv_near += block_of_dqkv(k0 + to_v, d);
                dv_far += block_of_dqkv(k1 + to_v, d);
            }
            store_block(k0 + to_k, d, dk_near);
            store_block(k1 + to_k, d, dk_far);
            store_block(k0 + to_v, d, dv_near);
            store_block(k1 + to_v, d, dv_far);
        }
    }
}
