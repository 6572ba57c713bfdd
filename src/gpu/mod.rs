//! WebGPU through wgpu: the device, static plans of dispatches, and read-back.

mod device;
mod memory;
mod plan;
mod report;

pub use device::{Gpu, Slice, Traffic};
pub use memory::{Count, HEAD_BYTES, Memory};
pub use plan::{Plan, PlanBuilder, Timed, Work};
pub use report::PlanReport;
