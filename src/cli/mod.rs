//! The native command line.

pub mod pretrain;
