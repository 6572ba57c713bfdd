// What LoRA takes from dy, the gradient of a stack's output:
// dxa[m, g*R + r] = scale * Σ_{n in group g} dy[m,n] * b[n,r]       workgroups below `down`
// db[n,r]         = scale * Σ_m dy[m,n] * xa[m, g*R + r], g the group of n      the others
// dy (M,N), b, db (N,R), xa, dxa (M,G*R). A thread owns 4 m's (dxa) or 4 n's (db), 4 r's of one group and every
// SLICES-th four terms of their sums; the workgroup adds the slices. Whole quads are loaded at once where N, R and the
// groups' ends are multiples of 4.

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
@group(0) @binding(1) var<storage, read> dy: array<V>;
@group(0) @binding(2) var<storage, read> b: array<V>;
@group(0) @binding(3) var<storage, read> xa: array<V>;
@group(0) @binding(4) var<storage, read_write> dxa: array<f32>;
@group(0) @binding(5) var<storage, read_write> db: array<f32>;

var<workgroup> partial: array<mat4x4f, 128>; // dxa: (THREADS / SLICES, SLICES), db: (SLICES, THREADS / SLICES)

// Four places from `first` on, those past the last being the last again.
fn places(first: u32, end: u32) -> vec4u {
    return min(vec4u(first, first + 1u, first + 2u, first + 3u), vec4u(end - 1u));
}

fn four_dy(m: u32, ns: vec4u) -> vec4f {
    let i = (ns + m * u.n) / LANES;
    return four_of(dy[i.x], dy[i.y], dy[i.z], dy[i.w]);
}

fn four_b(n: u32, rs: vec4u) -> vec4f {
    let i = (rs + n * u.rank) / LANES;
    return four_of(b[i.x], b[i.y], b[i.z], b[i.w]);
}

fn four_xa(m: u32, rs: vec4u) -> vec4f {
    let i = (rs + m * u.groups * u.rank) / LANES;
    return four_of(xa[i.x], xa[i.y], xa[i.z], xa[i.w]);
}

// dy[ms, ns], a column for each m.
fn block_dy(ms: vec4u, ns: vec4u) -> mat4x4f {
    return mat4x4f(four_dy(ms.x, ns), four_dy(ms.y, ns), four_dy(ms.z, ns), four_dy(ms.w, ns));
}

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

// 1 for each of four terms that is there, 0 past the last.
fn is_there(first: u32, end: u32) -> vec4f {
    return vec4f(vec4u(first, first + 1u, first + 2u, first + 3u) < vec4u(end));
}

fn down(group: u32, t: u32, r: u32, g: u32, first: u32, end: u32) {
    let slice = t % SLICES; // neighbouring threads read neighbouring columns of dy
    let m = (group * (THREADS / SLICES) + t / SLICES) * 4u;
    let ms = places(m, u.m);
    let rs = places(r, u.rank);
    var sum = mat4x4f(); // column i is row m+i
    for (var n = first + slice * 4u; n < end; n += 4u * SLICES) {
        let ns = places(n, end);
        let there = is_there(n, end);
        sum += mat4x4f(
            four_b(ns.x, rs) * there.x,
            four_b(ns.y, rs) * there.y,
            four_b(ns.z, rs) * there.z,
            four_b(ns.w, rs) * there.w,
        ) * block_dy(ms, ns);
    }
    sum = add_slices(t, slice, 1u, sum);
    if slice == 0u {
        store_dxa(m, g, r, sum[0]);
        store_dxa(m + 1u, g, r, sum[1]);
        store_dxa(m + 2u, g, r, sum[2]);
        store_dxa(m + 3u, g, r, sum[3]);
    }
}

fn up(group: u32, t: u32, r: u32, g: u32, first: u32, end: u32) {
    let across = THREADS / SLICES;
    let slice = t / across; // neighbouring threads read neighbouring columns of dy
    let n = first + (group * across + t % across) * 4u;
    let ns = places(n, end);
    let rs = places(r, u.rank) + g * u.rank;
    var sum = mat4x4f(); // column i is row n+i of db
    for (var m = slice * 4u; m < u.m; m += 4u * SLICES) {
        let ms = places(m, u.m);
        let there = is_there(m, u.m);
        sum += mat4x4f(
            four_xa(ms.x, rs) * there.x,
            four_xa(ms.y, rs) * there.y,
            four_xa(ms.z, rs) * there.z,
            four_xa(ms.w, rs) * there.w,
        ) * transpose(block_dy(ms, ns));
    }
    sum = add_slices(t, slice, across, sum);
    if slice == 0u {
        store_db(n, end, r, sum[0]);
        store_db(n + 1u, end, r, sum[1]);
        store_db(n + 2u, end, r, sum[2]);
        store_db(n + 3u, end, r, sum[3]);
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
