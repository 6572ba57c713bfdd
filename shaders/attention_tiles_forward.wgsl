// attention_forward.wgsl in tiles of 8 queries by 8 keys, for software adapters, which pay for every word that a thread
// loads and little for arithmetic: a word of a query serves 8 keys and a word of a key 8 queries.
// One thread per (b,h) and 8 i's. No sums in private arrays, which compile slowly there: a tile's share of the
// output is added to what lies in out. All in quads, of four components of a head.

const THREADS = 8u;
const SIDE = 8u; // queries and keys of a tile

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> q: array<vec4f>;
@group(0) @binding(2) var<storage, read> kv: array<vec4f>;
@group(0) @binding(3) var<storage, read> position: array<u32>;
@group(0) @binding(4) var<storage, read_write> out: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> lse: array<f32>;

// Four rows from the n-th on, those past the last being the last again.
fn rows(n: u32, last: u32) -> vec4u {
    return min(vec4u(n, n + 1u, n + 2u, n + 3u), vec4u(last));
}

// Four components, from the 4d-th on, of the four heads that start at these quads, a column each.
fn block_of_q(at: vec4u, d: u32) -> mat4x4f {
    return mat4x4f(q[at.x + d], q[at.y + d], q[at.z + d], q[at.w + d]);
}

// Four components, from the 4d-th on, of the four heads that start at these quads, a column each.
fn block_of_kv(at: vec4u, d: u32) -> mat4x4f {
    return mat4x4f(kv[at.x + d], kv[at.y + d], kv[at.z + d], kv[at.w + d]);
}

// Four components, from the 4d-th on, of the four heads that start at these quads, a column each.
fn block_of_out(at: vec4u, d: u32) -> mat4x4f {
    return mat4x4f(out[at.x + d], out[at.y + d], out[at.z + d], out[at.w + d]);
}

// Four columns. Rows past the last are the last again and of the same value: a branch for each takes long to compile.
fn store_block(at: vec4u, d: u32, v: mat4x4f) {
    out[at.x + d] = v[0];
    out[at.y + d] = v[1];
    out[at.z + d] = v[2];
    out[at.w + d] = v[3];
}

// Scores of four queries, a column each, and four keys from j on; the query in column c sees keys up to seen[c].
fn masked(scores: mat4x4f, j: u32, seen: vec4u) -> mat4x4f {
    let keys = vec4u(j, j + 1u, j + 2u, j + 3u);
    let none = vec4f(-1e30);
    return mat4x4f(
        select(none, scores[0] * u.scale, keys <= vec4u(seen.x)),
        select(none, scores[1] * u.scale, keys <= vec4u(seen.y)),
        select(none, scores[2] * u.scale, keys <= vec4u(seen.z)),
        select(none, scores[3] * u.scale, keys <= vec4u(seen.w)),
    );
}

// The largest of each column.
fn largest(scores: mat4x4f) -> vec4f {
    let t = transpose(scores);
    return max(max(t[0], t[1]), max(t[2], t[3]));
}

fn exp_minus(scores: mat4x4f, m: vec4f) -> mat4x4f {
    return mat4x4f(exp(scores[0] - m.x), exp(scores[1] - m.y), exp(scores[2] - m.z), exp(scores[3] - m.w));
}

fn times(m: mat4x4f, by: vec4f) -> mat4x4f {
    return mat4x4f(m[0] * by.x, m[1] * by.y, m[2] * by.z, m[3] * by.w);
}

fn store_lse(at: vec4u, v: vec4f) {
    lse[at.x] = v.x;
    lse[at.y] = v.y;
    lse[at.z] = v.z;
    lse[at.w] = v.w;
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
    let end = position[0] + min(i + SIDE, u.time); // of the keys that are seen
    let seen0 = rows(position[0] + i, end - 1u);
    let seen1 = rows(position[0] + i + 4u, end - 1u);

    // Online softmax: the largest score of each query so far, and the sum below it.
    var max0 = vec4f(-1e30);
    var max1 = vec4f(-1e30);
    var sum0 = vec4f();
    var sum1 = vec4f();
    for (var j = 0u; j < end; j += SIDE) {
        let k0 = (rows(j, end - 1u) + b * u.kv_time) * (u.kv_stride / 4u) + kv_head;
        let k1 = (rows(j + 4u, end - 1u) + b * u.kv_time) * (u.kv_stride / 4u) + kv_head;
        // Scores, then probabilities before division by the sum, of the first four queries and keys, of the second
        // four queries and so on.
        var near0 = mat4x4f();
        var near1 = mat4x4f();
        var far0 = mat4x4f();
        var far1 = mat4x4f();
        for (var d = 0u; d < quads; d++) {
            let queries0 = block_of_q(q0, d);
            let queries1 = block_of_q(q1, d);
            let near = transpose(block_of_kv(k0 + to_k, d));
            near0 += near * queries0;
            near1 += near * queries1;
            let far = transpose(block_of_kv(k1 + to_k, d));
            far0 += far * queries0;
            far1 += far * queries1;
        }
        near0 = masked(near0, j, seen0);
        near1 = masked(near1, j, seen1);
        far0 = masked(far0, j + 4u, seen0);
        far1 = masked(far1, j + 4u, seen1);
        let before0 = max0;
        let before1 = max1;
        max0 = max(max0, max(largest(near0), largest(far0)));
        max1 = max(max1, max(largest(near1), largest(far1)));
        near0 = exp_minus(near0, max0);
        near1 = exp_minus(near1, max1);
        far0 = exp_minus(far0, max0);
        far1 = exp_minus(far1, max1);
        let keep0 = exp(before0 - max0); // by which what was summed before is multiplied
        let keep1 = exp(before1 - max1);
        let ones = vec4f(1.0);
        sum0 = sum0 * keep0 + ones * near0 + ones * far0;
        sum1 = sum1 * keep1 + ones * near1 + ones * far1;

        let last = j + SIDE >= end;
        let by0 = select(vec4f(1.0), 1.0 / sum0, last);
        let by1 = select(vec4f(1.0), 1.0 / sum1, last);
        for (var d = 0u; d < quads; d++) {
            let near = block_of_kv(k0 + to_v, d);
            let far = block_of_kv(k1 + to_v, d);
            var acc0 = near * near0 + far * far0;
            var acc1 = near * near1 + far * far1;
            if j > 0u {
                acc0 += times(block_of_out(at0 * quads, d), keep0);
                acc1 += times(block_of_out(at1 * quads, d), keep1);
            }
            store_block(at0 * quads, d, times(acc0, by0));
            store_block(at1 * quads, d, times(acc1, by1));
        }
    }
    store_lse(at0, max0 + log(sum0));
    store_lse(at1, max1 + log(sum1));
}
