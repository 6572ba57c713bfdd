//! An arm's state as one safetensors file. From the states of all its arms, a run continues elsewhere, after a reload, or with
//! other settings, as if it had never stopped. A step's batch is a function of its number, so nothing else has to be kept.

use std::collections::HashMap;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};

use super::probes::Probes;
use super::run::{Arm, Run};
use crate::engine::{Progress, Tensors};
use crate::error::{Error, Result};
use crate::model::weights;
use crate::record::ArmId;

const FILE: &str = "run.safetensors";
/// Key of the file's metadata.
const ARM: &str = "arm";
/// The start's log-probability of each fact of the walls.
const START: &str = "start";

/// An arm in the metadata.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct At {
    id: ArmId,
    step: u32,
    /// Whether it is to be measured before it goes on.
    is_due: bool,
    /// Of the facts on the walls.
    facts: u64,
}

/// An arm's state.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Number of its run.
    pub run: u32,
    pub arm: ArmId,
    pub step: u32,
    /// The file: twelve bytes for each parameter that trains.
    pub bytes: Vec<u8>,
}

fn damaged(message: &str) -> Error {
    Error::Format {
        file: FILE.into(),
        field: "the run's state".into(),
        message: message.into(),
        remedy: "Begin the run anew".into(),
    }
}

/// The state of an arm whose queued steps have been waited for.
///
/// # Errors
/// When the back end fails.
pub async fn snapshot(run: &Run, arm: usize) -> Result<Snapshot> {
    let Arm { spec, model, step, is_due, .. } = &run.arms[arm];
    let at = At { id: spec.id.clone(), step: *step, is_due: *is_due, facts: fingerprint(&run.probes) };
    let bytes = |data: &[f32]| data.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let progress = model.progress().await?;
    let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    for (part, values) in parts(&progress) {
        for (name, (shape, data)) in values {
            tensors.push((format!("{part}.{name}"), shape.clone(), bytes(data)));
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
    let header = serde_json::to_string(&at).map_err(|error| damaged(&error.to_string()))?;
    let bytes = safetensors::serialize(views, Some(HashMap::from([(ARM.to_string(), header)])));
    Ok(Snapshot { run: run.id, arm: at.id, step: at.step, bytes: bytes.map_err(unwritten)? })
}

/// FNV-1a of the subjects and objects on the walls: the log-probabilities of a start belong to them.
fn fingerprint(probes: &Probes) -> u64 {
    let bytes = probes
        .facts
        .iter()
        .flat_map(|fact| [&fact.subject, &fact.object])
        .flat_map(|text| text.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

fn parts(progress: &Progress) -> [(&'static str, &Tensors); 3] {
    [("trained", &progress.trained), ("first", &progress.first), ("second", &progress.second)]
}

/// Restores a run that has not begun from `states`, one for each arm; those of arms that train elsewhere are ignored. It must
/// have the same base and facts, and arms of the same shapes; its other settings may differ, and hold from there on.
///
/// # Errors
/// When a state is damaged or belongs to another run; the run must not be used then.
pub async fn restore(run: &mut Run, states: &[Vec<u8>]) -> Result<()> {
    let mut waiting: Vec<ArmId> = run.settings.arms.iter().map(|arm| arm.id.clone()).collect();
    for state in states {
        let at = header(state)?;
        let Some(place) = waiting.iter().position(|id| *id == at.id) else {
            return Err(damaged("it is of a run with other arms"));
        };
        waiting.remove(place);
        if let Ok(arm) = run.place(&at.id) {
            put(run, arm, at, state).await?;
        }
    }
    match run.arms.iter().any(|arm| waiting.contains(&arm.spec.id)) {
        true => Err(damaged("it is of a run with other arms")),
        false => Ok(()),
    }
}

fn header(state: &[u8]) -> Result<At> {
    let (_, header) = SafeTensors::read_metadata(state).map_err(|error| damaged(&error.to_string()))?;
    let at = header.metadata().as_ref().and_then(|metadata| metadata.get(ARM));
    at.and_then(|at| serde_json::from_str(at).ok())
        .ok_or_else(|| damaged("it does not say how far its arm is"))
}

/// Puts one arm where its state says.
async fn put(run: &mut Run, arm: usize, At { id, step, is_due, facts }: At, state: &[u8]) -> Result<()> {
    if facts != fingerprint(&run.probes) {
        return Err(Error::Setting {
            field: "probes",
            message: "other facts are on the walls than where the run stopped".into(),
            remedy: "Keep data and facts as they were, or begin the run anew".into(),
        });
    }
    if step > run.settings.steps {
        return Err(Error::Setting {
            field: "steps",
            message: format!("the run is at step {step} already"),
            remedy: "Raise the steps, or begin the run anew".into(),
        });
    }
    let mut progress = Progress { step, ..Progress::default() };
    for (name, array) in weights::read(state, FILE)? {
        let values = match name.split_once('.') {
            None if name == START => {
                run.start_logprobs = Some(array.data);
                continue;
            }
            Some(("trained", name)) => (&mut progress.trained, name),
            Some(("first", name)) => (&mut progress.first, name),
            Some(("second", name)) => (&mut progress.second, name),
            _ => return Err(damaged(&format!("{name} is no tensor of an arm"))),
        };
        values.0.insert(values.1.to_string(), (array.shape, array.data));
    }
    if run.start_logprobs.as_ref().is_some_and(|start| start.len() != run.probes.wall.len()) {
        return Err(damaged("its facts are not those of the walls"));
    }
    let to = &mut run.arms[arm];
    if step > 0 {
        to.model.restore(&progress).await.map_err(|error| match error {
            Error::Shape { .. } => Error::Setting {
                field: "arms",
                message: format!("{id} is of another shape than where the run stopped"),
                remedy: "Keep the method, rank and places of an arm that goes on, or begin the run anew"
                    .into(),
            },
            other => other,
        })?;
    }
    (to.step, to.is_due) = (step, is_due);
    Ok(())
}
