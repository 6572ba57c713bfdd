// dx[n,c] (+)= rstd[n] * (dy[n,c] w[c] - x[n,c] rstd[n]^2 mean_c(dy[n,c] w[c] x[n,c]))
// dy, x, dx (N,C); w (C); rstd (N) from the forward pass. One thread per row n.

override accumulate: bool; // add to dx, or store

struct Uniforms {
    rows: u32,
    width: u32,
    eps: f32,
}

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> w: array<f32>;
@group(0) @binding(4) var<storage, read> rstd: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let n = gid.x + gid.y * groups.x * 64u;
    if n >= u.rows { return; }
    let row = n * u.width;
    var dot = 0.0;
    for (var c = 0u; c < u.width; c++) {
        dot += dy[row + c] * w[c] * x[row + c];
    }
    let r = rstd[n];
    let mean = dot * r * r / f32(u.width);
    for (var c = 0u; c < u.width; c++) {
        let d = r * (dy[row + c] * w[c] - x[row + c] * mean);
        if accumulate {
            dx[row + c] += d;
        } else {
            dx[row + c] = d;
        }
    }
}
