// db[n,r] = scale * Σ_m dy[m,n] * xa[m, g(n)*R + r]
// dy (M,N), xa (M,G*R), db (N,R), g(n) the group of n. A thread owns one n and 4 r's, and every SLICES-th
// m of their sums; the workgroup adds the slices. With one slice there is no barrier.

struct Uniforms {
    m: u32,
    n: u32,
    rank: u32,
    groups: u32,
    scale: f32,
    end_0: u32, // where each group of columns ends
    end_1: u32,
    end_2: u32,
}

override THREADS: u32 = 256u; // of a workgroup, at most 256
override SLICES: u32 = 16u; // a power of two

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> xa: array<f32>;
@group(0) @binding(3) var<storage, read_write> db: array<f32>;

var<workgroup> partial: array<vec4f, 256>; // (SLICES, THREADS / SLICES)

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) t: u32) {
    let columns = THREADS / SLICES;
    let slice = t / columns; // neighbouring threads read neighbouring columns of dy
    let n_out = wid.x * columns + t % columns;
    let n = min(n_out, u.n - 1u);
    let r = wid.y * 4u;
    let last = u.rank - 1u;
    let first = (u32(n >= u.end_0) + u32(n >= u.end_1)) * u.rank;

    var sum = vec4f();
    for (var m = slice; m < u.m; m += SLICES) {
        let at = m * u.groups * u.rank + first;
        sum += dy[m * u.n + n] * vec4f(xa[at + r], xa[at + min(r + 1u, last)], xa[at + min(r + 2u, last)], xa[at + min(r + 3u, last)]);
    }
    if SLICES > 1u {
        partial[t] = sum;
        workgroupBarrier();
        for (var half = SLICES / 2u; half > 0u; half /= 2u) {
            if slice < half { partial[t] += partial[t + half * columns]; }
            workgroupBarrier();
        }
        sum = partial[t];
    }
    if slice == 0u && n_out < u.n {
        let at = n * u.rank;
        sum *= u.scale;
        db[at + r] = sum.x;
        if r + 1u < u.rank { db[at + r + 1u] = sum.y; }
        if r + 2u < u.rank { db[at + r + 2u] = sum.z; }
        if r + 3u < u.rank { db[at + r + 3u] = sum.w; }
    }
}
