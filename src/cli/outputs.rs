//! What a command must not write over: its inputs, and what would make a folder mean something else.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

/// A path by the option that names it.
pub type Named<'a> = (&'static str, &'a Path);

/// Refuses an output that is one of the inputs, or lies over a file of one.
///
/// # Errors
/// Naming both options.
pub fn spare_inputs(outputs: &[Named], inputs: &[Named]) -> Result<()> {
    for (option, output) in outputs {
        for (input, path) in inputs {
            let (output, path) = (place(output), place(path));
            let is_in_it = path.is_dir() && output.parent() == Some(&path) && output.exists();
            ensure!(
                output != path && !is_in_it,
                "{option} {} would be written over {input}; use another name",
                output.display()
            );
        }
    }
    Ok(())
}

/// Refuses a folder for an adapter that already is a model, and one for a model that holds an adapter: whoever opened the
/// model would get the adapter with it.
///
/// # Errors
/// Naming the folder, and the file in it.
pub fn keep_apart(folder: &Path, is_adapter: bool) -> Result<()> {
    let (file, what) = match is_adapter {
        true => ("config.json", "a model (config.json), with which transformers would load the adapter"),
        false => (
            "adapter_config.json",
            "an adapter (adapter_config.json), which transformers would put on the model",
        ),
    };
    ensure!(!folder.join(file).exists(), "--save {} holds {what}; use another folder", folder.display());
    Ok(())
}

/// Where a path leads, links followed as far as it exists.
fn place(path: &Path) -> PathBuf {
    if let Ok(whole) = fs::canonicalize(path) {
        return whole;
    }
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (fs::canonicalize(parent), path.file_name()) {
        (Ok(parent), Some(name)) => parent.join(name),
        _ => path.to_path_buf(),
    }
}
