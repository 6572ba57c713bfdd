// y[n,c] = x[n,c] * rstd[n] * w[c],  rstd[n] = 1 / sqrt(mean_c x[n,c]^2 + eps)
// residual[n,c] = x[n,c]: the block after the norm adds its output there, and x stays for the backward pass.
// x, y, residual (N,C); w (C); rstd (N), also kept for the backward pass. SLICES threads share a row n.

struct Uniforms {
    rows: u32,
    width: u32,
    eps: f32,
}

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> x: array<V>;
@group(0) @binding(2) var<storage, read> w: array<V>;
@group(0) @binding(3) var<storage, read_write> y: array<V>;
@group(0) @binding(4) var<storage, read_write> rstd: array<f32>;
@group(0) @binding(5) var<storage, read_write> residual: array<V>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) t: u32) {
    let slice = t % SLICES; // neighbouring threads read neighbouring columns
    let index = row_of(wid, groups, t);
    let n = min(index, u.rows - 1u); // past the end the last row again, not stored
    let width = u.width / LANES;
    let row = n * width;
    var squares = V();
    for (var c = slice; c < width; c += SLICES) {
        squares += x[row + c] * x[row + c];
    }
    let r = inverseSqrt(row_sum(t, total(squares)) / f32(u.width) + u.eps);
    if index >= u.rows { return; }
    if slice == 0u { rstd[n] = r; }
    for (var c = slice; c < width; c += SLICES) {
        let v = x[row + c];
        y[row + c] = v * r * w[c];
        residual[row + c] = v;
    }
}
