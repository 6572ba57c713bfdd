// What changes with every training step: `kernels::Step` documents the fields.
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

