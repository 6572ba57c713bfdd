//! What a model is trained on and asked: facts, pre-training text, instruction sets, batches.

pub mod answer;
pub mod batch;
pub mod corpus;
pub mod facts;
pub mod feed;
pub mod instructions;
pub mod order;
pub mod phrases;
pub mod rows;
pub mod variants;
