//! Every kernel against its CPU twin, on the GPU that wgpu finds (lavapipe where there is none).

#[macro_use]
mod common;

/// `each!(cases)`: what all files of kernels have there.
macro_rules! each {
    ($what:ident) => {
        [
            crate::accumulate::$what(),
            crate::adamw::$what(),
            crate::attention::$what(),
            crate::cross_entropy::$what(),
            crate::cross_entropy_chunk::$what(),
            crate::dora::$what(),
            crate::embedding::$what(),
            crate::fill::$what(),
            crate::grad_norm::$what(),
            crate::kl::$what(),
            crate::kv_cache::$what(),
            crate::lora::$what(),
            crate::matmul::$what(),
            crate::neftune::$what(),
            crate::pull::$what(),
            crate::rmsnorm::$what(),
            crate::rope::$what(),
            crate::select::$what(),
            crate::shift::$what(),
            crate::swiglu::$what(),
            crate::top_k::$what(),
            crate::unpack_f16::$what(),
        ]
        .into_iter()
        .flatten()
    };
}

mod accumulate;
mod adamw;
mod attention;
mod controls;
mod cross_entropy;
mod cross_entropy_chunk;
mod dora;
mod embedding;
mod fill;
mod grad_norm;
mod kl;
mod kv_cache;
mod lora;
mod matmul;
mod neftune;
mod property;
mod pull;
mod read_back;
#[cfg(target_os = "linux")]
mod registers;
mod rmsnorm;
mod rope;
mod select;
mod shaders;
mod shift;
mod swiglu;
mod top_k;
mod unpack_f16;
