//! What the base model knows and what it is tuned on: facts, instruction sets, pre-training text.

pub mod answer;
pub mod corpus;
pub mod facts;
pub mod instructions;
pub mod phrases;
