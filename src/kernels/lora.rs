//! LoRA (Hu et al., arXiv 2106.09685) on stacked linear layers: y = x·Wᵀ + scale * (x·Aᵀ)·Bᵀ.

use bytemuck::{Pod, Zeroable};

use super::{Layout, Matmul, Share, by_lanes, kernel};
pub use crate::gpu::LoraGroups;
use crate::gpu::{PlanBuilder, Slice};

kernel!(LORA_BACKWARD_OUTPUT, "lora_backward_output", 3, 2, "words");
kernel!(LORA_BACKWARD_OUTPUT_QUADS, "lora_backward_output", 3, 2, "quads");
kernel!(LORA_TILES_BACKWARD_OUTPUT, "lora_tiles_backward_output", 3, 2, "words");
kernel!(LORA_TILES_BACKWARD_OUTPUT_QUADS, "lora_tiles_backward_output", 3, 2, "quads");

/// Uniforms of the LoRA kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct LoraUniforms {
    pub m: u32,
    pub n: u32,
    pub rank: u32,
    pub groups: u32,
    pub scale: f32,
    /// Where each group but the last ends.
    pub end_0: u32,
    pub end_1: u32,
    /// Workgroups that compute dxa; the others compute db.
    pub down: u32,
}

impl LoraGroups {
    /// The group of row `n` of the stacked weight.
    pub fn group(self, n: u32) -> u32 {
        let [first, second] = self.ends();
        u32::from(n >= first) + u32::from(n >= second)
    }

    /// Where each group but the last ends; past every row where there is no such group.
    pub(crate) fn ends(self) -> [u32; 2] {
        std::array::from_fn(|g| if g as u32 + 1 < self.groups { self.bounds[g] } else { u32::MAX })
    }

    /// Whether each group but the last ends at a multiple of `n`.
    pub(crate) fn ends_at_multiples_of(self, n: u32) -> bool {
        self.bounds.iter().take(self.groups as usize - 1).all(|end| end.is_multiple_of(n))
    }

    fn width(self) -> u32 {
        self.groups * self.rank
    }

    /// `xa = x·aᵀ`; x (M,in), a (G*R,in), xa (M,G*R).
    pub fn down(self, plan: &mut PlanBuilder, m: u32, width_in: u32, x: &Slice, a: &Slice, xa: &Slice) {
        Matmul::new(Layout::Nt, m, self.width(), width_in).record(plan, x, a, xa);
    }

    /// `out[m,n] = (x·wᵀ)[m,n] + scale * Σ_r xa[m, g(n)*R + r] * b[n,r]`, `+=` when `mm` accumulates.
    ///
    /// mm is Nt; x (M,K), w (N,K), xa (M,G*R), b (N,R), out (M,N). One dispatch: the adapter is R more terms
    /// of each sum.
    pub fn forward(
        self,
        plan: &mut PlanBuilder,
        mm: Matmul,
        x: &Slice,
        w: &Slice,
        xa: &Slice,
        b: &Slice,
        out: &Slice,
    ) {
        debug_assert_eq!(mm.layout, Layout::Nt);
        mm.launch(plan.gpu, Some(self)).record(plan, [x, w, xa, b], out);
    }

    /// `dxa[m, g*R + r] = scale * Σ_{n in group g} dy[m,n] * b[n,r]` and
    /// `db[n,r] = scale * Σ_m dy[m,n] * xa[m, g(n)*R + r]`; dy (M,N), b, db (N,R), xa, dxa (M,G*R).
    pub fn backward_output(
        self,
        plan: &mut PlanBuilder,
        m: u32,
        n: u32,
        dy: &Slice,
        b: &Slice,
        xa: &Slice,
        dxa: &Slice,
        db: &Slice,
    ) {
        let Self { rank, groups, scale, .. } = self;
        let [end_0, end_1] = self.ends();
        let [first, second] = [end_0, end_1].map(|end| end.min(n));
        let widest = first.max(second - first).max(n - second);
        let is_in_quads = n.is_multiple_of(4) && self.ends_at_multiples_of(4);
        let (tiles, _) = by_lanes(&[rank], &LORA_TILES_BACKWARD_OUTPUT, &LORA_TILES_BACKWARD_OUTPUT_QUADS);
        let (slices, _) =
            by_lanes(&[rank, n, first, second], &LORA_BACKWARD_OUTPUT, &LORA_BACKWARD_OUTPUT_QUADS);
        // Rows and ranks of a workgroup; its threads divide the sums of the kernel without tiles among them.
        let (kernel, high, wide) = match plan.gpu.choices().share {
            Share::Tiles if is_in_quads => (tiles, 128, 8),
            _ => (slices, 16, 4),
        };
        let down = m.div_ceil(high);
        let workgroups = [down + widest.div_ceil(high), rank.div_ceil(wide), groups];
        let u = LoraUniforms { m, n, rank, groups, scale, end_0, end_1, down };
        plan.dispatch(kernel, &[], &u, &[dy, b, xa], &[dxa, db], workgroups);
        plan.count_flop(4.0 * f64::from(m) * f64::from(n) * f64::from(rank));
    }

    /// `da = dxaᵀ·x`; dxa (M,G*R), x (M,in), da (G*R,in).
    pub fn backward_a(
        self,
        plan: &mut PlanBuilder,
        m: u32,
        width_in: u32,
        dxa: &Slice,
        x: &Slice,
        da: &Slice,
    ) {
        Matmul::new(Layout::Tn, self.width(), width_in, m).record(plan, dxa, x, da);
    }

    /// `dx = dy·w + dxa·a`, `+=` when `mm` accumulates; mm is Nn with n = in and k = N;
    /// dy (M,N), w (N,in), dxa (M,G*R), a (G*R,in), dx (M,in).
    pub fn backward_input(
        self,
        plan: &mut PlanBuilder,
        mm: Matmul,
        dy: &Slice,
        w: &Slice,
        dxa: &Slice,
        a: &Slice,
        dx: &Slice,
    ) {
        debug_assert_eq!(mm.layout, Layout::Nn);
        // dxa carries the scale already.
        let lora = Self { scale: 1.0, ..self };
        mm.launch(plan.gpu, Some(lora)).record(plan, [dy, w, dxa, a], dx);
    }
}

/// CPU twins.
impl LoraGroups {
    pub fn forward_cpu(self, mm: Matmul, x: &[f32], w: &[f32], xa: &[f32], b: &[f32], out: &mut [f32]) {
        mm.cpu(x, w, out);
        let (n, rank) = (mm.n as usize, self.rank as usize);
        for (i, row) in out.chunks_exact_mut(n).enumerate() {
            let xa = &xa[i * self.width() as usize..];
            for (j, y) in row.iter_mut().enumerate() {
                let first = self.group(j as u32) as usize * rank;
                *y += self.scale * (0..rank).map(|r| xa[first + r] * b[j * rank + r]).sum::<f32>();
            }
        }
    }

    pub fn backward_down_cpu(self, m: u32, n: u32, dy: &[f32], b: &[f32]) -> Vec<f32> {
        let (rank, width) = (self.rank as usize, self.width() as usize);
        let mut dxa = vec![0.0; m as usize * width];
        for (dy, dxa) in dy.chunks_exact(n as usize).zip(dxa.chunks_exact_mut(width)) {
            for (j, dy) in dy.iter().enumerate() {
                let first = self.group(j as u32) as usize * rank;
                for r in 0..rank {
                    dxa[first + r] += dy * b[j * rank + r];
                }
            }
            dxa.iter_mut().for_each(|v| *v *= self.scale);
        }
        dxa
    }

    pub fn backward_b_cpu(self, n: u32, dy: &[f32], xa: &[f32]) -> Vec<f32> {
        let (rank, width) = (self.rank as usize, self.width() as usize);
        let mut db = vec![0.0; n as usize * rank];
        for (dy, xa) in dy.chunks_exact(n as usize).zip(xa.chunks_exact(width)) {
            for (j, dy) in dy.iter().enumerate() {
                let first = self.group(j as u32) as usize * rank;
                for r in 0..rank {
                    db[j * rank + r] += dy * xa[first + r];
                }
            }
        }
        db.iter_mut().for_each(|v| *v *= self.scale);
        db
    }

    pub fn backward_input_cpu(
        self,
        mm: Matmul,
        dy: &[f32],
        w: &[f32],
        dxa: &[f32],
        a: &[f32],
        dx: &mut [f32],
    ) {
        mm.cpu(dy, w, dx);
        Matmul { k: self.width(), ..mm }.accumulate().cpu(dxa, a, dx);
    }
}
