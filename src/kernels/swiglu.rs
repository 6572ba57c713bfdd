//! SwiGLU (Shazeer, arXiv 2002.05202) over fused gate and up projections.

use bytemuck::{Pod, Zeroable};

use super::{grid, kernel};
use crate::gpu::{PlanBuilder, Slice};

kernel!(SWIGLU_FORWARD, "swiglu_forward", 1, 1);
kernel!(SWIGLU_BACKWARD, "swiglu_backward", 2, 1);

/// Uniforms of the SwiGLU kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct SwiGlu {
    /// N, number of rows.
    pub rows: u32,
    /// F, width of the gate.
    pub width: u32,
}

impl SwiGlu {
    /// `h = gate * sigmoid(gate) * up`; gate_up (N,2F) with the gate first, h (N,F).
    pub fn forward(self, plan: &mut PlanBuilder, gate_up: &Slice, h: &Slice) {
        plan.dispatch(&SWIGLU_FORWARD, &[], &self, &[gate_up], &[h], grid(self.rows * self.width));
    }

    /// CPU twin of `swiglu_forward.wgsl`: h.
    pub fn forward_cpu(self, gate_up: &[f32]) -> Vec<f32> {
        let width = self.width as usize;
        let mut h = Vec::with_capacity(gate_up.len() / 2);
        for row in gate_up.chunks_exact(2 * width) {
            let (gate, up) = row.split_at(width);
            h.extend(gate.iter().zip(up).map(|(g, u)| g * sigmoid(*g) * u));
        }
        h
    }

    /// `dgate = dh * up * s * (1 + gate * (1 - s))`, `dup = dh * gate * s` with `s = sigmoid(gate)`;
    /// gate_up, dgate_up (N,2F), dh (N,F).
    pub fn backward(self, plan: &mut PlanBuilder, gate_up: &Slice, dh: &Slice, dgate_up: &Slice) {
        let threads = self.rows * self.width;
        plan.dispatch(&SWIGLU_BACKWARD, &[], &self, &[gate_up, dh], &[dgate_up], grid(threads));
    }

    /// CPU twin of `swiglu_backward.wgsl`: dgate_up.
    pub fn backward_cpu(self, gate_up: &[f32], dh: &[f32]) -> Vec<f32> {
        let width = self.width as usize;
        let mut dgate_up = vec![0.0; gate_up.len()];
        for n in 0..self.rows as usize {
            for c in 0..width {
                let at = n * 2 * width + c;
                let (gate, up, d) = (gate_up[at], gate_up[at + width], dh[n * width + c]);
                let s = sigmoid(gate);
                dgate_up[at] = d * up * s * (1.0 + gate * (1.0 - s));
                dgate_up[at + width] = d * gate * s;
            }
        }
        dgate_up
    }
}

/// The bound keeps exp finite: WGSL leaves infinities undefined.
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x.max(-80.0)).exp())
}
