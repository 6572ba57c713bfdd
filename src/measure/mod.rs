//! Drift and knowledge: what is measured on an arm. Each file names the paper that its definition is from.

pub mod borrowed;
pub mod classes;
pub mod conversation;
pub mod diversity;
pub mod loss;
pub mod recall;
pub mod relations;
pub mod shift;
pub mod spectrum;
pub mod statistics;
pub mod weights;
