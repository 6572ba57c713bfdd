//! Reading models from disk.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::model::bundle::{Bundle, Files};

/// A model folder's files beside its weights.
pub const SMALL_FILES: [&str; 4] =
    ["config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"];

/// Reads a Hugging Face folder.
pub fn read(folder: &Path) -> Result<Bundle> {
    let required = |name: &str| {
        let path = folder.join(name);
        fs::read(&path).with_context(|| format!("{} is needed", path.display()))
    };
    let config = required("config.json")?;
    let tokenizer = required("tokenizer.json")?;
    let weights = required("model.safetensors")?;
    let tokenizer_config = fs::read(folder.join("tokenizer_config.json")).ok();
    let chat_template = fs::read_to_string(folder.join("chat_template.jinja")).ok();
    let files = Files {
        config: &config,
        tokenizer: &tokenizer,
        tokenizer_config: tokenizer_config.as_deref(),
        chat_template: chat_template.as_deref(),
        weights: &weights,
    };
    Bundle::read(&files).with_context(|| format!("in {}", folder.display()))
}
