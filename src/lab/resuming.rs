//! What a run has come to, as one safetensors file: with it the run goes on elsewhere, or after a reload, as if it had never
//! stopped. A step's batch is a function of its number, so that nothing else has to be kept.

use std::collections::{BTreeMap, HashMap};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};

use super::run::Run;
use crate::engine::{Progress, Tensors};
use crate::error::{Error, Result};
use crate::model::weights;
use crate::record::ArmId;

const FILE: &str = "run.safetensors";
/// Key of the file's metadata.
const ARMS: &str = "arms";
/// The start's log-probability of each fact of the walls.
const START: &str = "start";

/// An arm in the metadata.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct At {
    id: ArmId,
    step: u32,
    /// Whether it is to be measured before it goes on.
    is_due: bool,
}

fn damaged(message: &str) -> Error {
    Error::Format {
        file: FILE.into(),
        field: "the run's state".into(),
        message: message.into(),
        remedy: "Begin the run anew".into(),
    }
}

/// The state of a run whose queued steps have been waited for.
///
/// # Errors
/// When the back end fails.
pub async fn snapshot(run: &Run) -> Result<Vec<u8>> {
    let mut arms = Vec::new();
    let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    let bytes = |data: &[f32]| data.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    for arm in &run.arms {
        arms.push(At { id: arm.spec.id.clone(), step: arm.step, is_due: arm.is_due });
        let progress = arm.model.progress().await?;
        for (part, values) in parts(&progress) {
            for (name, (shape, data)) in values {
                tensors.push((format!("{}.{part}.{name}", arm.spec.id), shape.clone(), bytes(data)));
            }
        }
    }
    if let Some(start) = &run.start_logprobs {
        tensors.push((START.into(), vec![start.len()], bytes(start)));
    }
    let unwritten = |error: safetensors::SafeTensorError| damaged(&error.to_string());
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(unwritten)?;
    let arms = serde_json::to_string(&arms).map_err(|error| damaged(&error.to_string()))?;
    safetensors::serialize(views, Some(HashMap::from([(ARMS.to_string(), arms)]))).map_err(unwritten)
}

fn parts(progress: &Progress) -> [(&'static str, &Tensors); 3] {
    [("trained", &progress.trained), ("first", &progress.first), ("second", &progress.second)]
}

/// Puts a run that has not begun where the state says. It must have been made with the same settings, texts and base.
///
/// # Errors
/// When the state is damaged or of another run; the run is not to be used then.
pub async fn restore(run: &mut Run, state: &[u8]) -> Result<()> {
    let (_, header) = SafeTensors::read_metadata(state).map_err(|error| damaged(&error.to_string()))?;
    let arms = header.metadata().as_ref().and_then(|metadata| metadata.get(ARMS));
    let arms: Vec<At> = arms
        .and_then(|arms| serde_json::from_str(arms).ok())
        .ok_or_else(|| damaged("it does not say how far its arms are"))?;
    let ids = |ids: &mut dyn Iterator<Item = &ArmId>| ids.cloned().collect::<Vec<_>>();
    if ids(&mut arms.iter().map(|at| &at.id)) != ids(&mut run.arms.iter().map(|arm| &arm.spec.id)) {
        return Err(damaged("it is of a run with other arms"));
    }
    let mut tensors: BTreeMap<String, Tensors> = BTreeMap::new();
    let mut start = None;
    for (name, array) in weights::read(state, FILE)? {
        match name.as_str() {
            START => start = Some(array.data),
            name => {
                let mut words = name.splitn(3, '.');
                let (Some(arm), Some(part), Some(name)) = (words.next(), words.next(), words.next()) else {
                    return Err(damaged(&format!("{name} is no tensor of an arm")));
                };
                let values = tensors.entry(format!("{arm}.{part}")).or_default();
                values.insert(name.to_string(), (array.shape, array.data));
            }
        }
    }
    if start.as_ref().is_some_and(|start| start.len() != run.probes.wall.len()) {
        return Err(damaged("it is of a run with other facts"));
    }
    for (arm, At { id, step, is_due }) in run.arms.iter_mut().zip(arms) {
        if step > run.settings.steps {
            return Err(damaged("it is further than the run goes"));
        }
        let mut take = |part: &str| tensors.remove(&format!("{id}.{part}")).unwrap_or_default();
        let progress =
            Progress { step, trained: take("trained"), first: take("first"), second: take("second") };
        if step > 0 {
            arm.model.restore(&progress).await?;
        }
        (arm.step, arm.is_due) = (step, is_due);
    }
    run.start_logprobs = start;
    Ok(())
}
