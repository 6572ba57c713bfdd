//! AdamW (Loshchilov & Hutter, arXiv 1711.05101) as `torch.optim.AdamW` computes it.

use bytemuck::{Pod, Zeroable};

use super::{Step, by_lanes, grid, kernel};
use crate::gpu::{PlanBuilder, Slice};

kernel!(ADAMW, "adamw", 3, 3, "words", "step", "index");
kernel!(ADAMW_QUADS, "adamw", 3, 3, "quads", "step", "index");

/// Uniforms of `adamw.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct AdamW {
    /// Number of parameters.
    pub len: u32,
    /// Parameters below this index shrink by the weight decay; norms come after them.
    pub decayed: u32,
}

impl AdamW {
    /// One step with `g = grads * clip`; grads, params, m, v (len), step [`Step`], scalars (4) from
    /// [`super::FinishStep`].
    pub fn record(
        self,
        plan: &mut PlanBuilder,
        grads: &Slice,
        step: &Slice,
        scalars: &Slice,
        params: &Slice,
        m: &Slice,
        v: &Slice,
    ) {
        let (inputs, outputs) = ([grads, step, scalars], [params, m, v]);
        let (kernel, lanes) = by_lanes(&[self.len, self.decayed], &ADAMW, &ADAMW_QUADS);
        plan.dispatch(kernel, &[], &self, &inputs, &outputs, grid(self.len / lanes));
    }

    /// CPU twin of `adamw.wgsl`; `clip` is `scalars[0]`.
    pub fn record_cpu(
        self,
        grads: &[f32],
        step: &Step,
        clip: f32,
        params: &mut [f32],
        m: &mut [f32],
        v: &mut [f32],
    ) {
        for i in 0..self.len as usize {
            let g = grads[i] * clip;
            let mut p = params[i];
            if i < self.decayed as usize {
                p *= 1.0 - step.lr * step.weight_decay;
            }
            m[i] += (g - m[i]) * (1.0 - step.beta1);
            v[i] = v[i] * step.beta2 + g * g * (1.0 - step.beta2);
            let denominator = v[i].sqrt() / step.bias_correction2.sqrt() + step.eps;
            params[i] = p - step.lr / step.bias_correction1 * (m[i] / denominator);
        }
    }
}
