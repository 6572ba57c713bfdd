// partials[p] = Σ grads[i]^2 over i = p, p + P, p + 2P, ...: a fixed order, so the norm is deterministic
// grads (len); partials (P). One thread per partial sum.

override partial_sums: u32; // P

struct Uniforms {
    len: u32,
}

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> grads: array<f32>;
@group(0) @binding(2) var<storage, read_write> partials: array<f32>;

// 0 past the end
fn square(i: u32) -> f32 {
    if i >= u.len { return 0.0; }
    return grads[i] * grads[i];
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
    if gid.x >= partial_sums { return; }
    var sum = 0.0;
    // Four a round: Mesa's llvmpipe ends all loops of a thread after 65,535 rounds in sum.
    for (var i = gid.x; i < u.len; i += 4u * partial_sums) {
        sum += square(i);
        sum += square(i + partial_sums);
        sum += square(i + 2u * partial_sums);
        sum += square(i + 3u * partial_sums);
    }
    partials[gid.x] = sum;
}
