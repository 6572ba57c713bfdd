// dxa[m, g*R + r] = scale * Σ_{n in group g} dy[m,n] * b[n,r]
// dy (M,N), b (N,R), dxa (M,G*R). A thread owns one m, one g and 4 r's, and every SLICES-th n of their
// sums; the workgroup adds the slices. With one slice there is no barrier.

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
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> dxa: array<f32>;

var<workgroup> partial: array<vec4f, 256>; // (THREADS / SLICES, SLICES)

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) t: u32) {
    let slice = t % SLICES;
    let m_out = wid.x * (THREADS / SLICES) + t / SLICES;
    let m = min(m_out, u.m - 1u);
    let r = wid.y * 4u;
    let last = u.rank - 1u;
    let g = wid.z;
    let bounds = array(0u, u.end_0, u.end_1, u.end_2);
    let end = min(bounds[g + 1u], u.n);

    var sum = vec4f();
    for (var n = bounds[g] + slice; n < end; n += SLICES) {
        let at = n * u.rank;
        sum += dy[m * u.n + n] * vec4f(b[at + r], b[at + min(r + 1u, last)], b[at + min(r + 2u, last)], b[at + min(r + 3u, last)]);
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
    if slice == 0u && m_out < u.m {
        let at = m * u.groups * u.rank + g * u.rank;
        sum *= u.scale;
        dxa[at + r] = sum.x;
        if r + 1u < u.rank { dxa[at + r + 1u] = sum.y; }
        if r + 2u < u.rank { dxa[at + r + 2u] = sum.z; }
        if r + 3u < u.rank { dxa[at + r + 3u] = sum.w; }
    }
}
