//! What trials found about the adapters here, remembered from start to start.

use std::fs;
use std::path::PathBuf;

use pollster::block_on;

use crate::engine::{self, Backend, Choice, Found};
use crate::kernels::Product;

/// The back end that is expected to be the fastest here.
pub fn choose() -> Choice {
    let mut found = read();
    let choice = block_on(engine::choose(&mut found));
    if choice.is_tried {
        write(&found);
    }
    choice
}

/// Lets these products run on the fastest kernels of the adapter.
pub fn autotune(backend: &Backend, products: &[Product]) -> anyhow::Result<()> {
    let Backend::Gpu(gpu) = backend else { return Ok(()) };
    let mut found = read();
    if block_on(found.autotune(gpu, products))? {
        write(&found);
    }
    Ok(())
}

/// A file that can't be read counts as empty: repeating the trials is quick.
fn read() -> Found {
    let text = file().and_then(|file| fs::read_to_string(file).ok());
    Found::parse(&text.unwrap_or_default())
}

/// Failing to write the file is not an error.
fn write(found: &Found) {
    if let Some(file) = file() {
        let _ = file.parent().map(fs::create_dir_all);
        let _ = fs::write(file, found.json());
    }
}

/// In the user's cache folder; none where there is no such folder.
fn file() -> Option<PathBuf> {
    let folder = |variable: &str| std::env::var_os(variable).filter(|v| !v.is_empty()).map(PathBuf::from);
    let cache = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")))?;
    Some(cache.join("driftscope").join("found.json"))
}
