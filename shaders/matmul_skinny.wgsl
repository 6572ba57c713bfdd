// out = A·B + E, or += with ACCUMULATE, on any shape; layouts and E as in matmul_register.wgsl.
// A thread owns 4x4 outputs and every SLICES-th four k's of their sums; the workgroup adds the slices. For small or
// skinny products (decoding, LoRA), where K is the only long dimension to share out, and with one slice, which needs
// no barrier, for odd shapes on software adapters. Whole quads of a and b are loaded at once where their rows are such.

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
override THREADS: u32 = 256u; // of a workgroup, at most 256
override SLICES: u32 = 16u; // a power of two

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> a: array<V>;
@group(0) @binding(2) var<storage, read> b: array<Bits>;
@group(0) @binding(3) var<storage, read> p: array<f32>;
@group(0) @binding(4) var<storage, read> q: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

var<workgroup> partial: array<mat4x4f, 256>; // (SLICES, THREADS / SLICES)

// Four places from `first` on, those past the last being the last again.
fn places(first: u32, end: u32) -> vec4u {
    return min(vec4u(first, first + 1u, first + 2u, first + 3u), vec4u(end - 1u));
}

fn four_a(start: u32, at: vec4u) -> vec4f {
    let i = (at + start) / LANES;
    return four_of(a[i.x], a[i.y], a[i.z], a[i.w]);
}

fn value_b(i: u32) -> V { return value_of(b[select(i, i / 2u, PACKED)], i, PACKED); }

fn four_b(start: u32, at: vec4u) -> vec4f {
    let i = (at + start) / LANES;
    return four_of(value_b(i.x), value_b(i.y), value_b(i.z), value_b(i.w));
}

// A[m..m+4, k..k+4], 0 past K; column i of the matrix is row m+i.
fn block_a(m: u32, k: u32) -> mat4x4f {
    let ms = places(m, u.m);
    let ks = places(k, u.k);
    var v: mat4x4f;
    if LAYOUT == TN {
        v = transpose(mat4x4f(four_a(ks.x * u.m, ms), four_a(ks.y * u.m, ms), four_a(ks.z * u.m, ms), four_a(ks.w * u.m, ms)));
    } else {
        v = mat4x4f(four_a(ms.x * u.k, ks), four_a(ms.y * u.k, ks), four_a(ms.z * u.k, ks), four_a(ms.w * u.k, ks));
    }
    let is_there = vec4u(k, k + 1u, k + 2u, k + 3u) < vec4u(u.k);
    let none = vec4f();
    return mat4x4f(
        select(none, v[0], is_there),
        select(none, v[1], is_there),
        select(none, v[2], is_there),
        select(none, v[3], is_there),
    );
}

// B[k..k+4, n..n+4]; column i of the matrix is row k+i. Rows past K meet zeros of A.
fn block_b(k: u32, n: u32) -> mat4x4f {
    let ks = places(k, u.k);
    let ns = places(n, u.n);
    if LAYOUT == NT {
        return transpose(mat4x4f(four_b(ns.x * u.k, ks), four_b(ns.y * u.k, ks), four_b(ns.z * u.k, ks), four_b(ns.w * u.k, ks)));
    }
    return mat4x4f(four_b(ks.x * u.n, ns), four_b(ks.y * u.n, ns), four_b(ks.z * u.n, ns), four_b(ks.w * u.n, ns));
}

fn group(n: vec4u) -> vec4u { return vec4u(n >= vec4u(u.end_0)) + vec4u(n >= vec4u(u.end_1)); }

// p[m..m+4, j]
fn column_p(m: u32, j: u32) -> vec4f {
    let i = places(m, u.m) * (u.groups * u.rank) + j;
    return vec4f(p[i.x], p[i.y], p[i.z], p[i.w]);
}

// What column j of p is multiplied with for columns ns: scale times a piece of q, of row j for Nn, otherwise of the
// columns' rows; 0 where a column is of another group than j.
fn row_q(j: u32, ns: vec4u) -> vec4f {
    if LAYOUT == NT {
        let r = j - group(ns) * u.rank; // beyond the rank before a group's first, too
        let i = ns * u.rank + min(r, vec4u(u.rank - 1u));
        return select(vec4f(), u.scale * vec4f(q[i.x], q[i.y], q[i.z], q[i.w]), r < vec4u(u.rank));
    }
    let i = ns + j * u.n;
    return u.scale * vec4f(q[i.x], q[i.y], q[i.z], q[i.w]);
}

fn store(m: u32, n: u32, value: f32) {
    if n < u.n {
        let at = m * u.n + n;
        if ACCUMULATE { out[at] += value; } else { out[at] = value; }
    }
}

fn store_row(m: u32, n: u32, values: vec4f) {
    if m >= u.m { return; }
    store(m, n, values.x);
    store(m, n + 1u, values.y);
    store(m, n + 2u, values.z);
    store(m, n + 3u, values.w);
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) t: u32) {
    let blocks = THREADS / SLICES; // of a workgroup
    // Neighbouring threads read neighbouring words of b: along k in Nt, otherwise along n.
    let slice = select(t / blocks, t % SLICES, LAYOUT == NT);
    let block = select(t % blocks, t / SLICES, LAYOUT == NT);
    let across = (u.n + 3u) / 4u;
    let index = (wid.x + wid.y * groups.x) * blocks + block;
    let m = index / across * 4u; // past M in the last workgroup, too
    let n = index % across * 4u;

    var sum = mat4x4f(); // column i is row m+i
    for (var k = slice * 4u; k < u.k; k += 4u * SLICES) {
        sum += block_b(k, n) * block_a(m, k);
    }
    let ns = places(n, u.n);
    var first = 0u;
    var end = u.groups * u.rank;
    if LAYOUT == NT {
        first = group(ns).x * u.rank;
        end = (group(ns).w + 1u) * u.rank;
    }
    for (var j = first + slice; j < end; j += SLICES) {
        let row = row_q(j, ns);
        let column = column_p(m, j);
        sum += mat4x4f(row * column.x, row * column.y, row * column.z, row * column.w);
    }

    if SLICES > 1u {
        let mine = slice * blocks + block;
        partial[mine] = sum;
        workgroupBarrier();
        for (var half = SLICES / 2u; half > 0u; half /= 2u) {
            if slice < half { partial[mine] += partial[mine + half * blocks]; }
            workgroupBarrier();
        }
        sum = partial[mine];
    }
    if slice == 0u {
        store_row(m, n, sum[0]);
        store_row(m + 1u, n, sum[1]);
        store_row(m + 2u, n, sum[2]);
        store_row(m + 3u, n, sum[3]);
    }
}
