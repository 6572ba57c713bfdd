//! Which model is loaded, and how it is held.

use serde::{Deserialize, Serialize};

use super::protocol::Blobs;

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Load {
    pub backend: BackendChoice,
    pub model: ModelFiles,
    /// How the base's matrices are held.
    #[serde(default)]
    pub weights: HeldAs,
    /// Whether arms keep no activations but each layer's input, and compute the others twice.
    #[serde(default)]
    pub checkpoint: bool,
    /// facts.jsonl.
    pub facts: String,
    /// The last [`Message::Found`] on this machine.
    #[serde(default)]
    pub found: Option<String>,
    #[serde(default)]
    pub blobs: Blobs,
}

/// The files of a model.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ModelFiles {
    /// What it is called on the page.
    pub name: String,
    /// The files' names, in the order of the command's `blobs`: a Hugging Face folder's, or one that ends with .gguf, with a
    /// tokenizer beside it where its own is not to be used.
    pub files: Vec<String>,
    /// How many layers are kept, from the first on; all of them if not given.
    #[serde(default)]
    pub layers: Option<u32>,
}

/// How the matrices of a base are held on the GPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum HeldAs {
    #[default]
    F32,
    F16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum BackendChoice {
    /// What `engine::choose` expects to be the fastest.
    Auto,
    Webgpu,
    Cpu,
}
