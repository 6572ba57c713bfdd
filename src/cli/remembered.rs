//! Which product kernels were the fastest here, remembered from start to start.

use std::fs;
use std::path::PathBuf;

use pollster::block_on;

use crate::engine::{Backend, Found, step_products};
use crate::model::config::LlamaConfig;
use crate::train::Lora;

/// Lets steps over so many tokens, of which so many count, run on the fastest kernels of the adapter. A file that
/// can't be read is one without content, and one that can't be written is not written: the trial is short.
pub fn tune(
    backend: &Backend,
    config: &LlamaConfig,
    [tokens, counted]: [usize; 2],
    lora: &Lora,
) -> anyhow::Result<()> {
    let Backend::Gpu(gpu) = backend else { return Ok(()) };
    let file = file();
    let text = file.as_ref().and_then(|file| fs::read_to_string(file).ok()).unwrap_or_default();
    let mut found = Found::parse(&text);
    if block_on(found.tune(gpu, &step_products(config, tokens, counted, lora)))?
        && let Some(file) = &file
    {
        let _ = file.parent().map(fs::create_dir_all);
        let _ = fs::write(file, found.json());
    }
    Ok(())
}

/// In the user's cache folder; none where there is no such folder.
fn file() -> Option<PathBuf> {
    let folder = |variable: &str| std::env::var_os(variable).filter(|v| !v.is_empty()).map(PathBuf::from);
    let cache = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")))?;
    Some(cache.join("driftscope").join("products.json"))
}
