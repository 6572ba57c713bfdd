// out = A·B + E, or += with ACCUMULATE; out (M,N), row-major. E is the LoRA part, see below.
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
override PACKED: bool = false; // b holds f16, two a word, otherwise f32
override SPLIT: bool = false; // Nt: a thread's columns may be of several groups, which don't end at multiples of 16

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

fn group(n: vec4u) -> vec4u { return vec4u(n >= vec4u(u.end_0)) + vec4u(n >= vec4u(u.end_1)); }

// p[m..m+4, j]
fn column_p(m: u32, j: u32) -> vec4f {
    let w = u.groups * u.rank;
    return vec4f(p[row(m) * w + j], p[row(m + 1u) * w + j], p[row(m + 2u) * w + j], p[row(m + 3u) * w + j]);
}

// What column j of p is multiplied with for columns n..n+4: scale times a piece of q, of row j for Nn, otherwise of rows
// n..n+4; 0 where a column is of another group than j.
fn row_q(j: u32, n: u32, first: u32) -> vec4f {
    let columns = vec4u(column(n), column(n + 1u), column(n + 2u), column(n + 3u));
    var r = vec4u(j - first);
    var scale = vec4f(u.scale);
    if SPLIT {
        let own = j - group(columns) * u.rank; // beyond the rank before a group's first, too
        scale = select(vec4f(), scale, own < vec4u(u.rank));
        r = min(own, vec4u(u.rank - 1u));
    }
    let at = select(j * u.n + columns, columns * u.rank + r, LAYOUT == NT);
    return scale * vec4f(q[at.x], q[at.y], q[at.z], q[at.w]);
}

fn outer(rows: vec4f, columns: vec4f) -> mat4x4f {
    return mat4x4f(columns * rows.x, columns * rows.y, columns * rows.z, columns * rows.w);
}

// Of a block, column i is row m+i of the output. A block past the edge is not stored; of one at the edge, the last row
// is stored again, by the same thread and with the same values: a branch for each row takes long to compile.
fn store_block(m: u32, n: u32, block: mat4x4f) {
    if m >= u.m || n >= u.n { return; }
    let at = vec4u(row(m), row(m + 1u), row(m + 2u), row(m + 3u)) * (u.n / 4u) + n / 4u;
    var v = block;
    if ACCUMULATE { v += mat4x4f(out[at.x], out[at.y], out[at.z], out[at.w]); }
    out[at.x] = v[0];
    out[at.y] = v[1];
    out[at.z] = v[2];
    out[at.w] = v[3];
}

@compute @workgroup_size(THREADS)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let tile = index_of(gid, groups, THREADS);
    let across = (u.n + 15u) / 16u;
    let m = tile / across * 16u;
    let n = tile % across * 16u;
    if m >= u.m { return; }

    // 4x4 blocks of the thread's outputs, by rows and columns. Structs or arrays of them are copied to and fro:
    // SwiftShader takes longer to compile that, and to run it.
    var s00: mat4x4f; var s01: mat4x4f; var s02: mat4x4f; var s03: mat4x4f;
    var s10: mat4x4f; var s11: mat4x4f; var s12: mat4x4f; var s13: mat4x4f;
    var s20: mat4x4f; var s21: mat4x4f; var s22: mat4x4f; var s23: mat4x4f;
    var s30: mat4x4f; var s31: mat4x4f; var s32: mat4x4f; var s33: mat4x4f;
    for (var k = 0u; k < u.k; k += 4u) {
        let b0 = block_b(k, n);
        let b1 = block_b(k, n + 4u);
        let b2 = block_b(k, n + 8u);
        let b3 = block_b(k, n + 12u);
        let a0 = block_a(m, k);
        s00 += b0 * a0; s01 += b1 * a0; s02 += b2 * a0; s03 += b3 * a0;
        let a1 = block_a(m + 4u, k);
        s10 += b0 * a1; s11 += b1 * a1; s12 += b2 * a1; s13 += b3 * a1;
        let a2 = block_a(m + 8u, k);
        s20 += b0 * a2; s21 += b1 * a2; s22 += b2 * a2; s23 += b3 * a2;
        let a3 = block_a(m + 12u, k);
        s30 += b0 * a3; s31 += b1 * a3; s32 += b2 * a3; s33 += b3 * a3;
    }

    // One column of p times one row of q after the other: those of the columns' group, or all.
    if LAYOUT != TN {
        var first = 0u;
        var end = u.groups * u.rank;
        if LAYOUT == NT {
            first = group(vec4u(n)).x * u.rank;
            end = group(vec4u(select(n, column(n + 15u), SPLIT))).x * u.rank + u.rank;
        }
        for (var j = first; j < end; j++) {
            let q0 = row_q(j, n, first);
            let q1 = row_q(j, n + 4u, first);
            let q2 = row_q(j, n + 8u, first);
            let q3 = row_q(j, n + 12u, first);
            let p0 = column_p(m, j);
            s00 += outer(p0, q0); s01 += outer(p0, q1); s02 += outer(p0, q2); s03 += outer(p0, q3);
            let p1 = column_p(m + 4u, j);
            s10 += outer(p1, q0); s11 += outer(p1, q1); s12 += outer(p1, q2); s13 += outer(p1, q3);
            let p2 = column_p(m + 8u, j);
            s20 += outer(p2, q0); s21 += outer(p2, q1); s22 += outer(p2, q2); s23 += outer(p2, q3);
            let p3 = column_p(m + 12u, j);
            s30 += outer(p3, q0); s31 += outer(p3, q1); s32 += outer(p3, q2); s33 += outer(p3, q3);
        }
    }

    // By four rows, each time those of the first blocks: 16 blocks stored one by one take long to compile.
    for (var i = 0u; i < 16u; i += 4u) {
        store_block(m + i, n, s00); store_block(m + i, n + 4u, s01); store_block(m + i, n + 8u, s02); store_block(m + i, n + 12u, s03);
        s00 = s10; s01 = s11; s02 = s12; s03 = s13;
        s10 = s20; s11 = s21; s12 = s22; s13 = s23;
        s20 = s30; s21 = s31; s22 = s32; s23 = s33;
    }
}
