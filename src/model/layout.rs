//! Where each tensor lies in the one contiguous memory of a model or of an adapter.
//!
//! Linears that read the same input are stacked into one block, so that q, k, v are one product and gate,
//! up another: Hugging Face keeps a weight as (out, in), row-major, so a stack is its members in sequence.
//! Blocks with weight decay come first and norms last; AdamW then needs one boundary instead of a mask.

use std::collections::BTreeMap;
use std::ops::Range;

use super::config::LlamaConfig;
use super::weights::Weights;
use crate::error::{Error, Result};
use crate::model::lora::Lora;
use crate::record::Target;

/// A block starts at a multiple of this many words: of f32 as of f16, a multiple of WebGPU's 256 bytes.
const BLOCK_WORDS: usize = 128;

/// The stacked linears of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stack {
    /// q, k and v: ((H+2KV)D, C).
    Qkv,
    /// Attention output: (C, HD).
    Output,
    /// Gate and up: (2F, C).
    GateUp,
    /// Down: (C, F).
    Down,
}

impl Stack {
    pub const ALL: [Self; 4] = [Self::Qkv, Self::Output, Self::GateUp, Self::Down];

    /// The stacked linears, in order.
    pub fn members(self) -> &'static [Target] {
        match self {
            Self::Qkv => &[Target::QProj, Target::KProj, Target::VProj],
            Self::Output => &[Target::OProj],
            Self::GateUp => &[Target::GateProj, Target::UpProj],
            Self::Down => &[Target::DownProj],
        }
    }

    /// Width of the input.
    pub fn inputs(self, config: &LlamaConfig) -> usize {
        match self {
            Self::Qkv | Self::GateUp => config.hidden_size,
            Self::Output => config.num_attention_heads * config.head_dim,
            Self::Down => config.intermediate_size,
        }
    }

    /// Width of the output: of all members together.
    pub fn outputs(self, config: &LlamaConfig) -> usize {
        self.members().iter().map(|&t| outputs(t, config)).sum()
    }
}

/// Width of one linear's output.
pub fn outputs(target: Target, config: &LlamaConfig) -> usize {
    match target {
        Target::QProj => config.num_attention_heads * config.head_dim,
        Target::KProj | Target::VProj => config.num_key_value_heads * config.head_dim,
        Target::OProj | Target::DownProj => config.hidden_size,
        Target::GateProj | Target::UpProj => config.intermediate_size,
    }
}

/// A named tensor inside an arena.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// In words from the arena's start.
    pub offset: usize,
    pub shape: Vec<usize>,
}

impl Place {
    pub fn range(&self) -> Range<usize> {
        self.offset..self.offset + self.shape.iter().product::<usize>()
    }
}

/// The parts of a layer.
#[derive(Clone, Debug, Default)]
pub struct LayerBlocks {
    /// In [`Stack::ALL`]'s order.
    pub stacks: [Range<usize>; 4],
    /// `input_layernorm`, then `post_attention_layernorm`.
    pub norms: [Range<usize>; 2],
}

/// Places of a whole model's weights; gradients and moments use the same ones.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Length of the arena, in words.
    pub words: usize,
    /// Words before this take weight decay.
    pub decayed: usize,
    pub embedding: Range<usize>,
    pub layers: Vec<LayerBlocks>,
    pub norm: Range<usize>,
    /// Equals `embedding` when they are tied.
    pub head: Range<usize>,
    /// Every tensor by Hugging Face's name.
    pub tensors: BTreeMap<String, Place>,
}

/// Hands out consecutive blocks and remembers the names in them.
#[derive(Default)]
struct Arena {
    words: usize,
    tensors: BTreeMap<String, Place>,
}

impl Arena {
    /// A block of several named tensors without gaps between them.
    fn block(&mut self, members: impl IntoIterator<Item = (String, Vec<usize>)>) -> Range<usize> {
        let start = self.words;
        for (name, shape) in members {
            let place = Place { offset: self.words, shape };
            self.words = place.range().end;
            self.tensors.insert(name, place);
        }
        let end = self.words;
        self.words = end.next_multiple_of(BLOCK_WORDS);
        start..end
    }
}

/// Hugging Face's name of a layer's linear, without `.weight`.
pub fn linear_name(layer: usize, target: Target) -> String {
    let part = match target {
        Target::QProj | Target::KProj | Target::VProj | Target::OProj => "self_attn",
        Target::GateProj | Target::UpProj | Target::DownProj => "mlp",
    };
    format!("model.layers.{layer}.{part}.{}", target.name())
}

impl Layout {
    pub fn new(config: &LlamaConfig) -> Self {
        let (vocab, width) = (config.vocab_size, config.hidden_size);
        let mut arena = Arena::default();
        let embedding = arena.block([("model.embed_tokens.weight".into(), vec![vocab, width])]);
        let mut layers = vec![LayerBlocks::default(); config.num_hidden_layers];
        for (i, layer) in layers.iter_mut().enumerate() {
            layer.stacks = Stack::ALL.map(|stack| {
                arena.block(stack.members().iter().map(|&t| {
                    let shape = vec![outputs(t, config), stack.inputs(config)];
                    (format!("{}.weight", linear_name(i, t)), shape)
                }))
            });
        }
        let head = match config.tie_word_embeddings {
            true => embedding.clone(),
            false => arena.block([("lm_head.weight".into(), vec![vocab, width])]),
        };
        let decayed = arena.words;
        for (i, layer) in layers.iter_mut().enumerate() {
            layer.norms = ["input_layernorm", "post_attention_layernorm"].map(|norm| {
                let name = format!("model.layers.{i}.{norm}.weight");
                arena.block([(name, vec![width])])
            });
        }
        let norm = arena.block([("model.norm.weight".into(), vec![width])]);
        Self { words: arena.words, decayed, embedding, layers, norm, head, tensors: arena.tensors }
    }

    /// Number of parameters, padding not counted.
    pub fn parameters(&self) -> usize {
        self.tensors.values().map(|p| p.range().len()).sum()
    }

    /// The arena that holds these tensors.
    ///
    /// # Errors
    /// [`Error::Shape`] for a tensor that is missing or of another shape.
    pub fn pack(&self, weights: &Weights) -> Result<Vec<f32>> {
        pack(&self.tensors, self.words, weights)
    }

    /// Length of the arena in words with its matrices as f16, two a word. The norms, which are few, stay f32.
    pub fn packed_words(&self) -> usize {
        self.words - self.decayed / 2
    }

    /// Where a block lies in such an arena, a matrix up to a whole vec4 of words.
    pub fn packed(&self, block: &Range<usize>) -> Range<usize> {
        if block.start < self.decayed {
            let start = block.start / 2;
            start..start + block.len().div_ceil(2).next_multiple_of(4)
        } else {
            block.start - self.decayed / 2..block.end - self.decayed / 2
        }
    }
}

fn pack(places: &BTreeMap<String, Place>, words: usize, weights: &Weights) -> Result<Vec<f32>> {
    let mut arena = vec![0.0; words];
    for (name, place) in places {
        match weights.get(name) {
            Some(array) if array.shape == place.shape => {
                arena[place.range()].copy_from_slice(&array.data);
            }
            found => {
                let found = found.map_or("missing".into(), |a| format!("of shape {:?}", a.shape));
                let message = format!("{name} is {found}, it must be of shape {:?}", place.shape);
                return Err(Error::Shape { op: "load", message });
            }
        }
    }
    Ok(arena)
}

/// What PEFT calls a linear's A, B and DoRA's magnitude.
pub const LORA_A: &str = "lora_A.weight";
pub const LORA_B: &str = "lora_B.weight";
pub const MAGNITUDE: &str = "lora_magnitude_vector";

/// A and B of one stack of one layer.
#[derive(Clone, Debug)]
pub struct AdapterBlocks {
    /// (members * r, in).
    pub a: Range<usize>,
    /// (out of all members, r).
    pub b: Range<usize>,
    /// DoRA's lengths of the weight's rows, (out of all members); empty for LoRA.
    pub magnitude: Range<usize>,
    /// Which members are adapted, bit by bit.
    pub adapted: u32,
}

/// Places of an adapter. A member of a stack that is not a target keeps A = B = 0: both gradients are
/// then exactly 0 and so it stays, and the stack needs no special case.
#[derive(Clone, Debug)]
pub struct AdapterLayout {
    pub words: usize,
    /// By layer, in [`Stack::ALL`]'s order; `None` where no member is a target.
    pub layers: Vec<[Option<AdapterBlocks>; 4]>,
    /// The targets' tensors by PEFT's name.
    pub tensors: BTreeMap<String, Place>,
}

impl AdapterLayout {
    pub fn new(config: &LlamaConfig, lora: &Lora) -> Self {
        let (rank, targets) = (lora.rank, &lora.targets);
        let mut arena = Arena::default();
        let layers = (0..config.num_hidden_layers).map(|layer| {
            Stack::ALL.map(|stack| {
                let members = stack.members();
                if !members.iter().any(|t| targets.contains(t)) {
                    return None;
                }
                let name =
                    |t: Target, part: &str| format!("base_model.model.{}.{part}", linear_name(layer, t));
                let a = members.iter().map(|&t| (name(t, LORA_A), vec![rank, stack.inputs(config)]));
                let a = arena.block(a);
                let b = members.iter().map(|&t| (name(t, LORA_B), vec![outputs(t, config), rank]));
                let b = arena.block(b);
                let lengths = members.iter().map(|&t| (name(t, MAGNITUDE), vec![outputs(t, config)]));
                let magnitude = if lora.dora { arena.block(lengths) } else { b.end..b.end };
                let bits = members.iter().enumerate().filter(|(_, t)| targets.contains(t));
                Some(AdapterBlocks { a, b, magnitude, adapted: bits.map(|(i, _)| 1 << i).sum() })
            })
        });
        let layers = layers.collect();
        let adapted = |name: &String| targets.iter().any(|t| name.contains(&format!(".{}.", t.name())));
        let tensors = arena.tensors.into_iter().filter(|(name, _)| adapted(name)).collect();
        Self { words: arena.words, layers, tensors }
    }

    /// Number of trained parameters.
    pub fn parameters(&self) -> usize {
        self.tensors.values().map(|p| p.range().len()).sum()
    }

    /// The arena that holds these tensors.
    ///
    /// # Errors
    /// [`Error::Shape`] for a tensor that is missing or of another shape.
    pub fn pack(&self, adapter: &Weights) -> Result<Vec<f32>> {
        pack(&self.tensors, self.words, adapter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> LlamaConfig {
        LlamaConfig {
            hidden_size: 6,
            intermediate_size: 10,
            num_hidden_layers: 2,
            num_attention_heads: 2,
            num_key_value_heads: 1,
            head_dim: 3,
            vocab_size: 11,
            rope_theta: 1e4,
            rope_scaling: None,
            rms_norm_eps: 1e-5,
            tie_word_embeddings: true,
            max_position_embeddings: 32,
            bos_token_id: None,
            eos_token_ids: vec![],
            pad_token_id: None,
        }
    }

    #[test]
    fn stacks_are_gapless_and_blocks_aligned() {
        let layout = Layout::new(&config());
        let at = |name: &str| layout.tensors[&format!("model.layers.1.self_attn.{name}.weight")].range();
        assert_eq!(at("q_proj").end, at("k_proj").start);
        assert_eq!(at("k_proj").end, at("v_proj").start);
        assert_eq!(layout.layers[1].stacks[0], at("q_proj").start..at("v_proj").end);
        assert!(
            layout.layers.iter().flat_map(|l| l.stacks.iter().chain(&l.norms)).all(|b| b.start % 128 == 0)
        );
        assert!(layout.layers[0].norms[0].start >= layout.decayed);
        assert_eq!(layout.head, layout.embedding);
    }

    #[test]
    fn adapter_names_only_its_targets() {
        let targets = vec![Target::QProj, Target::VProj];
        let lora = Lora { rank: 2, alpha: 4.0, targets, rank_stabilised: false, dora: false };
        let dora = AdapterLayout::new(&config(), &Lora { dora: true, ..lora.clone() });
        assert_eq!(dora.tensors.len(), 2 * 2 * 3);
        let adapter = AdapterLayout::new(&config(), &lora);
        assert_eq!(adapter.tensors.len(), 2 * 2 * 2);
        let layer = &adapter.layers[0];
        assert!(layer[0].is_some() && layer[1].is_none());
        let qkv = layer[0].as_ref().unwrap();
        assert_eq!((qkv.a.len(), qkv.adapted, qkv.magnitude.len()), (3 * 2 * 6, 0b101, 0));
        let name = "base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight";
        assert_eq!(adapter.tensors[name].shape, [3, 2]);
    }
}
