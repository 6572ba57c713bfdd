//! Every kernel against its CPU twin, on the GPU that wgpu finds (lavapipe where there is none).

mod common;
mod lora;
mod matmul;
mod rmsnorm;
