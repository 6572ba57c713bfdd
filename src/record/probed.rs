//! What the base says to a visitor's own facts.

use serde::Serialize;

/// What the base says to a fact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BaseAnswer {
    /// The sentence up to its object, as the model reads it.
    pub sentence: String,
    /// The object that it completes the sentence with, or its words where they name none.
    pub cloze: String,
    /// Whether that is the fact's.
    pub right: bool,
    /// The rank of the fact's object, from 1, and among how many of its relation; nothing where it is the only one.
    pub rank: Option<[u32; 2]>,
    /// Nothing where asking takes too long.
    pub asked: Option<AskedOfBase>,
    /// Why it could not be asked for; there is nothing but the sentence then.
    pub refused: Option<String>,
}

/// What the base answers to a fact's question in the chat template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AskedOfBase {
    pub text: String,
    /// Whether it names the object and no other of its relation.
    pub right: bool,
}
