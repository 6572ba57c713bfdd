//! Weights as safetensors: read as f32, written as f32 or f16, with Hugging Face's names.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use half::f16;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::checkpoint::Checkpoint;
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
///
/// # Errors
/// What is wrong with the file; a value that is not finite.
pub fn read(bytes: &[u8], file: &str) -> Result<Weights> {
    Checkpoint::safetensors(file, Box::new(bytes))?.all()
}

/// Whether a tensor of older files is one that the model computes itself.
pub(super) fn is_derived(name: &str) -> bool {
    name.ends_with("rotary_emb.inv_freq")
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
    let mut bytes = header(weights.iter().map(|(name, array)| (name.as_str(), &*array.shape)), precision)?;
    weights.values().for_each(|array| bytes.extend(encode(&array.data, precision)));
    Ok(bytes)
}

/// What a safetensors file of these tensors begins with; their values follow, in the same order, as [`encode`] gives
/// them.
pub fn header<'a>(
    tensors: impl Iterator<Item = (&'a str, &'a [usize])>,
    precision: Precision,
) -> Result<Vec<u8>> {
    let failed = |message: String| Error::Shape { op: "write_safetensors", message };
    let (dtype, width) = match precision {
        Precision::F32 => (Dtype::F32, 4),
        Precision::F16 => (Dtype::F16, 2),
    };
    let mut end = 0;
    let infos = tensors.map(|(name, shape)| {
        let start = end;
        end += shape.iter().product::<usize>() * width;
        (name.to_string(), TensorInfo { dtype, shape: shape.to_vec(), data_offsets: (start, end) })
    });
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    let metadata = Metadata::new(Some(metadata), infos.collect()).map_err(|e| failed(e.to_string()))?;
    let mut json = serde_json::to_vec(&metadata).map_err(|e| failed(e.to_string()))?;
    // Values begin at a multiple of eight.
    json.resize(json.len().next_multiple_of(8), b' ');
    Ok([&(json.len() as u64).to_le_bytes(), json.as_slice()].concat())
}

/// Values as a safetensors file has them.
pub fn encode(data: &[f32], precision: Precision) -> Vec<u8> {
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

/// [`round_to_f16`] of a matrix, which is what [`Precision::F16`] holds as f16 in memory; norms stay.
///
/// # Errors
/// [`Error::Setting`] for a value beyond f16's range.
pub fn round_matrix(name: &str, array: &mut Array) -> Result<()> {
    if array.shape.len() < 2 {
        return Ok(());
    }
    for value in &mut array.data {
        let rounded = f16::from_f32(*value).to_f32();
        if value.is_finite() && rounded.is_infinite() {
            let message = format!("{name} holds {value}, f16 ends at {}", f16::MAX);
            let remedy = "Hold the weights as f32".into();
            return Err(Error::Setting { field: "weights", message, remedy });
        }
        *value = rounded;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::bf16;
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
            let view = safetensors::tensor::TensorView::new(dtype, vec![2], &bytes).unwrap();
            safetensors::serialize([("a", view)], None).unwrap()
        };
        assert_eq!(read(&file(Dtype::BF16), "test").unwrap()["a"].data, [1.5, -2.0]);
        let error = read(&file(Dtype::I16), "test").unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }), "{error}");
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
