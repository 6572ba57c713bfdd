//! WebGPU through wgpu: the device, static plans of dispatches, and read-back.

mod device;
mod plan;
mod report;

pub use device::{Gpu, Slice, Traffic};
pub use plan::{Plan, PlanBuilder, Timed, Work};
pub use report::PlanReport;
