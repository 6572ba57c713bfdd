// out = alpha * A·B + E, or += with ACCUMULATE; out (M,N), row-major. E is the LoRA part, see below.
// Nn: A = a (M,K), B = b (K,N).  Nt: A = a (M,K), B = bᵀ, b (N,K).  Tn: A = aᵀ, a (K,M), B = b (K,N).
// Each thread keeps 16x16 outputs in registers and shares nothing: software adapters pay for every word that
// a thread loads and for every barrier, but little for arithmetic. Rows of a, b and out are multiples of 4.
//
// E is `scale` times a product over the G*R columns of p (M,G*R), G groups of R:
// Nt: E[m,n] = Σ_r p[m, g(n)*R + r] * q[n,r], q (N,R): column n sees the R columns of its group g(n) only.
// Nn: E[m,n] = Σ_j p[m,j] * q[j,n], q (G*R,N).  Without LoRA R is 0.

struct Uniforms {
    m: u32,
    n: u32,
    k: u32,
    alpha: f32,
    scale: f32,
    rank: u32,
    groups: u32,
    end_0: u32, // where each group of columns ends; the last needs no end
    end_1: u32,
}

const THREADS = 8u;
const NN = 0u;
const NT = 1u;
const TN = 2u;
override LAYOUT: u32 = 0u;
override ACCUMULATE: bool = false;
override PACKED: bool = false; // b holds f16, two a word, else f32

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<vec4u>;
@group(0) @binding(3) var<storage, read> p: array<f32>;
@group(0) @binding(4) var<storage, read> q: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<vec4f>;

// Threads past the edge compute the last row or column again and do not store it: no branches in the loop.
fn row(m: u32) -> u32 { return min(m, u.m - 1u); }
fn column(n: u32) -> u32 { return min(n, u.n - 1u); }

// A[m..m+4, k..k+4]; column i of the matrix is row m+i.
fn block_a(m: u32, k: u32) -> mat4x4f {
    if LAYOUT == TN {
        let w = u.m / 4u;
        let at = k * w + min(m / 4u, w - 1u);
        let none = vec4f(0.0);
        return transpose(mat4x4f(
            a[at],
            select(none, a[at + w], k + 1u < u.k),
            select(none, a[at + 2u * w], k + 2u < u.k),
            select(none, a[at + 3u * w], k + 3u < u.k),
        ));
    }
    let w = u.k / 4u;
    let at = k / 4u;
    return mat4x4f(a[row(m) * w + at], a[row(m + 1u) * w + at], a[row(m + 2u) * w + at], a[row(m + 3u) * w + at]);
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

// B[k..k+4, n..n+4]; column i of the matrix is row k+i. Rows past K meet zeros of A.
fn block_b(k: u32, n: u32) -> mat4x4f {
    if LAYOUT == NT {
        let w = u.k / 4u;
        let at = k / 4u;
        return transpose(mat4x4f(
            quad_b(column(n) * w + at),
            quad_b(column(n + 1u) * w + at),
            quad_b(column(n + 2u) * w + at),
            quad_b(column(n + 3u) * w + at),
        ));
    }
    let w = u.n / 4u;
    let at = min(n / 4u, w - 1u);
    let last = u.k - 1u;
    return mat4x4f(
        quad_b(k * w + at),
        quad_b(min(k + 1u, last) * w + at),
        quad_b(min(k + 2u, last) * w + at),
        quad_b(min(k + 3u, last) * w + at),
    );
}

fn group(n: u32) -> u32 { return u32(n >= u.end_0) + u32(n >= u.end_1); }

// p[m..m+4, j]
fn column_p(m: u32, j: u32) -> vec4f {
    let w = u.groups * u.rank;
    return vec4f(p[row(m) * w + j], p[row(m + 1u) * w + j], p[row(m + 2u) * w + j], p[row(m + 3u) * w + j]);
}

// scale * q of column j of p and output column n; 0 where n is of another group than j.
fn element_q(j: u32, n: u32) -> f32 {
    if LAYOUT == NT {
        let first = group(n) * u.rank;
        let mine = j >= first && j < first + u.rank;
        return select(0.0, u.scale * q[n * u.rank + select(0u, j - first, mine)], mine);
    }
    return u.scale * q[j * u.n + n];
}

fn row_q(j: u32, n: u32) -> vec4f {
    return vec4f(
        element_q(j, column(n)),
        element_q(j, column(n + 1u)),
        element_q(j, column(n + 2u)),
        element_q(j, column(n + 3u)),
    );
}

// 4 rows of the thread's outputs: four blocks of 4 columns, whose column i is row i.
struct Strip {
    n0: mat4x4f,
    n1: mat4x4f,
    n2: mat4x4f,
    n3: mat4x4f,
}

// s + a·b; a is 4 rows of A, b the same 4 k's of B.
fn add(s: Strip, a: mat4x4f, b: Strip) -> Strip {
    return Strip(s.n0 + b.n0 * a, s.n1 + b.n1 * a, s.n2 + b.n2 * a, s.n3 + b.n3 * a);
}

fn outer(rows: vec4f, columns: vec4f) -> mat4x4f {
    return mat4x4f(columns * rows.x, columns * rows.y, columns * rows.z, columns * rows.w);
}

// s + one column of p times one row of q, 16 wide.
fn add_outer(s: Strip, p: vec4f, q: mat4x4f) -> Strip {
    return Strip(s.n0 + outer(p, q[0]), s.n1 + outer(p, q[1]), s.n2 + outer(p, q[2]), s.n3 + outer(p, q[3]));
}

fn scaled(s: Strip) -> Strip {
    return Strip(s.n0 * u.alpha, s.n1 * u.alpha, s.n2 * u.alpha, s.n3 * u.alpha);
}

fn store(m: u32, n: u32, values: vec4f) {
    if m < u.m && n < u.n {
        let at = (m * u.n + n) / 4u;
        if ACCUMULATE { out[at] += values; } else { out[at] = values; }
    }
}

fn store_block(m: u32, n: u32, block: mat4x4f) {
    store(m, n, block[0]);
    store(m + 1u, n, block[1]);
    store(m + 2u, n, block[2]);
    store(m + 3u, n, block[3]);
}

fn store_strip(m: u32, n: u32, s: Strip) {
    store_block(m, n + 0u, s.n0);
    store_block(m, n + 4u, s.n1);
    store_block(m, n + 8u, s.n2);
    store_block(m, n + 12u, s.n3);
}

@compute @workgroup_size(THREADS)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let tile = gid.x + gid.y * groups.x * THREADS;
    let across = (u.n + 15u) / 16u;
    let m = tile / across * 16u;
    let n = tile % across * 16u;
    if m >= u.m { return; }

    var s0 = Strip();
    var s1 = Strip();
    var s2 = Strip();
    var s3 = Strip();
    for (var k = 0u; k < u.k; k += 4u) {
        let b = Strip(block_b(k, n + 0u), block_b(k, n + 4u), block_b(k, n + 8u), block_b(k, n + 12u));
        s0 = add(s0, block_a(m, k), b);
        s1 = add(s1, block_a(m + 4u, k), b);
        s2 = add(s2, block_a(m + 8u, k), b);
        s3 = add(s3, block_a(m + 12u, k), b);
    }
    s0 = scaled(s0);
    s1 = scaled(s1);
    s2 = scaled(s2);
    s3 = scaled(s3);

    var j = 0u;
    var end = u.groups * u.rank;
    if LAYOUT == NT {
        j = group(n) * u.rank;
        end = (group(column(n + 15u)) + 1u) * u.rank;
    }
    for (; j < end; j++) {
        let row = mat4x4f(row_q(j, n), row_q(j, n + 4u), row_q(j, n + 8u), row_q(j, n + 12u));
        s0 = add_outer(s0, column_p(m, j), row);
        s1 = add_outer(s1, column_p(m + 4u, j), row);
        s2 = add_outer(s2, column_p(m + 8u, j), row);
        s3 = add_outer(s3, column_p(m + 12u, j), row);
    }

    store_strip(m, n, s0);
    store_strip(m + 4u, n, s1);
    store_strip(m + 8u, n, s2);
    store_strip(m + 12u, n, s3);
}
