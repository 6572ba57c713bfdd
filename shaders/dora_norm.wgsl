// norm[n] = || w[n,:] + scale * Σ_r b[n,r] a[g(n)*R + r,:] ||, 0 for a row n whose group g(n) is not adapted
// w (N,K), the stacked weight of G linear layers; a (G*R,K); b (N,R); norm (N). One thread per row n.

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
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read> a: array<f32>;
@group(0) @binding(3) var<storage, read> b: array<f32>;
@group(0) @binding(4) var<storage, read_write> norm: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let n = gid.x + gid.y * groups.x * 64u;
    if n >= u.n { return; }
    let group = u32(n >= u.end_0) + u32(n >= u.end_1);
    if ((u.adapted >> group) & 1u) == 0u {
        norm[n] = 0.0;
        return;
    }
    var squares = 0.0;
    for (var k = 0u; k < u.k; k++) {
        var low = 0.0;
        for (var r = 0u; r < u.rank; r++) {
            low += b[n * u.rank + r] * a[(group * u.rank + r) * u.k + k];
        }
        let value = w[n * u.k + k] + u.scale * low;
        squares += value * value;
    }
    norm[n] = sqrt(squares);
}
