//! The native command line.

pub mod model;
pub mod pretrain;
pub mod run;
