//! Trials of an adapter, and what they found: which back end to use, and which kernel for each kind of product.

mod choice;
mod found;
mod products;

pub use choice::{Choice, choose, rate};
pub use found::Found;
pub use products::step_products;
