//! AdamW's constants, three regularisers, and the values of one step.

use crate::kernels::{Step, pcg};
use crate::record::{ArmSpec, Settings};
use crate::reference::adamw::AdamWConfig;

/// Decoupled AdamW (Loshchilov & Hutter, arXiv 1711.05101) with clipping of the global gradient norm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Optimizer {
    pub beta1: f32,
    pub beta2: f32,
    pub eps: f32,
    pub weight_decay: f32,
    /// 0 does not clip.
    pub max_norm: f32,
    /// Full tuning: each step goes back by `lr * pull` of the way from where training began (see
    /// [`crate::kernels::Pull`]); 0 does not.
    pub pull: f32,
    /// Noise on the embeddings (see [`crate::kernels::Neftune`]); 0 adds none.
    pub neftune: f32,
    /// Of the noise.
    pub seed: u32,
    /// The loss gains this times KL(base || tuned) over the whole vocabulary, in nats, in the mean over the response
    /// tokens; the base reads the same batch without noise. 0 does not.
    pub kl_to_base: f32,
}

impl Default for Optimizer {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            weight_decay: 0.0,
            max_norm: 1.0,
            pull: 0.0,
            neftune: 0.0,
            seed: 0,
            kl_to_base: 0.0,
        }
    }
}

impl Optimizer {
    /// For an arm of a run.
    pub fn of(arm: &ArmSpec, run: &Settings) -> Self {
        let held = arm.regularisers;
        Self {
            weight_decay: held.weight_decay,
            max_norm: run.clip,
            pull: held.pull,
            neftune: held.neftune,
            kl_to_base: held.kl_to_base,
            seed: run.seed,
            ..Self::default()
        }
    }

    /// As the CPU engine takes them.
    pub fn reference(&self) -> AdamWConfig {
        AdamWConfig {
            beta1: f64::from(self.beta1),
            beta2: f64::from(self.beta2),
            eps: f64::from(self.eps),
            weight_decay: f64::from(self.weight_decay),
            clip: f64::from(self.max_norm),
        }
    }

    /// The numbers of step `index` (from 0), micro-batch `micro`; `targets` response tokens in all.
    pub fn step(&self, index: u32, micro: u32, lr: f32, targets: usize) -> Step {
        // In f64: 0.999^t is too close to 1 for f32 in the first steps.
        let correction = |beta: f32| (1.0 - f64::from(beta).powi(index as i32 + 1)) as f32;
        Step {
            lr,
            beta1: self.beta1,
            beta2: self.beta2,
            eps: self.eps,
            weight_decay: self.weight_decay,
            bias_correction1: correction(self.beta1),
            bias_correction2: correction(self.beta2),
            max_norm: self.max_norm,
            inv_targets: 1.0 / targets.max(1) as f32,
            step: index,
            micro,
            noise: pcg(pcg(pcg(self.seed).wrapping_add(index)).wrapping_add(micro)),
        }
    }
}
