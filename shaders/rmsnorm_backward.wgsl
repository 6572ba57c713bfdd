// dx[n,c] (+)= rstd[n] * (dy[n,c] w[c] - x[n,c] rstd[n]^2 mean_c(dy[n,c] w[c] x[n,c]))
// dy, x, dx (N,C); w (C); rstd (N) from the forward pass. SLICES threads share a row n.

override accumulate: bool; // add to dx, or store

struct Uniforms {
    rows: u32,
    width: u32,
    eps: f32,
}

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> dy: array<V>;
@group(0) @binding(2) var<storage, read> x: array<V>;
@group(0) @binding(3) var<storage, read> w: array<V>;
@group(0) @binding(4) var<storage, read> rstd: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx: array<V>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) t: u32) {
    let slice = t % SLICES; // neighbouring threads read neighbouring columns
    let index = row_of(wid, groups, t);
    let n = min(index, u.rows - 1u); // past the end the last row again, not stored
    let width = u.width / LANES;
    let row = n * width;
    var products = V();
    for (var c = slice; c < width; c += SLICES) {
        products += dy[row + c] * w[c] * x[row + c];
    }
    let r = rstd[n];
    let mean = row_sum(t, total(products)) * r * r / f32(u.width);
    if index >= u.rows { return; }
    for (var c = slice; c < width; c += SLICES) {
        let d = r * (dy[row + c] * w[c] - x[row + c] * mean);
        if accumulate {
            dx[row + c] += d;
        } else {
            dx[row + c] = d;
        }
    }
}
