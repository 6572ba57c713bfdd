//! Token embedding: rows of a table, and their gradients without atomics.

use bytemuck::{Pod, Zeroable};

use super::{IGNORED, grid, kernel};
use crate::gpu::{PlanBuilder, Slice};

kernel!(EMBEDDING_FORWARD, "embedding_forward", 2, 1, "index");
kernel!(EMBEDDING_BACKWARD, "embedding_backward", 4, 1, "index");

/// Uniforms of `embedding_forward.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Embedding {
    /// N, number of tokens.
    pub rows: u32,
    /// C, width of a row.
    pub width: u32,
    /// V, rows of the table. An id beyond it ([`IGNORED`] as padding) gives a row of zeros.
    pub vocab: u32,
}

impl Embedding {
    /// `x[n] = table[tokens[n]]`; tokens (N) u32, table (V,C), x (N,C).
    pub fn forward(self, plan: &mut PlanBuilder, tokens: &Slice, table: &Slice, x: &Slice) {
        self.forward_from(plan, tokens, table, false, x);
    }

    /// [`Self::forward`]; a `packed` table holds f16 as [`super::pack_f16`] leaves them.
    pub fn forward_from(
        self,
        plan: &mut PlanBuilder,
        tokens: &Slice,
        table: &Slice,
        packed: bool,
        x: &Slice,
    ) {
        let overrides = [("PACKED", f64::from(packed))];
        let threads = self.rows * self.width;
        plan.dispatch(&EMBEDDING_FORWARD, &overrides, &self, &[tokens, table], &[x], grid(threads));
    }

    /// CPU twin of `embedding_forward.wgsl`: x.
    pub fn forward_cpu(self, tokens: &[u32], table: &[f32]) -> Vec<f32> {
        let width = self.width as usize;
        let mut x = vec![0.0; tokens.len() * width];
        for (row, &token) in x.chunks_exact_mut(width).zip(tokens) {
            if token < self.vocab {
                row.copy_from_slice(&table[token as usize * width..][..width]);
            }
        }
        x
    }
}

/// Uniforms of `embedding_backward.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct EmbeddingBackward {
    /// U, length of `ids`: at most this many different tokens, so N always suffices.
    pub rows: u32,
    /// C, width of a row.
    pub width: u32,
}

impl EmbeddingBackward {
    /// `dtable[ids[k]] += Σ dx[order[i]]` over `starts[k] <= i < starts[k+1]`, from [`token_index`];
    /// order (N), starts (U+1), ids (U) u32, dx (N,C), dtable (V,C).
    pub fn backward(
        self,
        plan: &mut PlanBuilder,
        order: &Slice,
        starts: &Slice,
        ids: &Slice,
        dx: &Slice,
        dtable: &Slice,
    ) {
        let inputs = [order, starts, ids, dx];
        plan.dispatch(&EMBEDDING_BACKWARD, &[], &self, &inputs, &[dtable], grid(self.rows * self.width));
    }

    /// CPU twin of `embedding_backward.wgsl`.
    pub fn backward_cpu(self, order: &[u32], starts: &[u32], ids: &[u32], dx: &[f32], dtable: &mut [f32]) {
        let width = self.width as usize;
        for (k, &id) in ids.iter().enumerate().filter(|(_, id)| **id != IGNORED) {
            for c in 0..width {
                let mut sum = 0.0;
                for &n in &order[starts[k] as usize..starts[k + 1] as usize] {
                    sum += dx[n as usize * width + c];
                }
                dtable[id as usize * width + c] += sum;
            }
        }
    }
}

/// Where each token occurs: `(order, starts, ids)` for [`EmbeddingBackward`], padded to N different
/// tokens. Positions of `ids[k]` are `order[starts[k]..starts[k+1]]`, ascending; ids ascend and end in
/// [`IGNORED`], which also stands for tokens that are [`IGNORED`] themselves.
pub fn token_index(tokens: &[u32]) -> (Vec<u32>, Vec<u32>, Vec<u32>) {
    let n = tokens.len() as u32;
    let mut order: Vec<u32> = (0..n).collect();
    order.sort_by_key(|&i| tokens[i as usize]); // stable: a token's positions stay in order
    let (mut starts, mut ids) = (Vec::new(), Vec::new());
    for (start, &i) in order.iter().enumerate() {
        let id = tokens[i as usize];
        if ids.last() != Some(&id) {
            ids.push(id);
            starts.push(start as u32);
        }
    }
    ids.resize(tokens.len(), IGNORED);
    starts.resize(tokens.len() + 1, n);
    (order, starts, ids)
}
