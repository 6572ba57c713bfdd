//! Values that change every step. They lie in one small storage buffer, written before each submit, so
//! that the plan itself never changes.

use bytemuck::{Pod, Zeroable};

/// A training step as the shaders read it: bound as a read-only input `Step`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
pub struct Step {
    /// Learning rate.
    pub lr: f32,
    pub beta1: f32,
    pub beta2: f32,
    pub eps: f32,
    /// Decoupled: the weight shrinks by `lr * weight_decay` of itself.
    pub weight_decay: f32,
    /// `1 - beta1^t`, t = step + 1.
    pub bias_correction1: f32,
    /// `1 - beta2^t`.
    pub bias_correction2: f32,
    /// Gradients are scaled down to this norm; 0 leaves them as they are.
    pub max_norm: f32,
    /// 1 / number of targets in the batch that count.
    pub inv_targets: f32,
    /// Counted from 0; also the slot in the ring of metrics.
    pub step: u32,
    /// Which of the step's micro-batches this is, from 0; their gradients are added up.
    pub micro: u32,
    /// Key of the noise on the embeddings.
    pub noise: u32,
}

impl Step {
    /// Words of the storage buffer.
    pub const WORDS: usize = size_of::<Self>() / 4;

    /// Sets `step` and the bias corrections that belong to it.
    #[must_use]
    pub fn at(mut self, step: u32) -> Self {
        let t = f64::from(step) + 1.0;
        self.step = step;
        self.bias_correction1 = (1.0 - f64::from(self.beta1).powf(t)) as f32;
        self.bias_correction2 = (1.0 - f64::from(self.beta2).powf(t)) as f32;
        self
    }

    /// The words to upload.
    pub fn words(&self) -> &[u32] {
        bytemuck::cast_slice(std::slice::from_ref(self))
    }
}
