// attention_forward.wgsl in tiles of 8 queries by 8 keys, for software adapters, which pay for every word that a thread
// loads and little for arithmetic: a word of a query serves 8 keys and a word of a key 8 queries.
// One thread per (b,h) and 8 i's. No sums in private arrays, which compile slowly there: a tile's share of the
// output is added to what lies in out. All in quads, of four components of a head.

struct Uniforms {
    batch: u32,
    time: u32,
    heads: u32,
    kv_heads: u32,
    head_dim: u32, // a multiple of 4
    q_stride: u32,
    kv_stride: u32,
    k_offset: u32,
    v_offset: u32,
    kv_time: u32,
    scale: f32,
}

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

// Of `count` rows at most.
fn store_block(at: vec4u, d: u32, v: mat4x4f, count: u32) {
    if count > 0u { out[at.x + d] = v[0]; }
    if count > 1u { out[at.y + d] = v[1]; }
    if count > 2u { out[at.z + d] = v[2]; }
    if count > 3u { out[at.w + d] = v[3]; }
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

// Online softmax of four queries.
struct Soft {
    near: mat4x4f, // scores, then probabilities before division by the sum, of the first four keys
    far: mat4x4f, // and of the other four
    maximum: vec4f,
    sum: vec4f,
    keep: vec4f, // by which what was summed before is multiplied
}

fn soften(s: Soft) -> Soft {
    let maximum = max(s.maximum, max(largest(s.near), largest(s.far)));
    let near = exp_minus(s.near, maximum);
    let far = exp_minus(s.far, maximum);
    let keep = exp(s.maximum - maximum);
    let ones = vec4f(1.0);
    return Soft(near, far, maximum, s.sum * keep + ones * near + ones * far, keep);
}

fn store_lse(at: vec4u, s: Soft, count: u32) {
    let v = s.maximum + log(s.sum);
    if count > 0u { lse[at.x] = v.x; }
    if count > 1u { lse[at.y] = v.y; }
    if count > 2u { lse[at.z] = v.z; }
    if count > 3u { lse[at.w] = v.w; }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let quads = u.head_dim / 4u; // of a head
    let to_k = u.k_offset / 4u;
    let to_v = u.v_offset / 4u;
    let index = gid.x + gid.y * groups.x * THREADS;
    let tiles = (u.time + SIDE - 1u) / SIDE;
    if index >= u.batch * u.heads * tiles { return; }
    let i = index % tiles * SIDE;
    let h = index / tiles % u.heads;
    let b = index / (tiles * u.heads);
    let kv_head = h / (u.heads / u.kv_heads) * quads;

    let n0 = rows(i, u.time - 1u) + b * u.time;
    let n1 = rows(i + 4u, u.time - 1u) + b * u.time;
    let q0 = n0 * (u.q_stride / 4u) + h * quads;
    let q1 = n1 * (u.q_stride / 4u) + h * quads;
    let at0 = n0 * u.heads + h;
    let at1 = n1 * u.heads + h;
    let stored = min(SIDE, u.time - i);
    let stored1 = max(stored, 4u) - 4u;
    let seen = vec4u(0u, 1u, 2u, 3u) + i + position[0];
    let end = position[0] + i + stored;

    var s0 = Soft(mat4x4f(), mat4x4f(), vec4f(-1e30), vec4f(), vec4f());
    var s1 = s0;
    for (var j = 0u; j < end; j += SIDE) {
        let k0 = (rows(j, end - 1u) + b * u.kv_time) * (u.kv_stride / 4u) + kv_head;
        let k1 = (rows(j + 4u, end - 1u) + b * u.kv_time) * (u.kv_stride / 4u) + kv_head;
        s0.near = mat4x4f();
        s0.far = mat4x4f();
        s1.near = mat4x4f();
        s1.far = mat4x4f();
        for (var d = 0u; d < quads; d++) {
            let queries0 = block_of_q(q0, d);
            let queries1 = block_of_q(q1, d);
            let near = transpose(block_of_kv(k0 + to_k, d));
            s0.near += near * queries0;
            s1.near += near * queries1;
            let far = transpose(block_of_kv(k1 + to_k, d));
            s0.far += far * queries0;
            s1.far += far * queries1;
        }
        s0.near = masked(s0.near, j, seen);
        s0.far = masked(s0.far, j + 4u, seen);
        s1.near = masked(s1.near, j, seen + 4u);
        s1.far = masked(s1.far, j + 4u, seen + 4u);
        s0 = soften(s0);
        s1 = soften(s1);

        let last = j + SIDE >= end;
        let by0 = select(vec4f(1.0), 1.0 / s0.sum, last);
        let by1 = select(vec4f(1.0), 1.0 / s1.sum, last);
        for (var d = 0u; d < quads; d++) {
            let near = block_of_kv(k0 + to_v, d);
            let far = block_of_kv(k1 + to_v, d);
            var acc0 = near * s0.near + far * s0.far;
            var acc1 = near * s1.near + far * s1.far;
            if j > 0u {
                acc0 += times(block_of_out(at0 * quads, d), s0.keep);
                acc1 += times(block_of_out(at1 * quads, d), s1.keep);
            }
            store_block(at0 * quads, d, times(acc0, by0), stored);
            store_block(at1 * quads, d, times(acc1, by1), stored1);
        }
    }
    store_lse(at0, s0, stored);
    store_lse(at1, s1, stored1);
}
