//! What every training loop shares.

pub mod schedule;
