// norm[n] = || w[n,:] + scale * Σ_r b[n,r] a[g(n)*R + r,:] ||, 0 for a row n whose group g(n) is not adapted
// w (N,K), the stacked weight of G linear layers; a (G*R,K); b (N,R); norm (N). One thread per row n.

const LANES = vec4u(0u, 1u, 2u, 3u);

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

override PACKED: bool = false; // w holds f16, two a word, otherwise f32

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> w: array<u32>;
@group(0) @binding(2) var<storage, read> a: array<f32>;
@group(0) @binding(3) var<storage, read> b: array<f32>;
@group(0) @binding(4) var<storage, read_write> norm: array<f32>;

// Value i of w.
fn value_w(i: u32) -> f32 {
    if PACKED {
        let two = unpack2x16float(w[i / 2u]);
        return select(two.x, two.y, i % 2u == 1u);
    }
    return bitcast<f32>(w[i]);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let n = index_of(gid, groups, 64u);
    if n >= u.n { return; }
    let group = u32(n >= u.end_0) + u32(n >= u.end_1);
    if ((u.adapted >> group) & 1u) == 0u {
        norm[n] = 0.0;
        return;
    }
    // Four columns at a time: llvmpipe ends a thread's loops after 65,535 rounds in all.
    var squares = 0.0;
    for (var k = 0u; k < u.k; k += 4u) {
        var low = vec4f();
        for (var r = 0u; r < u.rank; r++) {
            let at = (group * u.rank + r) * u.k + k;
            low += b[n * u.rank + r] * vec4f(a[at], a[at + 1u], a[at + 2u], a[at + 3u]);
        }
        let at = n * u.k + k;
        let sum = vec4f(value_w(at), value_w(at + 1u), value_w(at + 2u), value_w(at + 3u)) + u.scale * low;
        let value = select(vec4f(), sum, vec4u(k) + LANES < vec4u(u.k));
        squares += dot(value, value);
    }
    norm[n] = sqrt(squares);
}
