//! The state of a run, so that an interrupted one goes on where it stopped.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::model::weights::{self, Array, Precision, Weights};
use crate::reference::adamw::{AdamW, Moments};
use crate::reference::llama::Llama;

/// One line of the loss curve.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LogLine {
    /// Steps taken.
    pub step: usize,
    /// Mean loss over the steps since the line before, nats per token.
    pub loss: f64,
    /// Seconds of training, over all parts of the run.
    pub seconds: f64,
    /// Share of the tested facts known by cloze and when asked, where they were tested.
    pub cloze: Option<f64>,
    pub asked: Option<f64>,
}

/// What a checkpoint holds besides numbers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Progress {
    pub step: usize,
    pub seconds: f64,
    pub log: Vec<LogLine>,
}

/// The trainable parameters as weights.
pub fn weights_of(model: &Llama) -> Result<Weights> {
    let mut all = Weights::new();
    for (name, var) in model.trainable() {
        let data = var.flatten_all()?.to_vec1::<f32>()?;
        all.insert(name.clone(), Array::new(var.dims().to_vec(), data)?);
    }
    Ok(all)
}

/// Writes model, moments and progress into `folder`.
pub fn save(folder: &Path, model: &Llama, optimizer: &AdamW, progress: &Progress) -> Result<()> {
    fs::create_dir_all(folder)?;
    let mut all = weights_of(model)?;
    for (name, moments) in &optimizer.moments {
        let array = |data: &Vec<f32>| Array::new(vec![data.len()], data.clone());
        all.insert(format!("first.{name}"), array(&moments.first)?);
        all.insert(format!("second.{name}"), array(&moments.second)?);
    }
    replace(&folder.join("state.safetensors"), &weights::write(&all, Precision::F32)?)?;
    replace(&folder.join("progress.json"), serde_json::to_string_pretty(progress)?.as_bytes())
}

/// Reads what `save` wrote: weights, moments, progress. `None` where there is none.
pub fn load(folder: &Path, optimizer: &mut AdamW) -> Result<Option<(Weights, Progress)>> {
    let path = folder.join("progress.json");
    if !path.exists() {
        return Ok(None);
    }
    let progress: Progress = serde_json::from_slice(&fs::read(&path)?).context("progress.json")?;
    let all = weights::read(&fs::read(folder.join("state.safetensors"))?, "state.safetensors")?;
    let mut model = Weights::new();
    for (name, array) in all {
        if let Some(name) = name.strip_prefix("first.") {
            moments_of(optimizer, name).first = array.data;
        } else if let Some(name) = name.strip_prefix("second.") {
            moments_of(optimizer, name).second = array.data;
        } else {
            model.insert(name, array);
        }
    }
    optimizer.step = progress.step;
    Ok(Some((model, progress)))
}

fn moments_of<'a>(optimizer: &'a mut AdamW, name: &str) -> &'a mut Moments {
    optimizer.moments.entry(name.to_string()).or_default()
}

/// Writes beside the file first: an interruption leaves the old one whole.
fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let beside = path.with_extension("new");
    fs::write(&beside, bytes)?;
    fs::rename(&beside, path).with_context(|| path.display().to_string())
}
