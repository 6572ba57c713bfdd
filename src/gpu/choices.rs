//! What is chosen for an adapter: by its kind from the start, by trials later.

use std::collections::BTreeMap;

use super::memory::HEAD_BYTES;
use super::product::Variant;

/// How an operation's work is shared out to threads; [`Choices::share`] says which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// Little work for each of many threads, which share a row where it is summed: real GPUs.
    Threads,
    /// Whole rows, or tiles of 8 or more by 8, for each thread: software adapters, which pay for every word that a
    /// thread loads and for every barrier.
    Tiles,
}

impl Share {
    pub const ALL: [Self; 2] = [Self::Threads, Self::Tiles];
}

/// How the kernels run on an adapter.
#[derive(Clone, Debug)]
pub struct Choices {
    /// How the kernels other than products share out their work; from the start what suits the adapter.
    pub share: Share,
    /// The fastest variant for kinds of products ([`super::Matmul::kind`]); empty unless there was a trial.
    pub variants: BTreeMap<String, Variant>,
    /// Most bytes of logits that a loss holds at a time; wider ones are computed in chunks of the vocabulary.
    pub head_bytes: u64,
}

impl Default for Choices {
    fn default() -> Self {
        Self { share: Share::Threads, variants: BTreeMap::new(), head_bytes: HEAD_BYTES }
    }
}
