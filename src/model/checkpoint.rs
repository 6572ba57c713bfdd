//! A model's weights where they were saved: the tensors are listed, and each is read when it is asked for.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use safetensors::tensor::Metadata;

use super::config::LlamaConfig;
use super::config_json::invalid;
use super::encoding::Encoding;
use super::source::Source;
use super::weights::{Array, Weights, is_derived};
use crate::error::{Error, Result, megabytes};

const EMBEDDING: &str = "model.embed_tokens.weight";
const HEAD: &str = "lm_head.weight";
/// Longest header that the safetensors crate takes.
const LONGEST_HEADER: u64 = 100_000_000;
/// Rows of two matrices that are compared at a time.
const ROWS: usize = 1024;

/// Where tensors come from, each asked for once.
pub trait Provide {
    /// # Errors
    /// A tensor that is missing or cannot be read, by its name.
    fn take(&mut self, name: &str) -> Result<Array>;
}

impl Provide for Weights {
    fn take(&mut self, name: &str) -> Result<Array> {
        let missing = || Error::Shape { op: "load", message: format!("{name} is missing") };
        self.remove(name).ok_or_else(missing)
    }
}

impl Provide for &Checkpoint<'_> {
    fn take(&mut self, name: &str) -> Result<Array> {
        self.read(name)
    }
}

impl Provide for Box<dyn Provide + '_> {
    fn take(&mut self, name: &str) -> Result<Array> {
        (**self).take(name)
    }
}

/// A tensor in a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    pub shape: Vec<usize>,
    pub encoding: Encoding,
    /// Where its bytes begin in the file; as many follow as shape and encoding ask for.
    pub offset: u64,
    /// Heads and their width where llama.cpp's order of rows is to be undone.
    pub turned: Option<[usize; 2]>,
}

struct File<'a> {
    /// How errors call it.
    name: String,
    source: Box<dyn Source + 'a>,
}

/// Tensors in one or several files.
#[derive(Default)]
pub struct Checkpoint<'a> {
    files: Vec<File<'a>>,
    /// By name: the number of the file, and the place in it.
    tensors: BTreeMap<String, (usize, Stored)>,
}

impl<'a> Checkpoint<'a> {
    /// These tensors of one file.
    pub fn of(file: &str, source: Box<dyn Source + 'a>, tensors: BTreeMap<String, Stored>) -> Self {
        let tensors = tensors.into_iter().map(|(name, stored)| (name, (0, stored))).collect();
        Self { files: vec![File { name: file.into(), source }], tensors }
    }

    /// A safetensors file.
    ///
    /// # Errors
    /// What is wrong with its header; a tensor of numbers that are not read.
    pub fn safetensors(file: &str, source: Box<dyn Source + 'a>) -> Result<Self> {
        let tensors = safetensors_header(file, &*source)?;
        Ok(Self::of(file, source, tensors))
    }

    /// Takes up the tensors of another one.
    pub fn append(&mut self, other: Self) {
        let first = self.files.len();
        self.files.extend(other.files);
        self.tensors.extend(other.tensors.into_iter().map(|(name, (file, at))| (name, (first + file, at))));
    }

    /// The tensors' names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Leaves out the tensors that are not wanted.
    pub fn retain(&mut self, is_wanted: impl Fn(&str) -> bool) {
        self.tensors.retain(|name, _| is_wanted(name));
    }

    /// A tensor's values.
    ///
    /// # Errors
    /// A tensor that is missing or cannot be read, or that holds a value which is not finite.
    pub fn read(&self, name: &str) -> Result<Array> {
        let rows = self.tensors.get(name).map_or(0, |(_, stored)| stored.shape.first().copied().unwrap_or(1));
        let (file, stored, data) = self.rows(name, 0..rows)?;
        if !data.iter().all(|value| value.is_finite()) {
            let remedy = "Use weights that belong to this configuration";
            return Err(invalid(file, name, "holds a value that is not finite", remedy));
        }
        Array::new(stored.shape.clone(), data)
    }

    /// Every tensor.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn all(&self) -> Result<Weights> {
        self.names().map(|name| Ok((name.to_owned(), self.read(name)?))).collect()
    }

    /// The file's name, the place and the values of some of a tensor's rows.
    fn rows(&self, name: &str, rows: Range<usize>) -> Result<(&str, &Stored, Vec<f32>)> {
        let missing = || Error::Shape { op: "load", message: format!("{name} is missing") };
        let (file, stored) = self.tensors.get(name).ok_or_else(missing)?;
        let File { name: file, source } = &self.files[*file];
        let whole: usize = stored.shape.iter().skip(1).product();
        let size = |rows: usize| stored.encoding.size(&[rows * whole / row_of(stored), row_of(stored)]);
        let [start, end] = [rows.start, rows.end].map(|row| size(row).unwrap_or(0) as u64 + stored.offset);
        let bytes = source.read(start..end).map_err(|error| {
            invalid(file, name, &format!("it cannot be read: {error}"), "Fetch the file again")
        })?;
        let bytes = match stored.turned {
            Some([heads, head_dim]) => Cow::Owned(unpermute(&bytes, heads, head_dim)),
            None => bytes,
        };
        Ok((file, stored, stored.encoding.decode(&bytes)?))
    }

    /// Checks that these are the tensors of `config`, no fewer, and with its shapes. Leaves out what the model computes
    /// itself (rotary frequencies) and a copy of a tied output layer.
    ///
    /// A file may say that the output layer is the embedding and hold two different ones: then the layers are those that
    /// were saved, as in transformers 5, `config` is corrected, and what is returned says so. Where the output layer
    /// alone was saved it is the embedding.
    ///
    /// Allocates by what is there, not by how many layers the configuration claims.
    ///
    /// # Errors
    /// [`Error::Format`] naming the tensor.
    pub fn fit(&mut self, config: &mut LlamaConfig, file: &str) -> Result<Option<String>> {
        self.retain(|name| !is_derived(name));
        let mut note = None;
        if config.tie_word_embeddings && self.tensors.contains_key(HEAD) {
            if !self.tensors.contains_key(EMBEDDING) {
                let head = self.tensors.remove(HEAD);
                self.tensors.extend(head.map(|head| (EMBEDDING.into(), head)));
            } else if self.are_equal(EMBEDDING, HEAD)? {
                self.tensors.remove(HEAD);
            } else {
                config.tie_word_embeddings = false;
                note = Some(format!(
                    "{file}: tie_word_embeddings is true, but the saved {HEAD} is not {EMBEDDING}; each is used as it was saved"
                ));
            }
        }
        self.check(config.each_tensor(), file)?;
        Ok(note)
    }

    /// Whether two matrices hold the same numbers.
    fn are_equal(&self, a: &str, b: &str) -> Result<bool> {
        let shape = |name: &str| &self.tensors[name].1.shape;
        if shape(a) != shape(b) {
            return Ok(false);
        }
        let rows = shape(a).first().copied().unwrap_or(0);
        for start in (0..rows).step_by(ROWS) {
            let some = start..(start + ROWS).min(rows);
            if self.rows(a, some.clone())?.2 != self.rows(b, some)?.2 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn check(&self, expected: impl Iterator<Item = (String, Vec<usize>)>, file: &str) -> Result<()> {
        let problem = |field: &str, message: &str| {
            Err(invalid(file, field, message, "Use weights that belong to this configuration"))
        };
        let mut found = BTreeSet::new();
        for (name, shape) in expected {
            match self.tensors.get(&name) {
                None => return problem(&name, "missing"),
                Some((_, stored)) if stored.shape != shape => {
                    let message = format!("shape {:?}, the configuration gives {shape:?}", stored.shape);
                    return problem(&name, &message);
                }
                Some(_) => found.insert(name),
            };
        }
        match self.names().find(|name| !found.contains(*name)) {
            Some(name) => problem(name, "not a tensor of this model"),
            None => Ok(()),
        }
    }
}

/// Values of a row of blocks.
fn row_of(stored: &Stored) -> usize {
    stored.shape.last().copied().unwrap_or(1).max(1)
}

/// The tensors of a safetensors file, from its header alone.
fn safetensors_header(file: &str, source: &dyn Source) -> Result<BTreeMap<String, Stored>> {
    let damaged = |message: &str| {
        invalid(file, "header", message, "The file is damaged or no safetensors file; fetch it again")
    };
    let bytes = |range: Range<u64>| source.read(range).map_err(|error| damaged(&error.to_string()));
    let mut length = [0; 8];
    length.copy_from_slice(&bytes(0..8)?);
    let length = u64::from_le_bytes(length);
    if length > LONGEST_HEADER.min(source.size()) {
        return Err(damaged("it is longer than the file, or than 100 MB"));
    }
    if usize::try_from(source.size()).is_err() {
        let message = format!("{} are more than a page can address", megabytes(source.size()));
        let remedy = "Use the same model in shards, as a GGUF file, or a smaller one";
        return Err(invalid(file, "the file", &message, remedy));
    }
    let data = 8 + length;
    let metadata: Metadata =
        serde_json::from_slice(&bytes(8..data)?).map_err(|error| damaged(&error.to_string()))?;
    let mut infos: Vec<_> = metadata.tensors().into_iter().collect();
    infos.sort_by_key(|(_, info)| info.data_offsets);
    let (mut tensors, mut end) = (BTreeMap::new(), 0);
    for (name, info) in infos {
        let encoding = Encoding::from_safetensors(info.dtype).ok_or_else(|| Error::Unsupported {
            feature: format!("{file}: tensor {name} of type {:?}", info.dtype),
            remedy: "Convert it to f32, f16 or bf16".to_string(),
        })?;
        // One after the other, so that a byte belongs to one tensor and cannot be read many times over.
        let size = encoding.size(if info.shape.is_empty() { &[1] } else { &info.shape });
        if info.data_offsets.0 != end || size != info.data_offsets.1.checked_sub(end) {
            return Err(damaged(&format!("{name} does not lie where its shape says")));
        }
        let offset = data + end as u64;
        end = info.data_offsets.1;
        tensors.insert(name, Stored { shape: info.shape.clone(), encoding, offset, turned: None });
    }
    match data.checked_add(end as u64) == Some(source.size()) {
        true => Ok(tensors),
        false => Err(damaged("the file is shorter or longer than its tensors")),
    }
}

/// Rows of q or k, (H * D, C) in whatever encoding, from llama.cpp's order to Hugging Face's: llama.cpp turns
/// neighbours (2i, 2i + 1) of a head together, Hugging Face (i, i + D/2).
///
/// Source: `LlamaTensorProcessor` of transformers, which undoes the permutation of convert_hf_to_gguf.py.
fn unpermute(bytes: &[u8], heads: usize, head_dim: usize) -> Vec<u8> {
    let row = bytes.len() / (heads * head_dim);
    let mut out = Vec::with_capacity(bytes.len());
    for head in 0..heads {
        for half in 0..2 {
            for i in 0..head_dim / 2 {
                let from = head * head_dim + 2 * i + half;
                out.extend_from_slice(&bytes[from * row..(from + 1) * row]);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::weights::{Precision, write};

    fn config() -> LlamaConfig {
        let json = br#"{"hidden_size":2,"intermediate_size":2,"num_hidden_layers":1,
            "num_attention_heads":1,"vocab_size":3,"tie_word_embeddings":true}"#;
        LlamaConfig::from_json(json).unwrap()
    }

    fn zeros() -> Weights {
        let zeros = |shape: Vec<usize>| Array::new(shape.clone(), vec![0.0; shape.iter().product()]).unwrap();
        config().tensors().into_iter().map(|(name, shape)| (name, zeros(shape))).collect()
    }

    /// What is read of a file of these tensors, the configuration, and what was noted.
    fn fitted(weights: &Weights) -> Result<(Weights, LlamaConfig, Option<String>)> {
        let file = write(weights, Precision::F32)?;
        let (mut config, mut saved) = (config(), Checkpoint::safetensors("test", Box::new(file))?);
        let note = saved.fit(&mut config, "test")?;
        Ok((saved.all()?, config, note))
    }

    #[test]
    fn an_output_layer_that_should_be_the_embedding() {
        let mut both = zeros();
        both.insert(HEAD.into(), both[EMBEDDING].clone());
        assert_eq!(fitted(&both).unwrap().0, zeros(), "a tied copy is dropped");
        let mut only_head = both.clone();
        only_head.remove(EMBEDDING);
        let (read, _, note) = fitted(&only_head).unwrap();
        assert_eq!((read, note), (zeros(), None), "the one that is saved is both");
        let mut two = zeros();
        two.insert(HEAD.into(), Array { data: vec![1.0; 6], ..two[EMBEDDING].clone() });
        let (read, corrected, note) = fitted(&two).unwrap();
        assert!(note.unwrap().contains("tie_word_embeddings") && !corrected.tie_word_embeddings);
        assert_eq!(read[HEAD].data, [1.0; 6]);
    }

    #[test]
    fn wrong_tensors_are_named() {
        let with = |change: &dyn Fn(&mut Weights)| {
            let mut weights = zeros();
            change(&mut weights);
            fitted(&weights).unwrap_err().to_string()
        };
        const NORM: &str = "model.norm.weight";
        assert!(with(&|w| drop(w.remove(NORM))).contains("model.norm.weight: missing"));
        assert!(with(&|w| drop(w.insert("x".into(), w[NORM].clone()))).contains("x: not a tensor"));
        assert!(with(&|w| w.get_mut(NORM).unwrap().shape = vec![2, 1]).contains("[2, 1]"));
        assert!(with(&|w| w.get_mut(NORM).unwrap().data[0] = f32::NAN).contains("finite"));
    }

    /// A file that ends early, as a download that was cut off does.
    #[test]
    fn a_file_that_ends_early_is_refused() {
        let file = write(&zeros(), Precision::F32).unwrap();
        for length in [0, 7, 8, 100, file.len() - 1] {
            let cut = Box::new(file[..length].to_vec());
            assert!(Checkpoint::safetensors("test", cut).is_err(), "{length}");
        }
    }
}
