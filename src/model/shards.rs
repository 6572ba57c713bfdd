//! Weights in several safetensors files, as `model.safetensors.index.json` lists them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use serde::Deserialize;

use super::checkpoint::Checkpoint;
use super::config_json::invalid;
use super::source::Source;
use super::weights::is_derived;
use crate::error::Result;

/// The index's name in a model's folder.
pub const INDEX: &str = "model.safetensors.index.json";

/// Gives the file of a name.
pub type Open<'a> = &'a dyn Fn(&str) -> io::Result<Box<dyn Source>>;

#[derive(Deserialize)]
struct Index {
    /// File by tensor.
    weight_map: BTreeMap<String, String>,
}

/// The tensors in the shards that `index` lists.
///
/// # Errors
/// An index that leads out of the folder; a shard that is missing or damaged; a shard without a tensor that
/// the index looks for in it, or with one that it does not.
pub fn read(index: &[u8], open: Open) -> Result<Checkpoint<'static>> {
    let wrong = |field: &str, message: &str, remedy: &str| invalid(INDEX, field, message, remedy);
    let index: Index = serde_json::from_slice(index)
        .map_err(|error| wrong("the file", &error.to_string(), "It is damaged; fetch it again"))?;
    let mut shards: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (tensor, shard) in &index.weight_map {
        shards.entry(shard).or_default().insert(tensor);
    }
    let mut all = Checkpoint::default();
    for (shard, expected) in shards {
        if shard.contains(['/', '\\', ':']) || shard.contains("..") || !shard.ends_with(".safetensors") {
            let remedy = "Name .safetensors files that lie beside the index";
            return Err(wrong("weight_map", &format!("{shard:?} is no file's name"), remedy));
        }
        let source = open(shard).map_err(|error| {
            let remedy = format!("Put {shard} beside {INDEX}");
            wrong("weight_map", &format!("{shard} cannot be read: {error}"), &remedy)
        })?;
        let tensors = Checkpoint::safetensors(shard, source)?;
        let there: BTreeSet<&str> = tensors.names().collect();
        let unlisted = there.iter().find(|name| !expected.contains(*name) && !is_derived(name));
        let absent = expected.iter().find(|name| !there.contains(*name) && !is_derived(name));
        if let Some((name, message)) = unlisted
            .map(|name| (*name, format!("{INDEX} does not list it in this file")))
            .or(absent.map(|name| (*name, format!("missing, though {INDEX} lists it in this file"))))
        {
            return Err(invalid(shard, name, &message, "Fetch index and shards of one model again"));
        }
        all.append(tensors);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::weights::{Array, Precision, Weights, write};
    use proptest::prelude::*;
    use serde_json::json;

    fn shard(names: &[&str]) -> Vec<u8> {
        let tensor = |name: &&str| (name.to_string(), Array::new(vec![1], vec![1.5]).unwrap());
        write(&names.iter().map(tensor).collect(), Precision::F16).unwrap()
    }

    fn open(name: &str) -> io::Result<Box<dyn Source>> {
        match name {
            "1.safetensors" => Ok(Box::new(shard(&["a", "b"]))),
            "2.safetensors" => Ok(Box::new(shard(&["c"]))),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn read_map(map: serde_json::Value) -> Result<Weights> {
        let index = json!({"metadata": {"total_size": 1u64 << 60}, "weight_map": map}).to_string();
        read(index.as_bytes(), &open)?.all()
    }

    #[test]
    fn shards_are_joined() {
        let map = json!({"a": "1.safetensors", "b": "1.safetensors", "c": "2.safetensors"});
        assert_eq!(read_map(map).unwrap().into_keys().collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    /// transformers has stopped saving rotary frequencies, so index and shards may disagree about them.
    #[test]
    fn derived_tensors_may_be_listed_or_not() {
        let frequencies = "model.layers.0.self_attn.rotary_emb.inv_freq";
        let open: Open = &|name| {
            Ok(Box::new(if name == "1.safetensors" { shard(&["a"]) } else { shard(&["b", frequencies]) }))
        };
        for listed in [
            json!({"a": "1.safetensors", "b": "2.safetensors"}),
            json!({"a": "1.safetensors",
            frequencies: "1.safetensors", "b": "2.safetensors"}),
        ] {
            let index = json!({"weight_map": listed}).to_string();
            assert!(read(index.as_bytes(), open).unwrap().names().any(|name| name == "b"));
        }
    }

    #[test]
    fn wrong_indexes_are_named() {
        for (map, file, field) in [
            (json!({"a": "1.safetensors"}), "1.safetensors", "b"),
            (json!({"a": "1.safetensors", "b": "1.safetensors", "d": "1.safetensors"}), "1.safetensors", "d"),
            (json!({"a": "3.safetensors"}), INDEX, "3.safetensors"),
            (json!({"a": "../1.safetensors"}), INDEX, "../1.safetensors"),
            (json!({"a": "x/1.safetensors"}), INDEX, "x/1.safetensors"),
            (json!({"a": "config.json"}), INDEX, "config.json"),
            (json!({"a": 1}), INDEX, "the file"),
            (json!(null), INDEX, "the file"),
        ] {
            let error = read_map(map).unwrap_err().to_string();
            assert!(error.starts_with(file) && error.contains(field), "{error}");
        }
    }

    proptest! {
        #[test]
        fn damaged_indexes_are_errors(at in 0usize..100, value: u8, cut in 0usize..200) {
            let mut bytes = json!({"weight_map": {"a": "1.safetensors", "b": "1.safetensors"}}).to_string().into_bytes();
            let index = at % bytes.len();
            bytes[index] = value;
            let _ = read(&bytes, &open);
            bytes.truncate(cut % bytes.len());
            prop_assert!(read(&bytes, &open).is_err());
        }
    }
}
