// grad_norm = sqrt(Σ partials),  loss = Σ_n nll[n] / targets that count,
// clip = min(1, max_norm / (grad_norm + 1e-6)), 1 when max_norm is 0
// partials (P) from sum_squares; nll (N); scalars (4): clip, grad_norm, loss, 0; metrics (ring,2): loss, grad_norm
// at slot step % ring. One workgroup in all.

override partial_sums: u32; // P
override THREADS: u32 = 128u; // a power of two, at most 128

struct Uniforms {
    rows: u32,
    ring: u32,
}

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> partials: array<f32>;
@group(0) @binding(2) var<storage, read> nll: array<f32>;
@group(0) @binding(3) var<storage, read> now: Step;
@group(0) @binding(4) var<storage, read_write> scalars: array<f32>;
@group(0) @binding(5) var<storage, read_write> metrics: array<f32>;

var<workgroup> partial: array<vec2f, 128>;

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) t: u32) {
    var sums = vec2f(); // of squares and of nll
    for (var p = t; p < partial_sums; p += THREADS) {
        sums.x += partials[p];
    }
    for (var n = t; n < u.rows; n += THREADS) {
        sums.y += nll[n];
    }
    if THREADS > 1u {
        partial[t] = sums;
        workgroupBarrier();
        for (var half = THREADS / 2u; half > 0u; half /= 2u) {
            if t < half { partial[t] += partial[t + half]; }
            workgroupBarrier();
        }
        sums = partial[0];
    }
    if t > 0u { return; }
    let grad_norm = sqrt(sums.x);
    let loss = sums.y * now.inv_targets;
    var clip = 1.0;
    if now.max_norm > 0.0 {
        clip = min(1.0, now.max_norm / (grad_norm + 1e-6));
    }
    scalars[0] = clip;
    scalars[1] = grad_norm;
    scalars[2] = loss;
    scalars[3] = 0.0;
    let slot = now.step % u.ring;
    metrics[2u * slot] = loss;
    metrics[2u * slot + 1u] = grad_norm;
}
