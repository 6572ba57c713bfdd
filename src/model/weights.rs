//! Weights as safetensors: read as f32, written as f32 or f16, with Hugging Face's names.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use half::{bf16, f16};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::config::LlamaConfig;
use crate::error::{Error, Result};

/// A tensor in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    pub shape: Vec<usize>,
    /// As many values as the product of `shape`.
    pub data: Vec<f32>,
}

impl Array {
    /// An array; refuses a length that does not fit the shape.
    pub fn new(shape: Vec<usize>, data: Vec<f32>) -> Result<Self> {
        if shape.iter().product::<usize>() != data.len() {
            let message = format!("{} values for shape {shape:?}", data.len());
            return Err(Error::Shape { op: "array", message });
        }
        Ok(Array { shape, data })
    }
}

/// Tensors by name.
pub type Weights = BTreeMap<String, Array>;

/// How numbers are written, or held in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    #[default]
    F32,
    F16,
}

impl Precision {
    /// As config.json names it.
    pub fn dtype(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::F16 => "float16",
        }
    }
}

/// Reads every tensor of a safetensors file; `file` names it in errors.
///
/// Allocates no more than a small multiple of `bytes`, whatever the header claims.
pub fn read(bytes: &[u8], file: &str) -> Result<Weights> {
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| Error::Format {
        file: file.to_string(),
        field: "header".to_string(),
        message: error.to_string(),
        remedy: "The file is damaged or no safetensors file; fetch it again".to_string(),
    })?;
    let mut weights = Weights::new();
    for (name, view) in tensors.tensors() {
        let data = numbers(&view).ok_or_else(|| Error::Unsupported {
            feature: format!("{file}: tensor {name} of type {:?}", view.dtype()),
            remedy: "Convert it to f32, f16 or bf16".to_string(),
        })?;
        weights.insert(name, Array::new(view.shape().to_vec(), data)?);
    }
    Ok(weights)
}

fn numbers(view: &TensorView<'_>) -> Option<Vec<f32>> {
    let bytes = view.data();
    match view.dtype() {
        Dtype::F32 => Some(each(bytes, f32::from_le_bytes)),
        Dtype::F16 => Some(each(bytes, |pair| f16::from_le_bytes(pair).to_f32())),
        Dtype::BF16 => Some(each(bytes, |pair| bf16::from_le_bytes(pair).to_f32())),
        _ => None,
    }
}

pub(super) fn each<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (chunks, _) = bytes.as_chunks::<N>();
    chunks.iter().map(|chunk| number(*chunk)).collect()
}

/// Whether a tensor of older files is one that the model computes itself.
pub(super) fn is_derived(name: &str) -> bool {
    name.ends_with("rotary_emb.inv_freq")
}

/// Checks that `weights` are the tensors of `config`, no fewer, and with its shapes. Removes what
/// the model computes itself (rotary frequencies) and a copy of a tied output layer.
///
/// A file may say that the output layer is the embedding and hold two different ones: then the layers are those that
/// were saved, as in transformers 5, `config` is corrected, and what is returned says so. Where the output layer alone
/// was saved it is the embedding.
///
/// Allocates by what `weights` holds, not by how many layers the configuration claims.
///
/// # Errors
/// [`Error::Format`] naming the tensor.
pub fn fit(weights: &mut Weights, config: &mut LlamaConfig, file: &str) -> Result<Option<String>> {
    const EMBEDDING: &str = "model.embed_tokens.weight";
    const HEAD: &str = "lm_head.weight";
    weights.retain(|name, _| !is_derived(name));
    let mut note = None;
    if config.tie_word_embeddings
        && let Some(head) = weights.remove(HEAD)
    {
        match weights.get(EMBEDDING) {
            Some(embedding) if *embedding == head => {}
            Some(_) => {
                weights.insert(HEAD.into(), head);
                config.tie_word_embeddings = false;
                note = Some(format!(
                    "{file}: tie_word_embeddings is true, but the saved {HEAD} is not {EMBEDDING}; each is used as it was saved"
                ));
            }
            None => drop(weights.insert(EMBEDDING.into(), head)),
        }
    }
    check(weights, config.each_tensor(), file, "Use weights that belong to this configuration")?;
    Ok(note)
}

/// Checks that `weights` are the `expected` tensors, by name and shape, and finite; `file` and `remedy` are for
/// the error, which names the tensor.
pub(super) fn check(
    weights: &Weights,
    expected: impl Iterator<Item = (String, Vec<usize>)>,
    file: &str,
    remedy: &str,
) -> Result<()> {
    let problem = |field: &str, message: String| Error::Format {
        file: file.to_string(),
        field: field.to_string(),
        message,
        remedy: remedy.to_string(),
    };
    let mut found = BTreeSet::new();
    for (name, shape) in expected {
        match weights.get(&name) {
            None => return Err(problem(&name, "missing".to_string())),
            Some(array) if array.shape != shape => {
                let message = format!("shape {:?}, the configuration gives {shape:?}", array.shape);
                return Err(problem(&name, message));
            }
            Some(array) if !array.data.iter().all(|value| value.is_finite()) => {
                return Err(problem(&name, "holds a value that is not finite".to_string()));
            }
            Some(_) => found.insert(name),
        };
    }
    match weights.keys().find(|name| !found.contains(*name)) {
        Some(name) => Err(problem(name, "not a tensor of this model".to_string())),
        None => Ok(()),
    }
}

/// Writes `weights` as a safetensors file.
pub fn write(weights: &Weights, precision: Precision) -> Result<Vec<u8>> {
    let dtype = match precision {
        Precision::F32 => Dtype::F32,
        Precision::F16 => Dtype::F16,
    };
    let encoded: Vec<(&String, &Array, Vec<u8>)> =
        weights.iter().map(|(name, array)| (name, array, encode(&array.data, precision))).collect();
    let mut views = Vec::with_capacity(encoded.len());
    for (name, array, bytes) in &encoded {
        let view = TensorView::new(dtype, array.shape.clone(), bytes)
            .map_err(|error| Error::Shape { op: "write_safetensors", message: format!("{name}: {error}") })?;
        views.push((name.as_str(), view));
    }
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    safetensors::serialize(views, Some(metadata))
        .map_err(|error| Error::Shape { op: "write_safetensors", message: error.to_string() })
}

fn encode(data: &[f32], precision: Precision) -> Vec<u8> {
    match precision {
        Precision::F32 => data.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Precision::F16 => data.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect(),
    }
}

/// Rounds every value to the nearest f16, as writing and reading would.
pub fn round_to_f16(weights: &mut Weights) {
    for array in weights.values_mut() {
        array.data.iter_mut().for_each(|value| *value = f16::from_f32(*value).to_f32());
    }
}

/// [`round_to_f16`] of the matrices, which are what [`Precision::F16`] holds as f16 in memory; norms stay.
///
/// # Errors
/// [`Error::Setting`] for a tensor with a value beyond f16's range.
pub fn round_matrices(weights: &mut Weights) -> Result<()> {
    for (name, array) in weights.iter_mut().filter(|(_, array)| array.shape.len() > 1) {
        for value in &mut array.data {
            let rounded = f16::from_f32(*value).to_f32();
            if value.is_finite() && rounded.is_infinite() {
                let message = format!("{name} holds {value}, f16 ends at {}", f16::MAX);
                let remedy = "Hold the weights as f32".into();
                return Err(Error::Setting { field: "weights", message, remedy });
            }
            *value = rounded;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn some() -> Weights {
        let array = Array::new(vec![2, 3], vec![0.0, 1.0, -2.5, 1e-3, 65504.0, -0.1]).unwrap();
        Weights::from([("a".to_string(), array)])
    }

    #[test]
    fn f32_survives_and_f16_rounds() {
        let read_back = |precision| read(&write(&some(), precision).unwrap(), "test").unwrap();
        assert_eq!(read_back(Precision::F32), some());
        let mut rounded = some();
        round_to_f16(&mut rounded);
        assert_eq!(read_back(Precision::F16), rounded);
    }

    #[test]
    fn bf16_is_read_and_integers_are_refused() {
        let bytes: Vec<u8> = [1.5f32, -2.0].iter().flat_map(|x| bf16::from_f32(*x).to_le_bytes()).collect();
        let file = |dtype| {
            let view = TensorView::new(dtype, vec![2], &bytes).unwrap();
            safetensors::serialize([("a", view)], None).unwrap()
        };
        assert_eq!(read(&file(Dtype::BF16), "test").unwrap()["a"].data, [1.5, -2.0]);
        let error = read(&file(Dtype::I16), "test").unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    }

    #[test]
    fn wrong_tensors_are_named() {
        let json = br#"{"hidden_size":2,"intermediate_size":2,"num_hidden_layers":1,
            "num_attention_heads":1,"vocab_size":3,"tie_word_embeddings":true}"#;
        let config = LlamaConfig::from_json(json).unwrap();
        let zeros = |shape: &Vec<usize>| Array::new(shape.clone(), vec![0.0; shape.iter().product()]);
        let mut good: Weights =
            config.tensors().iter().map(|(name, shape)| (name.clone(), zeros(shape).unwrap())).collect();
        let (embedding, head) = ("model.embed_tokens.weight", "lm_head.weight");
        good.insert(head.to_string(), good[embedding].clone());
        fit(&mut good, &mut config.clone(), "test").unwrap();
        assert!(!good.contains_key("lm_head.weight"), "a tied copy is dropped");
        let mut only_head = good.clone();
        let saved = only_head.remove(embedding).unwrap();
        only_head.insert(head.to_string(), saved);
        assert_eq!(fit(&mut only_head, &mut config.clone(), "test").unwrap(), None);
        assert_eq!(only_head, good, "the one that is saved is both");
        let (mut two, mut corrected) = (good.clone(), config.clone());
        two.insert(head.to_string(), Array { data: vec![1.0; 6], ..good[embedding].clone() });
        let note = fit(&mut two, &mut corrected, "test").unwrap().unwrap();
        assert!(note.contains("tie_word_embeddings") && !corrected.tie_word_embeddings, "{note}");
        assert_eq!(two[head].data, [1.0; 6]);
        let with = |change: &dyn Fn(&mut Weights)| {
            let mut weights = good.clone();
            change(&mut weights);
            fit(&mut weights, &mut config.clone(), "test").unwrap_err().to_string()
        };
        assert!(with(&|w| drop(w.remove("model.norm.weight"))).contains("model.norm.weight: missing"));
        assert!(with(&|w| drop(w.insert("x".to_string(), some()["a"].clone()))).contains("x: not a tensor"));
        assert!(with(&|w| w.get_mut("model.norm.weight").unwrap().shape = vec![2, 1]).contains("[2, 1]"));
        assert!(with(&|w| w.get_mut("model.norm.weight").unwrap().data[0] = f32::NAN).contains("finite"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_errors(bytes: Vec<u8>) {
            prop_assert!(read(&bytes, "test").is_err());
        }

        #[test]
        fn damaged_files_are_errors(at in 0usize..200, value: u8, cut in 0usize..200) {
            let mut bytes = write(&some(), Precision::F16).unwrap();
            let index = at % bytes.len();
            bytes[index] = value;
            bytes.truncate(bytes.len() - cut % bytes.len());
            let _ = read(&bytes, "test"); // an error or numbers, never a panic
        }
    }

    #[test]
    fn a_header_that_claims_too_much_is_an_error() {
        let header = br#"{"a":{"dtype":"F32","shape":[1152921504606846976,16],"data_offsets":[0,8]}}"#;
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(header);
        bytes.extend_from_slice(&[0; 8]);
        assert!(matches!(read(&bytes, "test"), Err(Error::Format { .. })));
        assert!(read(&u64::MAX.to_le_bytes(), "test").is_err());
    }
}
