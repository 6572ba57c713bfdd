//! SwiGLU (Shazeer, arXiv 2002.05202) over fused gate and up projections.

use bytemuck::{Pod, Zeroable};

use super::{Layout, Matmul, Slices, by_lanes, grid, kernel};
use crate::gpu::{PlanBuilder, Slice};

kernel!(SWIGLU_FORWARD, "swiglu_forward", 1, 1, "words", "index");
kernel!(SWIGLU_FORWARD_QUADS, "swiglu_forward", 1, 1, "quads", "index");
kernel!(SWIGLU_BACKWARD, "swiglu_backward", 2, 1, "words", "index");
kernel!(SWIGLU_BACKWARD_QUADS, "swiglu_backward", 2, 1, "quads", "index");
kernel!(SWIGLU_LORA_FORWARD, "swiglu_lora_forward", 2, 2, "words");
kernel!(SWIGLU_LORA_FORWARD_QUADS, "swiglu_lora_forward", 2, 2, "quads");

/// Uniforms of the SwiGLU kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct SwiGlu {
    /// N, number of rows.
    pub rows: u32,
    /// F, width of the gate.
    pub width: u32,
}

/// Uniforms of SwiGLU with LoRA's first product.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct SwiGluLora {
    pub rows: u32,
    pub width: u32,
    /// R.
    pub rank: u32,
}

impl SwiGluLora {
    /// The largest rank that is worth it.
    pub const MOST: u32 = 16;
}

impl SwiGlu {
    /// `h = gate * sigmoid(gate) * up`; gate_up (N,2F) with the gate first, h (N,F).
    pub fn forward(self, plan: &mut PlanBuilder, gate_up: &Slice, h: &Slice) {
        let (kernel, lanes) = by_lanes(&[self.width], &SWIGLU_FORWARD, &SWIGLU_FORWARD_QUADS);
        let threads = self.rows * self.width / lanes;
        plan.dispatch(kernel, &[], &self, &[gate_up], &[h], grid(threads));
    }

    /// [`Self::forward`], and `xa = h·aᵀ` in the same dispatch; a (R,F), xa (N,R). Computes h anew for every
    /// four ranks, so it is for small ones: [`SwiGluLora::MOST`].
    pub fn forward_lora(
        self,
        plan: &mut PlanBuilder,
        rank: u32,
        gate_up: &Slice,
        a: &Slice,
        h: &Slice,
        xa: &Slice,
    ) {
        let Self { rows, width } = self;
        let slices = Slices::of(plan.gpu, self.width);
        let [x, z, _] = slices.grid(rows.div_ceil(4)); // a thread takes 4 rows
        let workgroups = [x, rank.div_ceil(4), z];
        let u = SwiGluLora { rows, width, rank };
        let (kernel, _) = by_lanes(&[width], &SWIGLU_LORA_FORWARD, &SWIGLU_LORA_FORWARD_QUADS);
        plan.dispatch(kernel, &slices.overrides(), &u, &[gate_up, a], &[h, xa], workgroups);
        plan.count_flop(2.0 * f64::from(rows) * f64::from(width) * f64::from(rank));
    }

    /// CPU twin of `swiglu_lora_forward.wgsl`: (h, xa).
    pub fn forward_lora_cpu(self, rank: u32, gate_up: &[f32], a: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let h = self.forward_cpu(gate_up);
        let mut xa = vec![0.0; (self.rows * rank) as usize];
        Matmul::new(Layout::Nt, self.rows, rank, self.width).cpu(&h, a, &mut xa);
        (h, xa)
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
        let (kernel, lanes) = by_lanes(&[self.width], &SWIGLU_BACKWARD, &SWIGLU_BACKWARD_QUADS);
        let threads = self.rows * self.width / lanes;
        plan.dispatch(kernel, &[], &self, &[gate_up, dh], &[dgate_up], grid(threads));
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
