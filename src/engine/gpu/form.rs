//! What buffers are sized by, without any buffer in it.

use crate::engine::Storage;
use crate::kernels::LoraGroups;
use crate::model::config::LlamaConfig;
use crate::model::layout::{AdapterLayout, Stack, outputs};
use crate::model::lora::Lora;

/// Rows and length of a batch: B and T. N = B*T.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    pub rows: usize,
    pub time: usize,
}

impl Shape {
    pub fn tokens(self) -> usize {
        self.rows * self.time
    }
}

/// An architecture and the adapter on it.
#[derive(Clone, Copy)]
pub struct Form<'a> {
    pub config: &'a LlamaConfig,
    pub adapter: Option<(&'a Lora, &'a AdapterLayout)>,
    pub storage: Storage,
    /// Whether the loss has the divergence from the base, so that the base's logits are computed too.
    pub to_base: bool,
}

impl Form<'_> {
    /// Width of `x Aᵀ` for a stack: members*r, 0 where nothing is adapted.
    pub fn adapter_width(self, layer: usize, stack: Stack) -> usize {
        match self.adapter {
            Some((lora, layout)) if layout.layers[layer][stack as usize].is_some() => {
                stack.members().len() * lora.rank
            }
            _ => 0,
        }
    }

    /// Whether this stack's output is scaled by DoRA's magnitudes.
    pub fn is_dora(self, layer: usize, stack: Stack) -> bool {
        self.adapter.is_some_and(|(lora, _)| lora.dora) && self.adapter_width(layer, stack) > 0
    }

    /// LoRA's rank, 0 without it.
    pub fn rank(self) -> usize {
        self.adapter.map_or(0, |(lora, _)| lora.rank)
    }
}

/// LoRA on the linears of a stack.
pub fn lora_groups(stack: Stack, config: &LlamaConfig, lora: &Lora) -> LoraGroups {
    let mut end = 0;
    let mut bounds = [u32::MAX; 3];
    for (bound, &member) in bounds.iter_mut().zip(stack.members()) {
        end += outputs(member, config) as u32;
        *bound = end;
    }
    let groups = stack.members().len() as u32;
    LoraGroups { rank: lora.rank as u32, groups, bounds, scale: lora.scale() }
}
