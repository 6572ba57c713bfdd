//! What training needs beside a model: learning rates and the optimiser's numbers.

mod optimizer;
pub mod schedule;

pub use optimizer::Optimizer;
