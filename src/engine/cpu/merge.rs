//! Adapters by linear layer, and the weights with adapters merged into them.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use candle_core::{Device, Tensor, Var};

use crate::error::Result;
use crate::model::config::LlamaConfig;
use crate::model::layout::{AdapterLayout, LORA_A, LORA_B, MAGNITUDE};
use crate::model::lora::{AdapterStart, Lora};
use crate::model::weights::{Array, Weights};
use crate::reference::adapter::{LinearAdapter, row_norms};
use crate::reference::llama::{Named, named, tensor};

/// What PEFT puts before Hugging Face's names.
pub(in crate::engine) const PREFIX: &str = "base_model.model.";

/// Every weight: the trained one where there is one, with an adapter's part.
pub(super) fn merge(
    base: &Named,
    adapters: &BTreeMap<String, LinearAdapter>,
    trained: impl Fn(&str) -> Option<Tensor>,
) -> Result<HashMap<String, Tensor>> {
    let mut tensors = HashMap::new();
    for (name, tensor) in base {
        let mut tensor = trained(name).unwrap_or_else(|| tensor.clone());
        if let Some(adapter) = name.strip_suffix(".weight").and_then(|linear| adapters.get(linear)) {
            tensor = adapter.merge(&tensor)?;
        }
        tensors.insert(name.clone(), tensor);
    }
    Ok(tensors)
}

pub(super) fn arrays(tensors: HashMap<String, Tensor>) -> Result<Weights> {
    tensors.into_iter().map(|(name, tensor)| Ok((name, array(&tensor)?))).collect()
}

pub(super) fn array(tensor: &Tensor) -> Result<Array> {
    Array::new(tensor.dims().to_vec(), tensor.flatten_all()?.to_vec1()?)
}

/// A base's weights with an adapter's tensors, under PEFT's names, merged into them.
pub fn merge_adapter(config: &LlamaConfig, base: Weights, lora: &Lora, tensors: Weights) -> Result<Weights> {
    let base = named(base)?;
    let adapters = adapters_at(config, &base, lora, &AdapterStart::Tensors(Rc::new(tensors)))?;
    arrays(merge(&base, &adapters, |_| None)?)
}

/// The weight of one linear layer with an adapter's A, B and, for DoRA, magnitudes merged into it.
pub(in crate::engine) fn merge_linear(
    weight: Array,
    lora: &Lora,
    [a, b]: [Array; 2],
    magnitude: Option<Array>,
) -> Result<Array> {
    let var = |array: Array| -> Result<Var> { Ok(Var::from_tensor(&tensor(array)?)?) };
    let magnitude = magnitude.map(var).transpose()?;
    let adapter = LinearAdapter { a: var(a)?, b: var(b)?, scale: f64::from(lora.scale()), magnitude };
    array(&adapter.merge(&tensor(weight)?)?)
}

/// Adapters by linear layer. A fresh one starts as on the GPU: with one draw of the seed.
pub(super) fn adapters_at(
    config: &LlamaConfig,
    base: &Named,
    lora: &Lora,
    start: &AdapterStart,
) -> Result<BTreeMap<String, LinearAdapter>> {
    let (tensors, fresh) = match start {
        AdapterStart::Seed(seed) => (Rc::new(lora.initial(config, *seed)), true),
        AdapterStart::Tensors(tensors) => (tensors.clone(), false),
    };
    // Checks names and shapes.
    AdapterLayout::new(config, lora).pack(&tensors)?;
    let tensor = |array: &Array| Tensor::from_slice(&array.data, array.shape.as_slice(), &Device::Cpu);
    let mut adapters = BTreeMap::new();
    for (name, a) in &tensors.iter().filter(|(name, _)| name.ends_with(LORA_A)).collect::<Vec<_>>() {
        let peft = name.trim_end_matches(LORA_A);
        let linear = peft.trim_start_matches(PREFIX).trim_end_matches('.');
        let magnitude = match lora.dora {
            false => None,
            true if fresh => Some(Var::from_tensor(&row_norms(&base[&format!("{linear}.weight")])?)?),
            true => Some(Var::from_tensor(&tensor(&tensors[&format!("{peft}{MAGNITUDE}")])?)?),
        };
        let adapter = LinearAdapter {
            a: Var::from_tensor(&tensor(a)?)?,
            b: Var::from_tensor(&tensor(&tensors[&format!("{peft}{LORA_B}")])?)?,
            scale: f64::from(lora.scale()),
            magnitude,
        };
        adapters.insert(linear.to_string(), adapter);
    }
    Ok(adapters)
}
