//! LoRA (Hu et al., arXiv 2106.09685): `y = W0 x + s B A x`.

use std::collections::BTreeMap;
use std::rc::Rc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::model::config::LlamaConfig;
use crate::model::layout::{AdapterLayout, LORA_A};
use crate::model::weights::{Array, Weights};
use crate::record::{LoraSpec, Target};

/// Which linears are adapted, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Lora {
    pub rank: usize,
    pub alpha: f32,
    pub targets: Vec<Target>,
    /// Scale by alpha / sqrt(r) instead of alpha / r (rsLoRA, Kalajdzievski, arXiv 2312.03732).
    pub rank_stabilised: bool,
    /// Bring each row of the adapted weight to a trained length (DoRA, Liu et al., arXiv 2402.09353).
    pub dora: bool,
}

/// Where an adapter begins.
#[derive(Clone, Debug, PartialEq)]
pub enum AdapterStart {
    /// A drawn from this seed, B zero, DoRA's magnitudes the lengths of the weight's rows: at the base.
    Seed(u64),
    /// An adapter's tensors under PEFT's names.
    Tensors(Rc<Weights>),
}

impl Lora {
    /// As an arm describes it.
    pub fn of(spec: &LoraSpec) -> Self {
        Self {
            rank: spec.rank as usize,
            alpha: spec.alpha,
            targets: spec.targets.clone(),
            rank_stabilised: spec.rslora,
            dora: spec.dora,
        }
    }

    /// s, the factor of B A.
    pub fn scale(&self) -> f32 {
        let rank = self.rank as f32;
        self.alpha / if self.rank_stabilised { rank.sqrt() } else { rank }
    }

    /// A fresh adapter under PEFT's names: A uniform in ±1/sqrt(in) (PEFT's kaiming_uniform with
    /// a = sqrt 5), B zero. DoRA's magnitudes are zero too: a back end has the weights whose row lengths they
    /// begin with.
    pub fn initial(&self, config: &LlamaConfig, seed: u64) -> Weights {
        let layout = AdapterLayout::new(config, self);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut adapter = BTreeMap::new();
        for (name, place) in &layout.tensors {
            let n = place.range().len();
            let data = match name.ends_with(LORA_A) {
                true => {
                    let bound = 1.0 / (place.shape[1] as f32).sqrt();
                    (0..n).map(|_| rng.random_range(-bound..bound)).collect()
                }
                false => vec![0.0; n],
            };
            adapter.insert(name.clone(), Array { shape: place.shape.clone(), data });
        }
        adapter
    }
}
