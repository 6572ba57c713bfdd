// y[m,n] = x[m,n] * magnitude[n] / norm[n], x itself where norm[n] is 0; added to y if `accumulate`
// x, y (M,N); magnitude, norm (N). The forward pass scales the output with it, the backward pass the
// output's gradient. One thread per element.

override accumulate: bool;

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
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> magnitude: array<f32>;
@group(0) @binding(3) var<storage, read> norm: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = index_of(gid, groups, 64u);
    if i >= u.m * u.n { return; }
    let n = i % u.n;
    var value = x[i];
    if norm[n] > 0.0 {
        value *= magnitude[n] / norm[n];
    }
    if accumulate {
        value += y[i];
    }
    y[i] = value;
}
