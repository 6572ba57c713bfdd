//! What a matrix product is, with LoRA's part of it: plans report them, and trials choose their kernels.

use serde::{Deserialize, Serialize};

/// How the operands of `out = A·B`, out (M,N), lie in memory, all row-major.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// a (M,K), b (K,N): dx = dy·W.
    Nn,
    /// a (M,K), b (N,K): y = x·Wᵀ with a weight as checkpoints hold it.
    Nt,
    /// a (K,M), b (K,N): dW = dyᵀ·x.
    Tn,
}

/// The shaders to choose from; `Matmul::variant` makes the choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Variant {
    /// 16x16 outputs per thread, no workgroup memory: software adapters. Needs aligned rows, out's too.
    Register,
    /// 64x64 outputs per workgroup through workgroup memory: real GPUs. Needs aligned rows.
    Tiled,
    /// 4x4 outputs per thread, K shared out to several: small and thin products on real GPUs.
    Sliced,
    /// 4x4 outputs per thread, no barrier: odd shapes on software adapters.
    Scalar,
}

impl Variant {
    pub const ALL: [Self; 4] = [Self::Register, Self::Tiled, Self::Sliced, Self::Scalar];

    /// Whether its threads wait for each other.
    pub fn has_barriers(self) -> bool {
        matches!(self, Self::Tiled | Self::Sliced)
    }
}

/// `out = A·B`, or `+=` with `accumulate`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Matmul {
    pub layout: Layout,
    pub m: u32,
    pub n: u32,
    pub k: u32,
    /// `out +=` instead of `out =`.
    pub accumulate: bool,
    /// b holds f16, two a word.
    pub packed: bool,
    /// Runs this variant, if the shape allows it, instead of the one chosen for adapter and shape.
    pub force: Option<Variant>,
}

impl Matmul {
    /// `out = A·B` with out (M,N) and a sum over K.
    pub fn new(layout: Layout, m: u32, n: u32, k: u32) -> Self {
        Self { layout, m, n, k, accumulate: false, packed: false, force: None }
    }

    pub fn accumulate(self) -> Self {
        Self { accumulate: true, ..self }
    }

    pub fn packed(self, packed: bool) -> Self {
        Self { packed, ..self }
    }

    pub fn force(self, variant: Variant) -> Self {
        Self { force: Some(variant), ..self }
    }

    /// Products of one kind are expected to be the fastest by the same variant: those of one layout whose sides
    /// have the same next power of two.
    pub fn kind(self) -> String {
        let [m, n, k] = [self.m, self.n, self.k].map(u32::next_power_of_two);
        format!("{:?} {m} {n} {k}", self.layout)
    }
}

/// Linear layers that read the same input are one stacked weight (N,in): q, k, v (3 groups), gate, up (2),
/// one alone (1). Each has adapters of its own, stacked likewise: a (G*R,in) and b (N,R).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoraGroups {
    /// R.
    pub rank: u32,
    /// G, at most 3.
    pub groups: u32,
    /// Where each group ends among the N rows of the stacked weight; only the first G count.
    pub bounds: [u32; 3],
    /// LoRA's alpha / R.
    pub scale: f32,
}

/// A product with LoRA's part of it, if there is one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Product {
    pub matmul: Matmul,
    pub lora: Option<LoraGroups>,
}

impl Product {
    /// Terms that LoRA adds to each output's sum over K.
    pub fn lora_terms(self) -> u32 {
        let groups = |l: LoraGroups| if self.matmul.layout == Layout::Nn { l.groups } else { 1 };
        self.lora.map_or(0, |l| l.rank * groups(l))
    }

    /// Two operations for each term of each output.
    pub fn flop(self) -> f64 {
        let Matmul { m, n, k, .. } = self.matmul;
        2.0 * f64::from(m) * f64::from(n) * f64::from(k + self.lora_terms())
    }
}
