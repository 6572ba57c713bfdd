//! What `--save-every` leaves and `--resume` goes on from: one file with the trained tensors, AdamW's moments, the step,
//! and what was asked for.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value};

use super::super::write_whole;
use crate::engine::{Progress, Tensors};
use crate::model::weights;

/// The file's name in `--save`.
const FILE: &str = "unfinished.safetensors";

/// Keys of the file's metadata.
const STEP: &str = "step";
const ASKED: &str = "asked";

/// The state of an unfinished training in its folder.
pub struct Saved {
    path: PathBuf,
    /// What the training was asked for; the same must be asked for again.
    asked: Map<String, Value>,
}

impl Saved {
    pub fn new(folder: &Path, asked: Map<String, Value>) -> Self {
        Self { path: folder.join(FILE), asked }
    }

    /// Writes it whole or not at all.
    pub fn write(&self, progress: &Progress) -> Result<()> {
        let parts =
            [("trained", &progress.trained), ("first", &progress.first), ("second", &progress.second)];
        let mut tensors: Vec<(String, &Vec<usize>, Vec<u8>)> = Vec::new();
        for (part, values) in parts {
            for (name, (shape, data)) in values {
                let bytes = data.iter().flat_map(|value| value.to_le_bytes()).collect();
                tensors.push((format!("{part}.{name}"), shape, bytes));
            }
        }
        let views = tensors
            .iter()
            .map(|(name, shape, bytes)| Ok((name, TensorView::new(Dtype::F32, shape.to_vec(), bytes)?)))
            .collect::<Result<Vec<_>>>()?;
        let metadata = HashMap::from([
            (STEP.to_string(), progress.step.to_string()),
            (ASKED.to_string(), Value::Object(self.asked.clone()).to_string()),
        ]);
        write_whole(&self.path, &safetensors::serialize(views, Some(metadata))?)
    }

    /// What was saved.
    ///
    /// # Errors
    /// When there is nothing, it is damaged, or something else was asked for.
    pub fn read(&self) -> Result<Progress> {
        let place = self.path.display();
        let bytes = fs::read(&self.path).with_context(|| {
            format!("--resume: {place} can't be read; --save-every writes it until training ends")
        })?;
        let damaged = || anyhow!("--resume: {place} is damaged; start without --resume");
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|_| damaged())?;
        let metadata = header.metadata().as_ref().ok_or_else(damaged)?;
        let step = metadata.get(STEP).and_then(|step| step.parse().ok()).ok_or_else(damaged)?;
        let before: Map<String, Value> =
            metadata.get(ASKED).and_then(|asked| serde_json::from_str(asked).ok()).ok_or_else(damaged)?;
        let differs = |name: &&String| before.get(*name) != self.asked.get(*name);
        if let Some(name) = self.asked.keys().chain(before.keys()).find(differs) {
            let [was, is] = [&before, &self.asked].map(|asked| asked.get(name).unwrap_or(&Value::Null));
            return Err(anyhow!(
                "--resume: {name} was {was} and is {is} now; ask for the same again, or start without --resume"
            ));
        }
        let mut parts: HashMap<&str, Tensors> = HashMap::new();
        for (name, array) in weights::read(&bytes, FILE)? {
            let (part, name) = name.split_once('.').ok_or_else(damaged)?;
            let part = ["trained", "first", "second"]
                .into_iter()
                .find(|known| *known == part)
                .ok_or_else(damaged)?;
            parts.entry(part).or_default().insert(name.to_string(), (array.shape, array.data));
        }
        let mut take = |part: &str| parts.remove(part).ok_or_else(damaged);
        Ok(Progress { step, trained: take("trained")?, first: take("first")?, second: take("second")? })
    }

    /// Once training has ended.
    pub fn remove(&self) -> Result<()> {
        match self.path.exists() {
            true => fs::remove_file(&self.path).with_context(|| self.path.display().to_string()),
            false => Ok(()),
        }
    }
}

/// Cuts a log down to its first `steps` lines, those before the training that is resumed.
///
/// # Errors
/// When there are fewer, or the file can't be read or written.
pub fn cut_log(path: &Path, steps: u32) -> Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("--log {} can't be read", path.display()))?;
    let kept: Vec<&str> = text.lines().take(steps as usize).collect();
    ensure!(
        kept.len() == steps as usize,
        "--log {} has {} steps, fewer than the {steps} that were taken; use another file",
        path.display(),
        kept.len()
    );
    let text: String = kept.iter().flat_map(|line| [line, "\n"]).collect();
    write_whole(path, text.as_bytes())
}
