//! Buffers, and the tensors in them.

use std::ops::Deref;
use std::rc::Rc;

/// Tensors start at multiples of this many bytes, so that each can be bound by itself
/// (WebGPU's `minStorageBufferOffsetAlignment`).
pub const ALIGNMENT: u64 = 256;

/// A buffer, which is destroyed with its last clone. In a browser wgpu leaves a dropped one to the garbage collector,
/// which does not know how much device memory it holds. Whatever uses a buffer, bind groups included, keeps a clone.
#[derive(Clone, Debug)]
pub struct Buffer(Rc<Owned>);

#[derive(Debug)]
struct Owned(wgpu::Buffer);

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.destroy(); // once what was submitted is done with it
    }
}

impl Buffer {
    /// Whether both are clones of the same buffer.
    pub fn is(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl From<wgpu::Buffer> for Buffer {
    fn from(buffer: wgpu::Buffer) -> Self {
        Self(Rc::new(Owned(buffer)))
    }
}

impl Deref for Buffer {
    type Target = wgpu::Buffer;

    fn deref(&self) -> &wgpu::Buffer {
        &self.0.0
    }
}

/// A range of a buffer: one tensor, or several in sequence.
#[derive(Clone, Debug)]
pub struct Slice {
    pub buffer: Buffer,
    /// Bytes, a multiple of [`ALIGNMENT`].
    pub offset: u64,
    /// Bytes.
    pub size: u64,
}

impl Slice {
    /// Number of 4-byte words.
    pub fn words(&self) -> usize {
        (self.size / 4) as usize
    }

    /// `words` words from word `start` of this slice on.
    pub fn sub(&self, start: usize, words: usize) -> Self {
        Self { buffer: self.buffer.clone(), offset: self.offset + start as u64 * 4, size: words as u64 * 4 }
    }

    pub(crate) fn binding(&self) -> wgpu::BindingResource<'_> {
        wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: &self.buffer,
            offset: self.offset,
            size: wgpu::BufferSize::new(self.size),
        })
    }
}
