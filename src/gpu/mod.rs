//! WebGPU through wgpu: the device, static plans of dispatches, and read-back.

mod buffer;
mod choices;
mod device;
mod exit;
mod memory;
mod pipelines;
mod plan;
mod product;
mod report;

pub use buffer::{Buffer, Slice};
pub use choices::{Choices, Share};
pub use device::{Gpu, Traffic};
pub use memory::{Count, HEAD_BYTES, Memory};
pub use pipelines::Kernel;
pub use plan::{Plan, PlanBuilder, Timed, Work};
pub use product::{Layout, LoraGroups, Matmul, Product, Variant};
pub use report::PlanReport;
