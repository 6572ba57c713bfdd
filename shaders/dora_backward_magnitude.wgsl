// dmagnitude[n] = Σ_m dy[m,n] x[m,n] / norm[n], 0 where norm[n] is 0
// dy, x (M,N): the gradient of dora_scale's output, and its input; norm, dmagnitude (N). The norm counts as a
// constant. One thread per column n.

struct Uniforms {
    m: u32,
    n: u32,
    k: u32,
    rank: u32,
    scale: f32,
    end_0: u32,
    end_1: u32,
    adapted: u32,
}

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> norm: array<f32>;
@group(0) @binding(4) var<storage, read_write> dmagnitude: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let n = index_of(gid, groups, 64u);
    if n >= u.n { return; }
    if norm[n] == 0.0 {
        dmagnitude[n] = 0.0;
        return;
    }
    var sum = 0.0;
    for (var m = 0u; m < u.m; m++) {
        sum += dy[m * u.n + n] * x[m * u.n + n];
    }
    dmagnitude[n] = sum / norm[n];
}
