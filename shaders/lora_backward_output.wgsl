// What LoRA takes from dy, the gradient of a stack's output:
// dxa[m, g*R + r] = scale * Σ_{n in group g} dy[m,n] * b[n,r]       workgroups below `down`
// db[n,r]         = scale * Σ_m dy[m,n] * xa[m, g*R + r], g the group of n      the others
// dy (M,N), b, db (N,R), xa, dxa (M,G*R). A thread owns 4 m's (dxa) or 4 n's (db), 4 r's of one group and
// every SLICES-th term of their sums; the workgroup adds the slices.

struct Uniforms {
    m: u32,
    n: u32,
    rank: u32,
    groups: u32,
    scale: f32,
    end_0: u32, // where each group of columns ends; the last ends with them
    end_1: u32,
    down: u32,
}

const THREADS = 128u; // of a workgroup
const SLICES = 32u; // a power of two

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> xa: array<f32>;
@group(0) @binding(4) var<storage, read_write> dxa: array<f32>;
@group(0) @binding(5) var<storage, read_write> db: array<f32>;

var<workgroup> partial: array<mat4x4f, 128>; // dxa: (THREADS / SLICES, SLICES), db: (SLICES, THREADS / SLICES)

fn row(m: u32) -> u32 { return min(m, u.m - 1u) * u.n; }

fn store_dxa(m: u32, g: u32, r: u32, values: vec4f) {
    if m >= u.m { return; }
    let at = (m * u.groups + g) * u.rank + r;
    for (var e = 0u; e < min(4u, u.rank - r); e++) { dxa[at + e] = u.scale * values[e]; }
}

fn store_db(n: u32, end: u32, r: u32, values: vec4f) {
    if n >= end { return; }
    let at = n * u.rank + r;
    for (var e = 0u; e < min(4u, u.rank - r); e++) { db[at + e] = u.scale * values[e]; }
}

// The slices' sum, `stride` apart in workgroup memory, in the threads of slice 0.
fn add_slices(t: u32, slice: u32, stride: u32, sum: mat4x4f) -> mat4x4f {
    partial[t] = sum;
    workgroupBarrier();
    for (var half = SLICES / 2u; half > 0u; half /= 2u) {
        if slice < half { partial[t] += partial[t + half * stride]; }
        workgroupBarrier();
    }
    return partial[t];
}

fn down(group: u32, t: u32, r: u32, g: u32, first: u32, end: u32) {
    let slice = t % SLICES; // neighbouring threads read neighbouring columns of dy
    let m = (group * (THREADS / SLICES) + t / SLICES) * 4u;
    let rows = vec4u(row(m), row(m + 1u), row(m + 2u), row(m + 3u));
    let ranks = min(vec4u(r, r + 1u, r + 2u, r + 3u), vec4u(u.rank - 1u));
    var sum = mat4x4f(); // column i is row m+i
    for (var n = first + slice; n < end; n += SLICES) {
        let at = ranks + n * u.rank;
        let values = vec4f(b[at.x], b[at.y], b[at.z], b[at.w]);
        sum += mat4x4f(
            values * dy[rows.x + n],
            values * dy[rows.y + n],
            values * dy[rows.z + n],
            values * dy[rows.w + n],
        );
    }
    sum = add_slices(t, slice, 1u, sum);
    if slice == 0u {
        for (var i = 0u; i < 4u; i++) { store_dxa(m + i, g, r, sum[i]); }
    }
}

fn up(group: u32, t: u32, r: u32, g: u32, first: u32, end: u32) {
    let across = THREADS / SLICES;
    let slice = t / across; // neighbouring threads read neighbouring columns of dy
    let n = first + (group * across + t % across) * 4u;
    let columns = min(vec4u(n, n + 1u, n + 2u, n + 3u), vec4u(end - 1u));
    let ranks = min(vec4u(r, r + 1u, r + 2u, r + 3u), vec4u(u.rank - 1u)) + g * u.rank;
    var sum = mat4x4f(); // column i is row n+i of db
    for (var m = slice; m < u.m; m += SLICES) {
        let at = ranks + m * u.groups * u.rank;
        let values = vec4f(xa[at.x], xa[at.y], xa[at.z], xa[at.w]);
        let first_dy = columns + m * u.n;
        sum += mat4x4f(values * dy[first_dy.x], values * dy[first_dy.y], values * dy[first_dy.z], values * dy[first_dy.w]);
    }
    sum = add_slices(t, slice, across, sum);
    if slice == 0u {
        for (var i = 0u; i < 4u; i++) { store_db(n + i, end, r, sum[i]); }
    }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) t: u32) {
    let r = wid.y * 4u;
    let g = wid.z;
    let bounds = vec4u(0u, u.end_0, u.end_1, u.n);
    let end = min(bounds[g + 1u], u.n);
    if wid.x < u.down {
        down(wid.x, t, r, g, bounds[g], end);
    } else {
        up(wid.x - u.down, t, r, g, bounds[g], end);
    }
}
