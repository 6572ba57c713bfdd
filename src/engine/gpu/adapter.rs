//! A LoRA or DoRA adapter in GPU memory, and its parts by layer and stack.

use super::form::lora_groups;
use crate::error::Result;
use crate::gpu::{Gpu, Memory, Slice};
use crate::kernels::LoraGroups;
use crate::model::config::LlamaConfig;
use crate::model::layout::{AdapterBlocks, AdapterLayout, Stack};
use crate::model::lora::Lora;

/// A, B and the shape of their products, for one stack of one layer.
pub struct StackAdapter {
    pub groups: LoraGroups,
    /// Where A and B, and their gradients, lie in an arena.
    pub blocks: AdapterBlocks,
    pub a: Slice,
    pub b: Slice,
    pub dora: Option<StackDora>,
}

/// DoRA's part of a stack's adapter.
pub struct StackDora {
    pub adapted: u32,
    pub magnitude: Slice,
    pub norm: Slice,
}

/// A LoRA or DoRA adapter in GPU memory.
pub struct GpuAdapter {
    pub lora: Lora,
    pub layout: AdapterLayout,
    pub values: Slice,
    /// DoRA: lengths of the rows of `W + s B A` by layer and stack, as [`Net::measure_rows`] left them.
    norms: Norms<Slice>,
}

/// A buffer for each adapted stack of each layer.
type Norms<B> = Vec<[Option<B>; 4]>;

impl GpuAdapter {
    /// # Errors
    /// When the adapter does not fit the GPU.
    pub fn new(
        gpu: &Gpu,
        config: &LlamaConfig,
        lora: &Lora,
        layout: AdapterLayout,
        values: &[f32],
    ) -> Result<Self> {
        let (arena, norms) = Self::buffers(gpu, config, lora, &layout)?;
        gpu.write(&arena, values);
        Ok(Self { lora: lora.clone(), values: arena, layout, norms })
    }

    /// The same A and B, in the same memory, whose product counts `strength` times as much.
    pub fn scaled(&self, strength: f32) -> Self {
        let Self { lora, layout, values, norms } = self;
        let lora = Lora { alpha: lora.alpha * strength, ..lora.clone() };
        Self { lora, layout: layout.clone(), values: values.clone(), norms: norms.clone() }
    }

    /// The arena of the adapter's values, and [`Self::norms`].
    pub fn buffers<M: Memory>(
        memory: &M,
        config: &LlamaConfig,
        lora: &Lora,
        layout: &AdapterLayout,
    ) -> Result<(M::Buffer, Norms<M::Buffer>)> {
        let norms = |layer: &[Option<AdapterBlocks>; 4]| -> Result<[Option<M::Buffer>; 4]> {
            let mut norms = [const { None }; 4];
            for stack in Stack::ALL.into_iter().filter(|s| lora.dora && layer[*s as usize].is_some()) {
                norms[stack as usize] = Some(memory.buffer("row norms", stack.outputs(config))?);
            }
            Ok(norms)
        };
        let norms = layout.layers.iter().map(norms).collect::<Result<_>>()?;
        Ok((memory.buffer("adapter", layout.words)?, norms))
    }

    /// What it adds to a stack of a layer, if anything.
    pub fn stack(&self, config: &LlamaConfig, layer: usize, stack: Stack) -> Option<StackAdapter> {
        let blocks = self.layout.layers[layer][stack as usize].as_ref()?;
        Some(StackAdapter {
            groups: lora_groups(stack, config, &self.lora),
            blocks: blocks.clone(),
            a: self.values.sub(blocks.a.start, blocks.a.len()),
            b: self.values.sub(blocks.b.start, blocks.b.len()),
            dora: self.norms[layer][stack as usize].as_ref().map(|norm| StackDora {
                adapted: blocks.adapted,
                magnitude: self.values.sub(blocks.magnitude.start, blocks.magnitude.len()),
                norm: norm.clone(),
            }),
        })
    }
}
