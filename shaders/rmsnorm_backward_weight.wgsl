// dw[c] = Σ_n dy[n,c] x[n,c] rstd[n]
// dy, x (N,C); rstd (N) from the forward pass; dw (C). One thread per column c.

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

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let c = gid.x + gid.y * groups.x * 64u;
    if c >= u.width { return; }
    var sum = 0.0;
    for (var n = 0u; n < u.rows; n++) {
        sum += dy[n * u.width + c] * x[n * u.width + c] * rstd[n];
    }
    dw[c] = sum;
}
