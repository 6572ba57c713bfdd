// out = alpha * A·B + E, or += with `accumulate`; out (M,N), row-major. E is the LoRA part, see below.
// Nn: A = a (M,K), B = b (K,N).  Nt: A = a (M,K), B = bᵀ, b (N,K).  Tn: A = aᵀ, a (K,M), B = b (K,N).
// Each thread keeps 8x8 outputs in registers as four blocks and shares nothing: no workgroup memory and no
// barrier, which are what costs on software adapters. Rows of a and of b must be multiples of 4 long.
//
// E is `scale` times a product over the G*R columns of p (M,G*R), G groups of R:
// Nt: E[m,n] = Σ_r p[m, g(n)*R + r] * q[n,r], q (N,R): column n sees the R columns of its group g(n) only.
// Nn: E[m,n] = Σ_j p[m,j] * q[j,n], q (G*R,N).  Without LoRA R is 0.

struct Uniforms {
    m: u32,
    n: u32,
    k: u32,
    alpha: f32,
    accumulate: u32,
    scale: f32,
    rank: u32,
    groups: u32,
    bounds: vec3u, // where each group of columns ends
}

const NN = 0u;
const NT = 1u;
const TN = 2u;
override LAYOUT: u32 = 0u;

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<vec4f>;
@group(0) @binding(3) var<storage, read> p: array<f32>;
@group(0) @binding(4) var<storage, read> q: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

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

// B[k..k+4, n..n+4]; column i of the matrix is row k+i. Rows past K meet zeros of A.
fn block_b(k: u32, n: u32) -> mat4x4f {
    if LAYOUT == NT {
        let w = u.k / 4u;
        let at = k / 4u;
        return transpose(mat4x4f(
            b[column(n) * w + at],
            b[column(n + 1u) * w + at],
            b[column(n + 2u) * w + at],
            b[column(n + 3u) * w + at],
        ));
    }
    let w = u.n / 4u;
    let at = min(n / 4u, w - 1u);
    let last = u.k - 1u;
    return mat4x4f(
        b[k * w + at],
        b[min(k + 1u, last) * w + at],
        b[min(k + 2u, last) * w + at],
        b[min(k + 3u, last) * w + at],
    );
}

fn group(n: u32) -> u32 { return u32(n >= u.bounds.x) + u32(n >= u.bounds.y); }

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

fn outer(rows: vec4f, columns: vec4f) -> mat4x4f {
    return mat4x4f(columns * rows.x, columns * rows.y, columns * rows.z, columns * rows.w);
}

fn store(m: u32, n: u32, value: f32) {
    if m < u.m && n < u.n {
        let at = m * u.n + n;
        if u.accumulate != 0u { out[at] += value; } else { out[at] = value; }
    }
}

fn store_row(m: u32, n: u32, values: vec4f) {
    store(m, n, values.x);
    store(m, n + 1u, values.y);
    store(m, n + 2u, values.z);
    store(m, n + 3u, values.w);
}

fn store_block(m: u32, n: u32, block: mat4x4f) {
    store_row(m, n, block[0]);
    store_row(m + 1u, n, block[1]);
    store_row(m + 2u, n, block[2]);
    store_row(m + 3u, n, block[3]);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let tile = gid.x + gid.y * groups.x * 64u;
    let across = (u.n + 7u) / 8u;
    let m = tile / across * 8u;
    let n = tile % across * 8u;
    if m >= u.m { return; }

    var c00 = mat4x4f();
    var c01 = mat4x4f();
    var c10 = mat4x4f();
    var c11 = mat4x4f();
    for (var k = 0u; k < u.k; k += 4u) {
        let a0 = block_a(m, k);
        let a1 = block_a(m + 4u, k);
        let b0 = block_b(k, n);
        c00 += b0 * a0;
        c10 += b0 * a1;
        let b1 = block_b(k, n + 4u);
        c01 += b1 * a0;
        c11 += b1 * a1;
    }
    c00 *= u.alpha;
    c01 *= u.alpha;
    c10 *= u.alpha;
    c11 *= u.alpha;

    var j = 0u;
    var end = u.groups * u.rank;
    if LAYOUT == NT {
        j = group(n) * u.rank;
        end = (group(column(n + 7u)) + 1u) * u.rank;
    }
    for (; j < end; j++) {
        let p0 = column_p(m, j);
        let p1 = column_p(m + 4u, j);
        let q0 = row_q(j, n);
        let q1 = row_q(j, n + 4u);
        c00 += outer(p0, q0);
        c01 += outer(p0, q1);
        c10 += outer(p1, q0);
        c11 += outer(p1, q1);
    }

    store_block(m, n, c00);
    store_block(m, n + 4u, c01);
    store_block(m + 4u, n, c10);
    store_block(m + 4u, n + 4u, c11);
}
