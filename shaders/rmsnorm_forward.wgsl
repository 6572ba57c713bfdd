// y[n,c] = x[n,c] * rstd[n] * w[c],  rstd[n] = 1 / sqrt(mean_c x[n,c]^2 + eps)
// residual[n,c] = x[n,c]: the block behind the norm adds its output there, and x stays for the backward pass.
// x, y, residual (N,C); w (C); rstd (N), also kept for the backward pass. One thread per row n.

struct Uniforms {
    rows: u32,
    width: u32,
    eps: f32,
}

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read_write> rstd: array<f32>;
@group(0) @binding(5) var<storage, read_write> residual: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let n = gid.x + gid.y * groups.x * 64u;
    if n >= u.rows { return; }
    let row = n * u.width;
    var sum = 0.0;
    for (var c = 0u; c < u.width; c++) {
        sum += x[row + c] * x[row + c];
    }
    let r = inverseSqrt(sum / f32(u.width) + u.eps);
    rstd[n] = r;
    for (var c = 0u; c < u.width; c++) {
        let v = x[row + c];
        y[row + c] = v * r * w[c];
        residual[row + c] = v;
    }
}
