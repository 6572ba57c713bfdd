//! The penalty on leaving the base: the base's forward pass at the head of a step's plan, and the loss whose gradients
//! read the base's logits beside the arm's.

use std::ops::Range;

use super::activations::Activations;
use super::form::Shape;
use super::head::{Head, Loss};
use super::net::Net;
use crate::error::Result;
use crate::gpu::{Memory, PlanBuilder, Slice};
use crate::kernels::{CrossEntropyChunk, KlBackward, KlInputs};
use crate::model::config::LlamaConfig;

/// The weights that an arm began with.
pub struct Base {
    pub weights: Slice,
    /// Whether their matrices are f16.
    pub packed: bool,
    /// What KL(base || arm) is multiplied by in the loss.
    pub strength: f32,
}

impl Base {
    /// The base in the place of its arm.
    pub fn net<'a>(&'a self, arm: &Net<'a>) -> Net<'a> {
        Net { weights: &self.weights, packed: self.packed, adapter: None, ..*arm }
    }
}

impl<B: Clone> Head<B> {
    /// The base's head over the same rows; it has no gradients.
    ///
    /// # Errors
    /// When a buffer is larger than the adapter allows.
    pub fn of_base<M: Memory<Buffer = B>>(&self, memory: &M, config: &LlamaConfig, n: usize) -> Result<Self> {
        Ok(Self {
            gathered: memory.buffer("base's gathered", n * config.hidden_size)?,
            logits: memory.buffer("base's logits", Self::logits_words(memory, config, n))?,
            state: memory.buffer("base's log-sum-exp", n * CrossEntropyChunk::STATE)?,
            nll: memory.buffer("base's nll", n)?,
            ..self.clone()
        })
    }
}

impl Loss<'_> {
    /// The base's forward pass through the arm's own buffers, up to the rows that count; the arm's may follow and
    /// overwrite everything but this head's.
    pub fn run_base(
        &self,
        plan: &mut PlanBuilder,
        shape: Shape,
        tokens: &Slice,
        position: &Slice,
        acts: &Activations,
    ) {
        self.net.forward(plan, shape, acts, tokens, position, None);
        self.gather(plan);
    }

    /// [`Loss::backward`] over the gathered rows, with `strength` times the divergence from `base`, which has been
    /// gathered too.
    pub(super) fn chunks_backward_to(
        &self,
        plan: &mut PlanBuilder,
        (base, strength): (&Loss, f32),
        chunks: &[Range<usize>],
        step: &Slice,
        dhead: Option<&Slice>,
    ) {
        self.all_chunks(plan, chunks);
        base.all_chunks(plan, chunks);
        for (i, columns) in chunks.iter().enumerate().rev() {
            let last = i + 1 == chunks.len();
            let [logits, base_logits] = [self, base].map(|loss| match last {
                true => loss.logits(columns),
                false => loss.product(plan, columns),
            });
            let CrossEntropyChunk { rows, width, start } = self.chunk(columns);
            let inputs = KlInputs {
                targets: &self.head.targets,
                step,
                state: &self.head.state,
                base_state: &base.head.state,
                base_logits: &base_logits,
            };
            let op = KlBackward { rows, width, start, strength };
            op.record(plan, &inputs, &logits, &self.head.nll);
            self.chunk_backward(plan, columns, &logits, dhead, !last);
        }
    }
}
