//! Every kernel against its CPU twin, on the GPU that wgpu finds (lavapipe where there is none).

mod accumulate;
mod adamw;
mod attention;
mod common;
mod controls;
mod cross_entropy;
mod cross_entropy_chunk;
mod dora;
mod embedding;
mod fill;
mod grad_norm;
mod kv_cache;
mod lora;
mod matmul;
mod neftune;
mod property;
mod pull;
mod read_back;
mod rmsnorm;
mod rope;
mod select;
mod shaders;
mod shift;
mod swiglu;
mod top_k;
mod unpack_f16;
