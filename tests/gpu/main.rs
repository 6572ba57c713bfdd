//! Every kernel against its CPU twin, on the GPU that wgpu finds (lavapipe where there is none).

mod adamw;
mod attention;
mod common;
mod cross_entropy;
mod embedding;
mod grad_norm;
mod rmsnorm;
mod rope;
mod swiglu;
