//! WebGPU through wgpu: the device, static plans of dispatches, and read-back.

mod device;
mod plan;

pub use device::{Gpu, Slice};
pub use plan::{Plan, PlanBuilder};
