//! Drift and knowledge: what is measured on an arm, as FINDINGS F1 and F4 define it.

pub mod borrowed;
pub mod loss;
pub mod recall;
pub mod shift;
