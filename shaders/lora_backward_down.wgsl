// dxa[m, g*R + r] = scale * Σ_{n in group g} dy[m,n] * b[n,r]
// dy (M,N), b (N,R), dxa (M,G*R). A thread owns 4 m's, 4 r's of one group and every SLICES-th n of their
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
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> dxa: array<f32>;

var<workgroup> partial: array<mat4x4f, 128>; // (THREADS / SLICES, SLICES)

fn row(m: u32) -> u32 { return min(m, u.m - 1u) * u.n; }

fn store(m: u32, g: u32, r: u32, value: f32) {
    if m < u.m && r < u.rank { dxa[(m * u.groups + g) * u.rank + r] = u.scale * value; }
}

fn store_row(m: u32, g: u32, r: u32, values: vec4f) {
    store(m, g, r, values.x);
    store(m, g, r + 1u, values.y);
    store(m, g, r + 2u, values.z);
    store(m, g, r + 3u, values.w);
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) t: u32) {
    let slice = t % SLICES; // neighbouring threads read neighbouring columns of dy
    let m = (wid.x * (THREADS / SLICES) + t / SLICES) * 4u;
    let r = wid.y * 4u;
    let g = wid.z;
    let bounds = vec4u(0u, u.end_0, u.end_1, u.n);
    let rows = vec4u(row(m), row(m + 1u), row(m + 2u), row(m + 3u));
    let columns = min(vec4u(r, r + 1u, r + 2u, r + 3u), vec4u(u.rank - 1u));

    var sum = mat4x4f(); // column i is row m+i
    for (var n = bounds[g] + slice; n < min(bounds[g + 1u], u.n); n += SLICES) {
        let first = columns + n * u.rank;
        let values = vec4f(b[first.x], b[first.y], b[first.z], b[first.w]);
        sum += mat4x4f(
            values * dy[rows.x + n],
            values * dy[rows.y + n],
            values * dy[rows.z + n],
            values * dy[rows.w + n],
        );
    }
    if SLICES > 1u {
        partial[t] = sum;
        workgroupBarrier();
        for (var half = SLICES / 2u; half > 0u; half /= 2u) {
            if slice < half { partial[t] += partial[t + half]; }
            workgroupBarrier();
        }
        sum = partial[t];
    }
    if slice == 0u {
        store_row(m, g, r, sum[0]);
        store_row(m + 1u, g, r, sum[1]);
        store_row(m + 2u, g, r, sum[2]);
        store_row(m + 3u, g, r, sum[3]);
    }
}
