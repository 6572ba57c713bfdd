// out[r,c] = x[rows[r],c]
// x (N,C); rows (R); out (R,C). One thread per element of out.

struct Uniforms {
    rows: u32,
    width: u32,
}

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> rows: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = gid.x + gid.y * groups.x * 64u;
    if i >= u.rows * u.width { return; }
    out[i] = x[rows[i / u.width] * u.width + i % u.width];
}
