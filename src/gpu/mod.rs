//! WebGPU through wgpu: the device, static plans of dispatches, and read-back.

mod device;
mod memory;
mod plan;

pub use device::{Gpu, Slice};
pub use memory::{Count, HEAD_BYTES, Memory};
pub use plan::{Plan, PlanBuilder};
