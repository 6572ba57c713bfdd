//! The output head over the rows that count: prompt and padding, most rows of a usual batch, have no logits.
//!
//! The rows are gathered into *slots*. A plan is made for a fixed number of slots, somewhat above the batch's
//! count; unused slots hold zeros and the target [`IGNORED`]. Logits that exceed the allowance are computed in
//! chunks of the vocabulary: once for the rows' log-sum-exp, once more for the gradients.

use std::ops::Range;

use super::net::Net;
use crate::error::Result;
use crate::gpu::{Memory, PlanBuilder, Slice};
use crate::kernels::{CrossEntropy, CrossEntropyChunk, Embedding, IGNORED, Layout as Product, Matmul};
use crate::model::config::LlamaConfig;

/// Chunks start at multiples of this: then the weight's rows start at multiples of 256 bytes.
const COLUMNS: usize = 64;

/// Which rows count, as the kernels take it.
pub struct Counted {
    /// Row of each slot, [`IGNORED`] for unused ones. (S).
    pub rows: Vec<u32>,
    /// Slot of each row, [`IGNORED`] where it does not count. (N).
    pub slots: Vec<u32>,
    /// Target of each slot. (S).
    pub targets: Vec<u32>,
}

impl Counted {
    /// # Panics
    /// When more than `slots` of the targets count.
    pub fn new(targets: &[u32], slots: usize) -> Self {
        let mut counted = Self { rows: Vec::new(), slots: vec![IGNORED; targets.len()], targets: Vec::new() };
        for (n, &target) in targets.iter().enumerate().filter(|(_, t)| **t != IGNORED) {
            counted.slots[n] = counted.rows.len() as u32;
            counted.rows.push(n as u32);
            counted.targets.push(target);
        }
        assert!(counted.rows.len() <= slots, "{} rows count, there are {slots} slots", counted.rows.len());
        counted.rows.resize(slots, IGNORED);
        counted.targets.resize(slots, IGNORED);
        counted
    }
}

/// Slots for a batch of which `counted` of `n` rows count. At most eight different numbers for a batch shape, so
/// that few plans are made; whole tiles of the products.
pub fn slots(counted: usize, n: usize) -> usize {
    let grain = (n / 8).max(32).next_multiple_of(16);
    counted.max(1).next_multiple_of(grain).min(n)
}

/// What the head of one batch shape computes with; smaller numbers of slots use the start of each buffer.
#[derive(Clone)]
pub struct Head<B = Slice> {
    /// [`Counted::rows`], (S).
    pub rows: B,
    /// [`Counted::slots`], (N).
    pub slots: B,
    /// [`Counted::targets`], (S).
    pub targets: B,
    /// Normed rows that count, (S,C).
    pub gathered: B,
    /// A chunk of (S,V); training overwrites it with its gradient.
    pub(super) logits: B,
    /// Between chunks, (S,4).
    pub(super) state: B,
    /// (S), nats.
    pub nll: B,
    /// Gradient of `gathered`, (S,C); empty without training.
    pub(super) dgathered: B,
}

impl<B: Clone> Head<B> {
    /// For up to `n` slots.
    ///
    /// # Errors
    /// When a buffer is larger than the adapter allows.
    pub fn new<M: Memory<Buffer = B>>(
        memory: &M,
        config: &LlamaConfig,
        n: usize,
        training: bool,
    ) -> Result<Self> {
        let width = config.hidden_size;
        Ok(Self {
            rows: memory.buffer("counted rows", n)?,
            slots: memory.buffer("slots", n)?,
            targets: memory.buffer("targets", n)?,
            gathered: memory.buffer("gathered", n * width)?,
            logits: memory.buffer("logits", Self::logits_words(memory, config, n))?,
            state: memory.buffer("log-sum-exp", n * CrossEntropyChunk::STATE)?,
            nll: memory.buffer("nll", n)?,
            dgathered: memory.buffer("dgathered", if training { n * width } else { 0 })?,
        })
    }

    /// All logits of `n` slots, or as many as the allowance holds.
    pub(super) fn logits_words<M: Memory>(memory: &M, config: &LlamaConfig, n: usize) -> usize {
        (n * config.vocab_size).min(memory.head_words().max(n * COLUMNS))
    }
}

/// The head of a model over `slots` rows of `normed` (N,C).
pub struct Loss<'a> {
    pub net: &'a Net<'a>,
    pub head: &'a Head,
    pub slots: usize,
    pub normed: &'a Slice,
}

impl Loss<'_> {
    /// Collects the rows that count in `head.gathered`.
    pub fn gather(&self, plan: &mut PlanBuilder) {
        let width = self.width();
        let rows = Embedding {
            rows: self.slots as u32,
            width: width as u32,
            vocab: (self.normed.words() / width) as u32,
        };
        rows.forward(plan, &self.head.rows, self.normed, &self.gathered());
    }

    /// `head.nll` of each slot.
    pub fn forward(&self, plan: &mut PlanBuilder) {
        self.gather(plan);
        let chunks = self.chunks(plan);
        let (head, vocab) = (self.head, self.net.config.vocab_size as u32);
        if let [whole] = &chunks[..] {
            let logits = self.product(plan, whole);
            let op = CrossEntropy { rows: self.slots as u32, vocab };
            return op.forward(plan, &logits, &head.targets, &head.nll);
        }
        self.all_chunks(plan, &chunks);
    }

    /// `head.nll` and the gradients of the mean loss: `dnormed` (N,C), and the head's weight (V,C) if it trains. With a
    /// base and a strength, the loss and `head.nll` also include that strength times the divergence from the base.
    pub fn backward(
        &self,
        plan: &mut PlanBuilder,
        step: &Slice,
        base: Option<(&Loss, f32)>,
        dnormed: &Slice,
        dhead: Option<&Slice>,
    ) {
        self.gather(plan);
        let (head, chunks) = (self.head, self.chunks(plan));
        if let Some(base) = base {
            self.chunks_backward_to(plan, base, &chunks, step, dhead);
        } else if let [whole] = &chunks[..] {
            let logits = self.product(plan, whole);
            let op = CrossEntropy { rows: self.slots as u32, vocab: whole.len() as u32 };
            op.backward(plan, &head.targets, step, &logits, &head.nll);
            self.chunk_backward(plan, whole, &logits, dhead, false);
        } else {
            self.all_chunks(plan, &chunks);
            // From the last one on, whose logits are still there.
            for (i, columns) in chunks.iter().enumerate().rev() {
                let last = i + 1 == chunks.len();
                let logits = if last { self.logits(columns) } else { self.product(plan, columns) };
                self.chunk(columns).backward(plan, &head.targets, step, &head.state, &logits);
                self.chunk_backward(plan, columns, &logits, dhead, !last);
            }
        }
        let width = self.width();
        let rows = (self.normed.words() / width) as u32;
        let back = Embedding { rows, width: width as u32, vocab: self.slots as u32 };
        back.forward(plan, &head.slots, &self.dgathered(), dnormed);
    }

    /// All chunks into `head.state` and `head.nll`.
    pub(super) fn all_chunks(&self, plan: &mut PlanBuilder, chunks: &[Range<usize>]) {
        let head = self.head;
        for columns in chunks {
            let logits = self.product(plan, columns);
            self.chunk(columns).forward(plan, &logits, &head.targets, &head.state, &head.nll);
        }
    }

    /// What a chunk's dlogits (S,W) add to the gradients of the gathered rows and of the weight's rows.
    pub(super) fn chunk_backward(
        &self,
        plan: &mut PlanBuilder,
        columns: &Range<usize>,
        dlogits: &Slice,
        dhead: Option<&Slice>,
        accumulate: bool,
    ) {
        let (slots, width, across) = (self.slots as u32, self.width() as u32, columns.len() as u32);
        let mut product = self.net.matmul(Product::Nn, self.slots, self.width(), columns.len());
        product.accumulate = accumulate;
        product.record(plan, dlogits, &self.weight(columns), &self.dgathered());
        if let Some(dhead) = dhead {
            let rows = dhead.sub(columns.start * self.width(), columns.len() * self.width());
            let product = Matmul::new(Product::Tn, across, width, slots);
            product.record(plan, dlogits, &self.gathered(), &rows);
        }
    }

    /// Logits (S,W) of these columns.
    pub(super) fn product(&self, plan: &mut PlanBuilder, columns: &Range<usize>) -> Slice {
        let logits = self.logits(columns);
        let product = self.net.matmul(Product::Nt, self.slots, columns.len(), self.width());
        product.record(plan, &self.gathered(), &self.weight(columns), &logits);
        logits
    }

    /// The vocabulary in pieces whose logits fit the buffer and whose weights can be bound. The small one comes
    /// first: only the last is computed once.
    fn chunks(&self, plan: &PlanBuilder) -> Vec<Range<usize>> {
        let vocab = self.net.config.vocab_size;
        let bytes = if self.net.packed { 2 } else { 4 };
        let bound = plan.gpu.limits.max_storage_buffer_binding_size / (bytes * self.width() as u64);
        let most = (self.head.logits.words() / self.slots).min(bound as usize);
        let most = if most >= vocab { vocab } else { (most / COLUMNS * COLUMNS).max(COLUMNS) };
        let (mut chunks, mut end) = (Vec::new(), vocab);
        while end > 0 {
            let start = end.saturating_sub(most).next_multiple_of(COLUMNS);
            chunks.push(start..end);
            end = start;
        }
        chunks.reverse();
        chunks
    }

    pub(super) fn chunk(&self, columns: &Range<usize>) -> CrossEntropyChunk {
        CrossEntropyChunk {
            rows: self.slots as u32,
            width: columns.len() as u32,
            start: columns.start as u32,
        }
    }

    fn weight(&self, columns: &Range<usize>) -> Slice {
        let at = |column: usize| self.net.layout.head.start + column * self.width();
        self.net.weight(&(at(columns.start)..at(columns.end)))
    }

    pub(super) fn logits(&self, columns: &Range<usize>) -> Slice {
        self.head.logits.sub(0, self.slots * columns.len())
    }

    fn gathered(&self) -> Slice {
        self.head.gathered.sub(0, self.slots * self.width())
    }

    fn dgathered(&self) -> Slice {
        self.head.dgathered.sub(0, self.slots * self.width())
    }

    fn width(&self) -> usize {
        self.net.config.hidden_size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_and_rows_are_each_others_inverse() {
        let counted = Counted::new(&[IGNORED, 7, IGNORED, 9], 3);
        assert_eq!(counted.rows, [1, 3, IGNORED]);
        assert_eq!(counted.slots, [IGNORED, 0, IGNORED, 1]);
        assert_eq!(counted.targets, [7, 9, IGNORED]);
    }

    #[test]
    fn few_numbers_of_slots_hold_every_count() {
        for n in [1, 17, 32, 51, 512, 1000] {
            let mut numbers: Vec<usize> = (0..=n).map(|counted| slots(counted, n)).collect();
            assert!((0..=n).all(|counted| numbers[counted] >= counted && numbers[counted] <= n));
            numbers.dedup();
            assert!(numbers.len() <= 8, "{n}: {numbers:?}");
        }
    }
}
