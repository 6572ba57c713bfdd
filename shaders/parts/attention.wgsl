// The shape of an attention: `kernels::Attention` documents the fields.
struct Uniforms {
    batch: u32,
    time: u32,
    heads: u32,
    kv_heads: u32,
    head_dim: u32,
    q_stride: u32,
    kv_stride: u32,
    k_offset: u32,
    v_offset: u32,
    kv_time: u32,
    scale: f32,
}

