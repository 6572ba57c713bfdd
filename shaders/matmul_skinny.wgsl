// out = A·B + E, or += with ACCUMULATE, on any shape; layouts and E as in matmul_register.wgsl.
// A thread owns 4 rows of one column n and every SLICES-th k of their sums; the workgroup adds the slices.
// For small or skinny products (decoding, LoRA), where K is the only long dimension to share out, and with
// one slice, which needs no barrier, for odd shapes on software adapters.

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
const ROWS = 4u;

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<u32>;
@group(0) @binding(3) var<storage, read> p: array<f32>;
@group(0) @binding(4) var<storage, read> q: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

var<workgroup> partial: array<vec4f, 256>; // (SLICES, THREADS / SLICES)

fn row(m: u32) -> u32 { return min(m, u.m - 1u); }

// A[m..m+4, k]
fn column_a(m: u32, k: u32) -> vec4f {
    if LAYOUT == TN {
        let at = k * u.m;
        return vec4f(a[at + row(m)], a[at + row(m + 1u)], a[at + row(m + 2u)], a[at + row(m + 3u)]);
    }
    return vec4f(
        a[row(m) * u.k + k],
        a[row(m + 1u) * u.k + k],
        a[row(m + 2u) * u.k + k],
        a[row(m + 3u) * u.k + k],
    );
}

// Value i of b.
fn value_b(i: u32) -> f32 {
    if PACKED {
        let two = unpack2x16float(b[i / 2u]);
        return select(two.x, two.y, i % 2u == 1u);
    }
    return bitcast<f32>(b[i]);
}

fn element_b(k: u32, n: u32) -> f32 {
    if LAYOUT == NT { return value_b(n * u.k + k); }
    return value_b(k * u.n + n);
}

fn group(n: u32) -> u32 { return u32(n >= u.end_0) + u32(n >= u.end_1); }

// p[m..m+4, j]
fn column_p(m: u32, j: u32) -> vec4f {
    let w = u.groups * u.rank;
    return vec4f(p[row(m) * w + j], p[row(m + 1u) * w + j], p[row(m + 2u) * w + j], p[row(m + 3u) * w + j]);
}

fn store(m: u32, n: u32, value: f32) {
    if m < u.m && n < u.n {
        let at = m * u.n + n;
        if ACCUMULATE { out[at] += value; } else { out[at] = value; }
    }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) t: u32) {
    let columns = THREADS / SLICES;
    // Neighbouring threads read neighbouring words of b: along k in Nt, otherwise along n.
    let slice = select(t / columns, t % SLICES, LAYOUT == NT);
    let column = select(t % columns, t / SLICES, LAYOUT == NT);
    let n_out = wid.x * columns + column;
    let n = min(n_out, u.n - 1u);
    let m = (wid.y + wid.z * groups.y) * ROWS;

    var sum = vec4f();
    for (var k = slice; k < u.k; k += SLICES) {
        sum += column_a(m, k) * element_b(k, n);
    }
    if LAYOUT == NT {
        for (var r = slice; r < u.rank; r += SLICES) {
            sum += column_p(m, group(n) * u.rank + r) * (u.scale * q[n * u.rank + r]);
        }
    } else {
        for (var j = slice; j < u.groups * u.rank; j += SLICES) {
            sum += column_p(m, j) * (u.scale * q[j * u.n + n]);
        }
    }

    if SLICES > 1u {
        let mine = slice * columns + column;
        partial[mine] = sum;
        workgroupBarrier();
        for (var half = SLICES / 2u; half > 0u; half /= 2u) {
            if slice < half { partial[mine] += partial[mine + half * columns]; }
            workgroupBarrier();
        }
        sum = partial[mine];
    }
    if slice == 0u {
        store(m, n_out, sum.x);
        store(m + 1u, n_out, sum.y);
        store(m + 2u, n_out, sum.z);
        store(m + 3u, n_out, sum.w);
    }
}
