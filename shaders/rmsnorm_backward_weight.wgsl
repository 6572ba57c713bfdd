// dw[c] = Σ_n dy[n,c] x[n,c] rstd[n]
// dy, x (N,C); rstd (N) from the forward pass; dw (C). SLICES threads share a column c.

override THREADS: u32 = 128u; // of a workgroup, at most 128
override SLICES: u32 = 32u; // threads that share a column: a power of two

struct Uniforms {
    rows: u32,
    width: u32,
    eps: f32,
}

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> rstd: array<f32>;
@group(0) @binding(4) var<storage, read_write> dw: array<f32>;

var<workgroup> partial: array<f32, 128>; // (SLICES, THREADS / SLICES)

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) t: u32) {
    let columns = THREADS / SLICES; // neighbouring threads read neighbouring columns
    let slice = t / columns;
    let index = (wid.x + wid.y * groups.x) * columns + t % columns;
    let c = min(index, u.width - 1u); // past the end the last column again, not stored
    var sum = 0.0;
    for (var n = slice; n < u.rows; n += SLICES) {
        sum += dy[n * u.width + c] * x[n * u.width + c] * rstd[n];
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
    if slice == 0u && index < u.width { dw[c] = sum; }
}
