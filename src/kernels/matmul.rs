//! Matrix products with every operand order that forward and backward need, and the LoRA part of a linear
//! layer ([`LoraGroups`]) within the same dispatch.

use bytemuck::{Pod, Zeroable};

use super::{ROUNDS, THREADS, kernel};
use crate::gpu::{Gpu, Kernel, LoraGroups, PlanBuilder, Share, Slice, Work};
pub use crate::gpu::{Layout, Matmul, Product, Variant};

kernel!(MATMUL_REGISTER, "matmul_register", 4, 1, "index");
kernel!(MATMUL_TILED, "matmul_tiled", 4, 1);
kernel!(MATMUL_SKINNY, "matmul_skinny", 4, 1, "words");
kernel!(MATMUL_SKINNY_QUADS, "matmul_skinny", 4, 1, "quads");

/// Threads that keep a large GPU busy: a quarter of what an H100 runs at once.
const OCCUPYING: u32 = 1 << 16;

/// Uniforms of the matmul kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct MatmulUniforms {
    pub m: u32,
    pub n: u32,
    pub k: u32,
    /// Of the LoRA part.
    pub scale: f32,
    /// R; 0 without LoRA.
    pub rank: u32,
    /// G, 1 to 3.
    pub groups: u32,
    /// Where each group of output columns but the last ends.
    pub end_0: u32,
    pub end_1: u32,
}

/// A dispatch: everything but the buffers.
#[derive(Clone, Debug)]
pub struct Launch {
    pub kernel: &'static Kernel,
    pub overrides: Vec<(&'static str, f64)>,
    pub uniforms: MatmulUniforms,
    pub workgroups: [u32; 3],
    pub product: Product,
}

impl Matmul {
    /// Records the product into `plan`; shapes of `a` and `b` as [`Layout`] says, out (M,N).
    pub fn record(self, plan: &mut PlanBuilder, a: &Slice, b: &Slice, out: &Slice) {
        // Without LoRA its operands are never read, but something must be bound.
        self.launch(plan.gpu, None).record(plan, [a, b, a, b], out);
    }

    /// The variant for this adapter and shape: what a trial found ([`crate::gpu::Choices`]), or a rule. Below 16 large
    /// tiles most of a GPU would have nothing to do, and of tiles that reach far past the edge most of the work is
    /// for nothing; software adapters have no use for workgroup memory (5 to 10 times slower there).
    pub fn variant(self, gpu: &Gpu) -> Variant {
        let large_tiles = self.m.div_ceil(64) * self.n.div_ceil(64);
        let found = || gpu.choices().variants.get(&self.kind()).copied();
        let wanted = match self.force.or_else(found) {
            Some(variant) => variant,
            None if gpu.choices().share == Share::Tiles => Variant::Register,
            None if large_tiles >= 16 && self.m.min(self.n) > 32 => Variant::Tiled,
            None => Variant::Sliced,
        };
        match wanted {
            Variant::Register if !self.aligned() || !self.n.is_multiple_of(4) => self.scalar(),
            Variant::Scalar => self.scalar(),
            Variant::Tiled if !self.aligned() => Variant::Sliced,
            possible => possible,
        }
    }

    /// A thread for each sum, or several where one would take more rounds than llvmpipe grants it.
    fn scalar(self) -> Variant {
        if self.k > ROUNDS { Variant::Sliced } else { Variant::Scalar }
    }

    /// How many threads share the sums of each of `blocks` blocks: enough to occupy a large GPU, each with four k's or
    /// more, and as many as read whole lines of b where its rows run along k.
    fn slices(self, blocks: u32) -> u32 {
        let fewest = if self.layout == Layout::Nt { 8 } else { 4 };
        let most = self.k.div_ceil(4).next_power_of_two().clamp(fewest, 64);
        OCCUPYING.div_ceil(blocks).next_power_of_two().clamp(fewest, most)
    }

    /// Whether the rows of a and b are whole vec4s.
    fn aligned(self) -> bool {
        let (a, b) = match self.layout {
            Layout::Nn => (self.k, self.n),
            Layout::Nt => (self.k, self.k),
            Layout::Tn => (self.m, self.n),
        };
        a.is_multiple_of(4) && b.is_multiple_of(4)
    }

    /// How to run this product, with LoRA's part of it where there is one.
    pub fn launch(self, gpu: &Gpu, lora: Option<LoraGroups>) -> Launch {
        let variant = self.variant(gpu);
        let mut overrides = vec![
            ("LAYOUT", f64::from(self.layout as u32)),
            ("ACCUMULATE", f64::from(u32::from(self.accumulate))),
            ("PACKED", f64::from(u32::from(self.packed))),
        ];
        let (kernel, workgroups) = match variant {
            Variant::Register => {
                let is_split = self.layout == Layout::Nt && lora.is_some_and(|l| !l.ends_at_multiples_of(16));
                overrides.push(("SPLIT", f64::from(u32::from(is_split))));
                // 8 threads of 16x16 outputs each.
                let workgroups = (self.m.div_ceil(16) * self.n.div_ceil(16)).div_ceil(8);
                let x = workgroups.min(32_768);
                (&MATMUL_REGISTER, [x, workgroups.div_ceil(x), 1])
            }
            Variant::Tiled => (&MATMUL_TILED, tiles(self.n.div_ceil(64), self.m.div_ceil(64))),
            Variant::Sliced | Variant::Scalar => {
                let blocks = self.m.div_ceil(4) * self.n.div_ceil(4);
                let (threads, slices) = match variant {
                    Variant::Sliced => (256, self.slices(blocks)),
                    _ => (THREADS, 1),
                };
                overrides.extend([("THREADS", f64::from(threads)), ("SLICES", f64::from(slices))]);
                let kernel = if self.aligned() { &MATMUL_SKINNY_QUADS } else { &MATMUL_SKINNY };
                let workgroups = blocks.div_ceil(threads / slices);
                let x = workgroups.clamp(1, 32_768);
                (kernel, [x, workgroups.div_ceil(x), 1])
            }
        };
        let [end_0, end_1] = lora.map_or([u32::MAX; 2], LoraGroups::ends);
        let uniforms = MatmulUniforms {
            m: self.m,
            n: self.n,
            k: self.k,
            scale: lora.map_or(0.0, |l| l.scale),
            rank: lora.map_or(0, |l| l.rank),
            groups: lora.map_or(1, |l| l.groups),
            end_0,
            end_1,
        };
        Launch { kernel, overrides, uniforms, workgroups, product: Product { matmul: self, lora } }
    }

    /// CPU twin of the matmul shaders, with the values of b.
    pub fn cpu(self, a: &[f32], b: &[f32], out: &mut [f32]) {
        let (m, n, k) = (self.m as usize, self.n as usize, self.k as usize);
        for i in 0..m {
            for j in 0..n {
                let sum: f32 = match self.layout {
                    Layout::Nn => (0..k).map(|l| a[i * k + l] * b[l * n + j]).sum(),
                    Layout::Nt => (0..k).map(|l| a[i * k + l] * b[j * k + l]).sum(),
                    Layout::Tn => (0..k).map(|l| a[l * m + i] * b[l * n + j]).sum(),
                };
                let before = if self.accumulate { out[i * n + j] } else { 0.0 };
                out[i * n + j] = before + sum;
            }
        }
    }
}

impl Launch {
    /// `operands` are a, b and LoRA's p and q.
    pub fn record(&self, plan: &mut PlanBuilder, operands: [&Slice; 4], out: &Slice) {
        plan.dispatch(self.kernel, &self.overrides, &self.uniforms, &operands, &[out], self.workgroups);
        plan.count(Work { flop: self.product.flop(), product: Some(self.product) });
    }
}

/// A grid of `across` times `down` workgroups. WebGPU allows 65,535 along a dimension: a kernel's row is
/// `wid.y + wid.z * groups.y`.
fn tiles(across: u32, down: u32) -> [u32; 3] {
    debug_assert!(across <= 65_535, "{across} workgroups across");
    let y = down.clamp(1, 32_768);
    [across, y, down.div_ceil(y)]
}
