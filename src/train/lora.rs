//! LoRA (Hu et al., arXiv 2106.09685): `y = W0 x + s B A x`.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::lab::Target;
use crate::model::config::LlamaConfig;
use crate::model::layout::AdapterLayout;

/// Which linears are adapted, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Lora {
    pub rank: usize,
    pub alpha: f32,
    pub targets: Vec<Target>,
    /// Scale by alpha / sqrt(r) instead of alpha / r (rsLoRA, Kalajdzievski, arXiv 2312.03732).
    pub rank_stabilised: bool,
}

impl Lora {
    /// s, the factor of B A.
    pub fn scale(&self) -> f32 {
        let rank = self.rank as f32;
        self.alpha / if self.rank_stabilised { rank.sqrt() } else { rank }
    }

    /// A fresh adapter in [`AdapterLayout`]'s order: A uniform in ±1/sqrt(in) (PEFT's kaiming_uniform with
    /// a = sqrt 5), B zero, so that training starts exactly at the base.
    pub fn initial(&self, config: &LlamaConfig, seed: u64) -> (AdapterLayout, Vec<f32>) {
        let layout = AdapterLayout::new(config, self.rank, &self.targets);
        let mut values = vec![0.0; layout.words];
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for (name, place) in &layout.tensors {
            if name.ends_with("lora_A.weight") {
                let bound = 1.0 / (place.shape[1] as f32).sqrt();
                values[place.range()].fill_with(|| rng.random_range(-bound..bound));
            }
        }
        (layout, values)
    }
}
