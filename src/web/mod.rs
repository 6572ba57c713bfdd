//! The browser's border: the worker's messages to the lab and back. Everything that can be tested natively
//! is elsewhere.

pub mod inbox;
mod machine;
pub mod protocol;
mod worker;

pub use worker::start;
