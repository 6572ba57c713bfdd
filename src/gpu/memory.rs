//! Who hands out buffers: the GPU, or a count of what it would hand out. Both go through the same
//! constructors, so that a plan of the memory cannot get out of step with what is allocated.

use std::cell::RefCell;

use super::buffer::{ALIGNMENT, Slice};
use super::device::Gpu;
use crate::error::Result;

/// Most bytes of logits that a loss holds at a time unless [`Gpu::head_bytes`] says otherwise.
pub const HEAD_BYTES: u64 = 32 << 20;

/// Bytes that a buffer of `words` words takes.
pub fn allocation(words: usize) -> u64 {
    (words as u64 * 4).next_multiple_of(ALIGNMENT).max(ALIGNMENT)
}

/// A source of zeroed buffers.
pub trait Memory {
    type Buffer: Clone;

    /// A buffer of `words` 4-byte words.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`] when it is larger than the adapter allows.
    fn buffer(&self, label: &'static str, words: usize) -> Result<Self::Buffer>;

    /// Most words of logits that a loss may hold at a time.
    fn head_words(&self) -> usize;
}

impl Memory for Gpu {
    type Buffer = Slice;

    fn buffer(&self, label: &'static str, words: usize) -> Result<Slice> {
        Gpu::buffer(self, label, words)
    }

    fn head_words(&self) -> usize {
        (self.choices().head_bytes / 4) as usize
    }
}

/// Allocates nothing and remembers what was asked for.
pub struct Count {
    pub head_bytes: u64,
    asked: RefCell<Vec<(&'static str, u64)>>,
}

impl Count {
    pub fn new(head_bytes: u64) -> Self {
        Self { head_bytes, asked: RefCell::default() }
    }

    /// All buffers so far.
    pub fn bytes(&self) -> u64 {
        self.asked.borrow().iter().map(|(_, bytes)| bytes).sum()
    }

    /// The buffers of this name.
    pub fn bytes_of(&self, label: &str) -> u64 {
        self.asked.borrow().iter().filter(|(name, _)| *name == label).map(|(_, bytes)| bytes).sum()
    }

    /// The largest buffer so far, of equal ones the first.
    pub fn largest(&self) -> (&'static str, u64) {
        self.asked.borrow().iter().rev().copied().max_by_key(|(_, bytes)| *bytes).unwrap_or_default()
    }
}

impl Memory for Count {
    type Buffer = ();

    fn buffer(&self, label: &'static str, words: usize) -> Result<()> {
        self.asked.borrow_mut().push((label, allocation(words)));
        Ok(())
    }

    fn head_words(&self) -> usize {
        (self.head_bytes / 4) as usize
    }
}
