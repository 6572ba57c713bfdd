//! Reading models from disk.

use std::path::Path;
use std::{fs, io};

use anyhow::{Context, Result, anyhow, bail};

use crate::model::bundle::{Bundle, Files, TokenizerFiles, WeightFiles};
use crate::model::shards;
use crate::model::source::{OnDisk, Source};

/// Reads a Hugging Face folder or a GGUF file.
///
/// # Errors
/// A missing or broken file, by its path and with what to do about it.
pub fn read(path: &Path) -> Result<Bundle> {
    let bundle = match path.extension() {
        Some(extension) if extension.eq_ignore_ascii_case("gguf") => read_gguf(path),
        _ if path.is_dir() => read_folder(path),
        _ => Err(anyhow!(
            "it is neither a folder with a config.json nor a .gguf file; give --model one of these"
        )),
    };
    let bundle = bundle.with_context(|| format!("the model {}", path.display()))?;
    bundle.notes.iter().for_each(|note| eprintln!("note: {note}"));
    Ok(bundle)
}

fn read_folder(folder: &Path) -> Result<Bundle> {
    let config = required(folder, "config.json")?;
    let tokenizer = Texts::read(folder)?;
    let tokenizer = tokenizer.files().with_context(|| "tokenizer.json is needed in the folder")?;
    let (single, index) = (folder.join("model.safetensors"), optional(folder, shards::INDEX)?);
    let open = |name: &str| OnDisk::open(&folder.join(name)).map(|file| Box::new(file) as Box<dyn Source>);
    let weights = match &index {
        _ if single.exists() => WeightFiles::One(open("model.safetensors")?),
        Some(index) => WeightFiles::Shards { index, open: &open },
        None => bail!("model.safetensors or {} is needed in the folder", shards::INDEX),
    };
    Ok(Bundle::read(Files::Folder { config: &config, tokenizer, weights })?)
}

/// A tokenizer.json beside the file wins over the one inside it.
fn read_gguf(path: &Path) -> Result<Bundle> {
    let file = Box::new(OnDisk::open(path)?);
    let tokenizer = Texts::read(path.parent().unwrap_or(Path::new("")))?;
    Ok(Bundle::read(Files::Gguf { file, tokenizer: tokenizer.files() })?)
}

/// The files of a tokenizer that a folder has.
struct Texts {
    tokenizer: Option<Vec<u8>>,
    config: Option<Vec<u8>>,
    special_tokens_map: Option<Vec<u8>>,
    generation_config: Option<Vec<u8>>,
    chat_template: Option<String>,
}

impl Texts {
    fn read(folder: &Path) -> Result<Self> {
        let template = optional(folder, "chat_template.jinja")?;
        Ok(Self {
            tokenizer: optional(folder, "tokenizer.json")?,
            config: optional(folder, "tokenizer_config.json")?,
            special_tokens_map: optional(folder, "special_tokens_map.json")?,
            generation_config: optional(folder, "generation_config.json")?,
            chat_template: template.map(String::from_utf8).transpose().context("chat_template.jinja")?,
        })
    }

    fn files(&self) -> Option<TokenizerFiles<'_>> {
        Some(TokenizerFiles {
            tokenizer: self.tokenizer.as_deref()?,
            config: self.config.as_deref(),
            special_tokens_map: self.special_tokens_map.as_deref(),
            generation_config: self.generation_config.as_deref(),
            chat_template: self.chat_template.as_deref(),
        })
    }
}

fn required(folder: &Path, name: &str) -> Result<Vec<u8>> {
    optional(folder, name)?.with_context(|| format!("{name} is needed in the folder"))
}

fn optional(folder: &Path, name: &str) -> Result<Option<Vec<u8>>> {
    match fs::read(folder.join(name)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| name.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::weights::{self, Precision, Weights};
    use serde_json::json;
    use tempfile::TempDir;

    const ATLAS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/models/atlas");

    /// A folder with these of Atlas's files.
    fn with(files: &[&str]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            fs::copy(Path::new(ATLAS).join(file), folder.path().join(file)).unwrap();
        }
        folder
    }

    fn message(path: &Path) -> String {
        format!("{:#}", read(path).err().unwrap())
    }

    #[test]
    fn shards_are_the_single_file() {
        let folder = with(&["config.json", "tokenizer.json", "tokenizer_config.json"]);
        let whole = read(Path::new(ATLAS)).unwrap();
        let mut map = serde_json::Map::new();
        let mut shards = [Weights::new(), Weights::new()];
        let all = whole.weights.all().unwrap();
        for (i, (name, array)) in all.iter().enumerate() {
            map.insert(name.clone(), format!("model-{}-of-2.safetensors", i % 2).into());
            shards[i % 2].insert(name.clone(), array.clone());
        }
        for (i, shard) in shards.iter().enumerate() {
            let bytes = weights::write(shard, Precision::F16).unwrap();
            fs::write(folder.path().join(format!("model-{i}-of-2.safetensors")), bytes).unwrap();
        }
        fs::write(folder.path().join(shards::INDEX), json!({"weight_map": map}).to_string()).unwrap();
        assert_eq!(read(folder.path()).unwrap().weights.all().unwrap(), all);
        fs::remove_file(folder.path().join("model-1-of-2.safetensors")).unwrap();
        let message = message(folder.path());
        let path = folder.path().display().to_string();
        for part in [&path, shards::INDEX, "model-1-of-2.safetensors", "Put"] {
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn what_is_missing_is_named_with_its_path() {
        for (files, missing) in [
            (&["tokenizer.json"][..], "config.json"),
            (&["config.json"], "tokenizer.json"),
            (&["config.json", "tokenizer.json"], "model.safetensors"),
        ] {
            let folder = with(files);
            let message = message(folder.path());
            assert!(
                message.contains(missing) && message.contains(&*folder.path().to_string_lossy()),
                "{message}"
            );
        }
        assert!(message(Path::new("no/such/file.gguf")).contains("no/such/file.gguf"));
        assert!(message(Path::new("no/such/folder")).contains("--model"));
        let folder = with(&["config.json"]);
        let file = folder.path().join("broken.GGUF");
        fs::write(&file, b"GGUF").unwrap();
        assert!(message(&file).contains("broken.GGUF") && message(&file).contains("fetch it again"));
    }
}
