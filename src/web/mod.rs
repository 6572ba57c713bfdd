//! The browser's border: the worker's messages to the session and back. Everything that can be tested natively is
//! elsewhere.

mod blob;
mod border;
mod machine;
mod requests;
mod worker;

pub use worker::start;
