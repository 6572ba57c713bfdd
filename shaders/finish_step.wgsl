// grad_norm = sqrt(Σ partials),  loss = Σ_n nll[n] / targets that count,
// clip = min(1, max_norm / (grad_norm + 1e-6)), 1 when max_norm is 0
// partials (P) from sum_squares; nll (N); scalars (4): clip, grad_norm, loss, 0; metrics (ring,2): loss, grad_norm
// at slot step % ring. One thread in all.

override partial_sums: u32; // P

struct Uniforms {
    rows: u32,
    ring: u32,
}

struct Step {
    lr: f32,
    beta1: f32,
    beta2: f32,
    eps: f32,
    weight_decay: f32,
    bias_correction1: f32,
    bias_correction2: f32,
    max_norm: f32,
    inv_targets: f32,
    step: u32,
    micro: u32,
    noise: u32,
}

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> partials: array<f32>;
@group(0) @binding(2) var<storage, read> nll: array<f32>;
@group(0) @binding(3) var<storage, read> now: Step;
@group(0) @binding(4) var<storage, read_write> scalars: array<f32>;
@group(0) @binding(5) var<storage, read_write> metrics: array<f32>;

@compute @workgroup_size(1)
fn main() {
    var squares = 0.0;
    for (var p = 0u; p < partial_sums; p++) {
        squares += partials[p];
    }
    let grad_norm = sqrt(squares);
    var total = 0.0;
    for (var n = 0u; n < u.rows; n++) {
        total += nll[n];
    }
    let loss = total * now.inv_targets;
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
