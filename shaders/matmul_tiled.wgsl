// out = A·B + E, or += with ACCUMULATE; layouts and E as in matmul_register.wgsl.
// A workgroup of 16x16 threads owns a 64x64 tile of out and walks K in steps of 16: each thread fetches one
// vec4 of a and one of b into workgroup memory, then adds to its 4x4 outputs. Rows of a and of b must be
// multiples of 4 long.

struct Uniforms {
    m: u32,
    n: u32,
    k: u32,
    scale: f32,
    rank: u32,
    groups: u32,
    end_0: u32,
    end_1: u32,
}

const NN = 0u;
const NT = 1u;
const TN = 2u;
override LAYOUT: u32 = 0u;
override ACCUMULATE: bool = false;
override PACKED: bool = false; // b holds f16, two a word, otherwise f32

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<vec4u>;
@group(0) @binding(3) var<storage, read> p: array<f32>;
@group(0) @binding(4) var<storage, read> q: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

// The tiles lie as in memory: rows of 16 k's (4 vec4) for each of 64 m's or n's, or, where a row of memory
// runs along m (Tn) or n (Nn, Tn), 64 of those (16 vec4) for each of 16 k's. One vec4 of padding after each
// row puts the rows that neighbouring threads read into different banks.
const BY_K = 5u;
const BY_MN = 17u;
var<workgroup> tile_a: array<vec4f, 320>;
var<workgroup> tile_b: array<vec4f, 320>;

fn group(n: u32) -> u32 { return u32(n >= u.end_0) + u32(n >= u.end_1); }

// Where thread t's vec4 of a tile begins: .x along m or n, .y along k.
fn place(t: u32, by_k: bool) -> vec2u {
    return select(vec2u(t % 16u * 4u, t / 16u), vec2u(t / 4u, t % 4u * 4u), by_k);
}

fn slot(t: u32, by_k: bool) -> u32 {
    return select(t / 16u * BY_MN + t % 16u, t / 4u * BY_K + t % 4u, by_k);
}

fn fetch_a(m: u32, k: u32) -> vec4f {
    if m >= u.m || k >= u.k { return vec4f(); }
    if LAYOUT == TN { return a[(k * u.m + m) / 4u]; }
    return a[(m * u.k + k) / 4u];
}

// Values 4i to 4i+3 of b. unpack2x16float is in every WGSL; the type f16 would need a feature.
fn quad_b(i: u32) -> vec4f {
    if PACKED {
        let words = b[i / 2u];
        let two = select(words.xy, words.zw, i % 2u == 1u);
        return vec4f(unpack2x16float(two.x), unpack2x16float(two.y));
    }
    return bitcast<vec4f>(b[i]);
}

fn fetch_b(k: u32, n: u32) -> vec4f {
    if n >= u.n || k >= u.k { return vec4f(); }
    if LAYOUT == NT { return quad_b((n * u.k + k) / 4u); }
    return quad_b((k * u.n + n) / 4u);
}

fn element_p(m: u32, j: u32, end: u32) -> f32 {
    if m >= u.m || j >= end { return 0.0; }
    return p[m * u.groups * u.rank + j];
}

// scale * q of column j of p and output column n; 0 where n is of another group than j.
fn element_q(j: u32, n: u32, end: u32) -> f32 {
    if n >= u.n || j >= end { return 0.0; }
    if LAYOUT == NT {
        let first = group(n) * u.rank;
        if j < first || j >= first + u.rank { return 0.0; }
        return u.scale * q[n * u.rank + j - first];
    }
    return u.scale * q[j * u.n + n];
}

// Element i of a vec4 of tile_b, which runs along k or along n.
fn fetch_q(j: u32, n: u32, i: u32, end: u32) -> f32 {
    if LAYOUT == NT { return element_q(j + i, n, end); }
    return element_q(j, n + i, end);
}

// The thread's 4 columns: every 16th where tile_b has a row per column (no two threads in one bank).
fn column(x: u32, i: u32) -> u32 { return select(x * 4u + i, x + i * 16u, LAYOUT == NT); }

// A[4 rows of thread y, k..k+4] for k = 4 * step; column i of the matrix is row 4y+i.
fn block_a(y: u32, step: u32) -> mat4x4f {
    if LAYOUT == TN {
        let at = step * 4u * BY_MN + y;
        return transpose(mat4x4f(tile_a[at], tile_a[at + BY_MN], tile_a[at + 2u * BY_MN], tile_a[at + 3u * BY_MN]));
    }
    let at = y * 4u * BY_K + step;
    return mat4x4f(tile_a[at], tile_a[at + BY_K], tile_a[at + 2u * BY_K], tile_a[at + 3u * BY_K]);
}

// B[k..k+4, 4 columns of thread x]; column i of the matrix is row k+i.
fn block_b(x: u32, step: u32) -> mat4x4f {
    if LAYOUT == NT {
        let at = x * BY_K + step;
        let next = 16u * BY_K;
        return transpose(mat4x4f(tile_b[at], tile_b[at + next], tile_b[at + 2u * next], tile_b[at + 3u * next]));
    }
    let at = step * 4u * BY_MN + x;
    return mat4x4f(tile_b[at], tile_b[at + BY_MN], tile_b[at + 2u * BY_MN], tile_b[at + 3u * BY_MN]);
}

// A·B over the 16 k's in workgroup memory.
fn multiply(x: u32, y: u32) -> mat4x4f {
    var sum = block_b(x, 0u) * block_a(y, 0u);
    sum += block_b(x, 1u) * block_a(y, 1u);
    sum += block_b(x, 2u) * block_a(y, 2u);
    sum += block_b(x, 3u) * block_a(y, 3u);
    return sum;
}

fn store(m: u32, n: u32, value: f32) {
    if m < u.m && n < u.n {
        let at = m * u.n + n;
        if ACCUMULATE { out[at] += value; } else { out[at] = value; }
    }
}

fn store_row(m: u32, n: u32, x: u32, values: vec4f) {
    store(m, n + column(x, 0u), values.x);
    store(m, n + column(x, 1u), values.y);
    store(m, n + column(x, 2u), values.z);
    store(m, n + column(x, 3u), values.w);
}

@compute @workgroup_size(16, 16)
fn main(
    @builtin(workgroup_id) wid: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_id) lid: vec3u,
    @builtin(local_invocation_index) t: u32,
) {
    let m = (wid.y + wid.z * groups.y) * 64u;
    let n = wid.x * 64u;
    let at_a = place(t, LAYOUT != TN);
    let at_b = place(t, LAYOUT == NT);
    let slot_a = slot(t, LAYOUT != TN);
    let slot_b = slot(t, LAYOUT == NT);

    var c = mat4x4f();
    var next_a = fetch_a(m + at_a.x, at_a.y);
    var next_b = fetch_b(at_b.y, n + at_b.x);
    for (var k = 16u; k < u.k + 16u; k += 16u) {
        tile_a[slot_a] = next_a;
        tile_b[slot_b] = next_b;
        workgroupBarrier();
        // On their way while this step multiplies; zeros past the last.
        next_a = fetch_a(m + at_a.x, k + at_a.y);
        next_b = fetch_b(k + at_b.y, n + at_b.x);
        c += multiply(lid.x, lid.y);
        workgroupBarrier();
    }

    // The LoRA part is more of the same sum; only the groups that this tile's columns are of.
    var j = 0u;
    var end = u.groups * u.rank;
    if LAYOUT == NT {
        j = group(n) * u.rank;
        end = (group(min(n + 63u, u.n - 1u)) + 1u) * u.rank;
    }
    for (; j < end; j += 16u) {
        let ka = j + at_a.y;
        let ma = m + at_a.x;
        tile_a[slot_a] = vec4f(
            element_p(ma, ka, end),
            element_p(ma, ka + 1u, end),
            element_p(ma, ka + 2u, end),
            element_p(ma, ka + 3u, end),
        );
        let kb = j + at_b.y;
        let nb = n + at_b.x;
        tile_b[slot_b] = vec4f(
            fetch_q(kb, nb, 0u, end),
            fetch_q(kb, nb, 1u, end),
            fetch_q(kb, nb, 2u, end),
            fetch_q(kb, nb, 3u, end),
        );
        workgroupBarrier();
        c += multiply(lid.x, lid.y);
        workgroupBarrier();
    }

    let first = m + lid.y * 4u;
    store_row(first, n, lid.x, c[0]);
    store_row(first + 1u, n, lid.x, c[1]);
    store_row(first + 2u, n, lid.x, c[2]);
    store_row(first + 3u, n, lid.x, c[3]);
}
