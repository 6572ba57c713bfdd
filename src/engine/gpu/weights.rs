//! The weights that a model runs with, in GPU memory.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::adapter::GpuAdapter;
use super::net::Net;
use crate::engine::cpu::{PREFIX, merge_adapter, merge_linear};
use crate::engine::{Storage, Take, Tensors, no_such_part, not_of_this_arm};
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Memory, PlanBuilder, Slice};
use crate::kernels::{UnpackF16, pack_f16, rope_table};
use crate::model::config::LlamaConfig;
use crate::model::layout::{AdapterLayout, LORA_A, LORA_B, Layout, MAGNITUDE, Place};
use crate::model::lora::{AdapterStart, Lora};
use crate::model::weights::{Array, Precision, Weights};

/// Values that become f16 at a time, an even number; less than the largest tensor of Atlas, so that tests see more than one part.
const PACKED: usize = 1 << 16;

/// A base's weights; or an arm's, which shares them beneath an adapter or holds a copy.
pub struct GpuWeights {
    pub gpu: Rc<Gpu>,
    pub config: LlamaConfig,
    pub layout: Rc<Layout>,
    /// The arena.
    pub values: Slice,
    /// Whether the matrices in it are f16: a base's and its adapters', not a full arm's.
    pub packed: bool,
    rope: Slice,
    /// Of the base's weights, and of this arm's activations.
    pub storage: Storage,
    pub adapter: Option<GpuAdapter>,
}

impl GpuWeights {
    /// A base model from its tensors; for f16, within its range.
    ///
    /// # Errors
    /// When the model does not fit, or has rows of an odd length and should be f16.
    pub fn new(gpu: Rc<Gpu>, config: &LlamaConfig, take: &mut Take, precision: Precision) -> Result<Self> {
        let layout = Layout::new(config);
        if precision == Precision::F16 && config.hidden_size % 2 == 1 {
            // A part of the vocabulary could begin where no binding may.
            let feature =
                format!("weights as f16 with a hidden_size of {}, which is odd", config.hidden_size);
            return Err(Error::Unsupported { feature, remedy: "Hold the weights as f32".into() });
        }
        let (held, rope) = Self::buffers(&*gpu, config, &layout, precision)?;
        for (name, place) in &layout.tensors {
            let Array { data, .. } = take(name, &place.shape)?;
            let is_packed = precision == Precision::F16 && place.offset < layout.decayed;
            match is_packed {
                // Without the padding at its end, which would lie over the tensor that follows.
                true => {
                    for (part, at) in data.chunks(PACKED).zip((place.offset / 2..).step_by(PACKED / 2)) {
                        let words = part.len() / 2;
                        gpu.write(&held.sub(at, words), &pack_f16(part)[..words]);
                    }
                }
                false => {
                    let skipped = if precision == Precision::F16 { layout.decayed / 2 } else { 0 };
                    gpu.write(&held.sub(place.offset - skipped, data.len()), &data);
                }
            }
            gpu.flush();
        }
        gpu.write(&rope, &rope_table(config.max_position_embeddings, &config.inverse_frequencies()));
        Ok(Self {
            values: held,
            packed: precision == Precision::F16,
            rope,
            storage: Storage { weights: precision, checkpoint: false },
            gpu,
            config: config.clone(),
            layout: Rc::new(layout),
            adapter: None,
        })
    }

    /// Weights and rotations of a base.
    pub fn buffers<M: Memory>(
        memory: &M,
        config: &LlamaConfig,
        layout: &Layout,
        precision: Precision,
    ) -> Result<(M::Buffer, M::Buffer)> {
        let rope = config.max_position_embeddings * config.inverse_frequencies().len() * 2;
        let words = match precision {
            Precision::F32 => layout.words,
            Precision::F16 => layout.packed_words(),
        };
        Ok((memory.buffer("weights", words)?, memory.buffer("rope", rope)?))
    }

    /// The weights of an arm that trains them all.
    pub fn trained_buffer<M: Memory>(memory: &M, layout: &Layout) -> Result<M::Buffer> {
        memory.buffer("weights", layout.words)
    }

    /// The same weights once more, without an adapter.
    pub fn shared(&self) -> Self {
        Self {
            gpu: self.gpu.clone(),
            config: self.config.clone(),
            layout: self.layout.clone(),
            values: self.values.clone(),
            packed: self.packed,
            rope: self.rope.clone(),
            storage: self.storage,
            adapter: None,
        }
    }

    /// A copy in f32, for full tuning.
    pub fn copied(&self) -> Result<Self> {
        let values = Self::trained_buffer(&*self.gpu, &self.layout)?;
        self.copy_to(&values);
        Ok(Self { values, packed: false, ..self.shared() })
    }

    /// The same weights beneath an adapter.
    pub fn adapted(&self, lora: &Lora, start: &AdapterStart) -> Result<Self> {
        let layout = AdapterLayout::new(&self.config, lora);
        let values = match start {
            AdapterStart::Seed(seed) => layout.pack(&lora.initial(&self.config, *seed))?,
            AdapterStart::Tensors(tensors) => layout.pack(tensors)?,
        };
        let adapter = Some(GpuAdapter::new(&self.gpu, &self.config, lora, layout, &values)?);
        let adapted = Self { adapter, ..self.shared() };
        if matches!(start, AdapterStart::Seed(_)) {
            adapted.net().set_magnitudes(&self.gpu);
        }
        Ok(adapted)
    }

    /// The weights in f32: their own arena, or a copy of a packed one.
    pub fn unpacked(&self) -> Result<Slice> {
        if !self.packed {
            return Ok(self.values.clone());
        }
        let copy = Self::trained_buffer(&*self.gpu, &self.layout)?;
        self.copy_to(&copy);
        Ok(copy)
    }

    /// Queues a copy of the weights into an arena of f32.
    fn copy_to(&self, to: &Slice) {
        if !self.packed {
            return self.gpu.copy_into(&self.values, to);
        }
        let (words, norms) = (self.layout.decayed / 2, self.layout.words - self.layout.decayed);
        let mut plan = PlanBuilder::new(&self.gpu);
        let (packed, matrices) = (self.values.sub(0, words), to.sub(0, 2 * words));
        UnpackF16 { len: words as u32 }.record(&mut plan, &packed, &matrices);
        plan.finish("unpack").submit(&self.gpu);
        self.gpu.copy_into(&self.values.sub(words, norms), &to.sub(2 * words, norms));
    }

    pub fn net(&self) -> Net<'_> {
        Net {
            packed: self.packed,
            config: &self.config,
            layout: &self.layout,
            weights: &self.values,
            adapter: self.adapter.as_ref(),
            rope: &self.rope,
            storage: self.storage,
        }
    }

    /// The arena that training changes.
    pub fn trained(&self) -> &Slice {
        self.adapter.as_ref().map_or(&self.values, |a| &a.values)
    }

    /// Where the trained tensors lie in that arena, by name.
    pub fn places(&self) -> &BTreeMap<String, Place> {
        self.adapter.as_ref().map_or(&self.layout.tensors, |a| &a.layout.tensors)
    }

    /// All weights as they are now, adapters merged, under Hugging Face's names.
    pub async fn merged(&self) -> Result<Weights> {
        let values = self.gpu.read::<f32>(&self.unpacked()?).await?;
        let tensor = |(name, place): (&String, &Place)| {
            Ok((name.clone(), Array::new(place.shape.clone(), values[place.range()].to_vec())?))
        };
        let dense: Weights = self.layout.tensors.iter().map(tensor).collect::<Result<_>>()?;
        let Some(adapter) = &self.adapter else { return Ok(dense) };
        let tensors = self.named(self.trained()).await?.into_iter();
        let arrays = tensors.map(|(name, (shape, data))| Ok((name, Array::new(shape, data)?)));
        merge_adapter(&self.config, dense, &adapter.lora, arrays.collect::<Result<_>>()?)
    }

    /// The weight of one linear layer as it is now, an adapter merged into it.
    pub async fn linear(&self, name: &str) -> Result<Array> {
        let place = self.layout.tensors.get(&format!("{name}.weight")).ok_or_else(|| no_such_part(name))?;
        let len = place.range().len();
        let data = match self.packed {
            false => self.gpu.read(&self.values.sub(place.offset, len)).await?,
            true => {
                let words = len.div_ceil(2);
                let packed = self.gpu.read::<u32>(&self.values.sub(place.offset / 2, words)).await?;
                let mut values = UnpackF16 { len: words as u32 }.record_cpu(&packed);
                values.truncate(len);
                values
            }
        };
        let weight = Array::new(place.shape.clone(), data)?;
        let Some(adapter) = &self.adapter else { return Ok(weight) };
        let part = async |part: &str| -> Result<Option<Array>> {
            let Some(place) = adapter.layout.tensors.get(&format!("{PREFIX}{name}.{part}")) else {
                return Ok(None);
            };
            let range = place.range();
            let values = self.gpu.read(&adapter.values.sub(range.start, range.len())).await?;
            Array::new(place.shape.clone(), values).map(Some)
        };
        let (a, b, magnitude) = (part(LORA_A).await?, part(LORA_B).await?, part(MAGNITUDE).await?);
        match (a, b) {
            (Some(a), Some(b)) => merge_linear(weight, &adapter.lora, [a, b], magnitude),
            _ => Ok(weight), // no target
        }
    }

    /// Puts tensors into an arena that is laid out as the trained parameters are.
    pub async fn put(&self, arena: &Slice, tensors: &Tensors) -> Result<()> {
        let mut values = self.gpu.read::<f32>(arena).await?;
        for (name, place) in self.places() {
            match tensors.get(name) {
                Some((shape, data)) if *shape == place.shape => values[place.range()].copy_from_slice(data),
                _ => return Err(not_of_this_arm(name)),
            }
        }
        self.gpu.write(arena, &values);
        Ok(())
    }

    /// Reads an arena that is laid out as the trained parameters are.
    pub async fn named(&self, arena: &Slice) -> Result<Tensors> {
        let values = self.gpu.read::<f32>(arena).await?;
        let tensor = |(name, place): (&String, &Place)| {
            (name.clone(), (place.shape.clone(), values[place.range()].to_vec()))
        };
        Ok(self.places().iter().map(tensor).collect())
    }
}
