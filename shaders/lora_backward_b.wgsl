// db[n,r] = scale * Σ_m dy[m,n] * xa[m, g*R + r], g the group of n
// dy (M,N), xa (M,G*R), db (N,R). A thread owns 4 n's of one group, 4 r's and every SLICES-th m of their
// sums; the workgroup adds the slices. With one slice there is no barrier.

struct Uniforms {
    m: u32,
    n: u32,
    rank: u32,
    groups: u32,
    scale: f32,
    end_0: u32, // where each group of columns ends; the last ends with them
    end_1: u32,
}

override THREADS: u32 = 128u; // of a workgroup, at most 128
override SLICES: u32 = 32u; // a power of two

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> xa: array<f32>;
@group(0) @binding(3) var<storage, read_write> db: array<f32>;

var<workgroup> partial: array<mat4x4f, 128>; // (SLICES, THREADS / SLICES)

fn store(n: u32, end: u32, r: u32, value: f32) {
    if n < end && r < u.rank { db[n * u.rank + r] = u.scale * value; }
}

fn store_row(n: u32, end: u32, r: u32, values: vec4f) {
    store(n, end, r, values.x);
    store(n, end, r + 1u, values.y);
    store(n, end, r + 2u, values.z);
    store(n, end, r + 3u, values.w);
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) t: u32) {
    let across = THREADS / SLICES;
    let slice = t / across; // neighbouring threads read neighbouring columns of dy
    let r = wid.y * 4u;
    let g = wid.z;
    let bounds = vec4u(0u, u.end_0, u.end_1, u.n);
    let end = min(bounds[g + 1u], u.n);
    let n = bounds[g] + (wid.x * across + t % across) * 4u;
    let columns = min(vec4u(n, n + 1u, n + 2u, n + 3u), vec4u(end - 1u));
    let ranks = min(vec4u(r, r + 1u, r + 2u, r + 3u), vec4u(u.rank - 1u)) + g * u.rank;

    var sum = mat4x4f(); // column i is row n+i of db
    for (var m = slice; m < u.m; m += SLICES) {
        let first = ranks + m * u.groups * u.rank;
        let values = vec4f(xa[first.x], xa[first.y], xa[first.z], xa[first.w]);
        let at = columns + m * u.n;
        sum += mat4x4f(values * dy[at.x], values * dy[at.y], values * dy[at.z], values * dy[at.w]);
    }
    if SLICES > 1u {
        partial[t] = sum;
        workgroupBarrier();
        for (var half = SLICES / 2u; half > 0u; half /= 2u) {
            if slice < half { partial[t] += partial[t + half * across]; }
            workgroupBarrier();
        }
        sum = partial[t];
    }
    if slice == 0u {
        store_row(n, end, r, sum[0]);
        store_row(n + 1u, end, r, sum[1]);
        store_row(n + 2u, end, r, sum[2]);
        store_row(n + 3u, end, r, sum[3]);
    }
}
