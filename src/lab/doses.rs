//! What training did to the weights, and what a weaker or stronger dose of it would do.

use super::measuring;
use super::run::{Arm, Run};
use super::subject::Subject;
use crate::engine::Model;
use crate::error::{Error, Result};
use crate::measure::weights;
use crate::model::weights::Array;
use crate::record::{Event, RecallForm, Split, Strength, WeightsEvent};

/// Largest multiple of the change that is tried.
const STRONGEST: f32 = 4.0;

/// How much of each matrix has changed, and in how many directions.
///
/// # Errors
/// When the back end fails.
pub async fn changes(run: &Run, arm: usize, subject: &mut Subject) -> Result<Event> {
    let base = subject.weights().await?;
    let arm = &run.arms[arm];
    let tuned = arm.model.weights().await?;
    let matrices = weights::changes(subject.base.config(), &base, &tuned);
    Ok(Event::Weights(WeightsEvent { run: run.id, arm: arm.spec.id.clone(), step: arm.step, matrices }))
}

/// Gives the arm `strength` times its change, `W0 + strength (W - W0)`, until its next step, and measures it so.
///
/// # Errors
/// When `strength` is beyond 0 to 4, or when the model does not fit.
pub async fn strength(run: &mut Run, arm: usize, strength: f32, subject: &mut Subject) -> Result<Vec<Event>> {
    if !(0.0..=STRONGEST).contains(&strength) {
        return Err(Error::Setting {
            field: "strength",
            message: format!("{strength} is out of range"),
            remedy: format!("Use a value from 0 to {STRONGEST}"),
        });
    }
    let mut events = match run.start_logprobs {
        None => measuring::of_start(run, subject).await?,
        Some(_) => Vec::new(),
    };
    let dose = dosed(&run.arms[arm], strength, subject).await?;
    run.arms[arm].dose = dose;
    let (measure, texts) = measuring::measured_arm(run, arm, 1, subject).await?;
    let (table, shift) = (&measure.recall, &measure.shift);
    let kept = table.iter().find(|row| row.split == Split::Kept && row.form == RecallForm::Cloze);
    events.push(Event::Strength(Strength {
        run: run.id,
        arm: measure.arm.clone(),
        step: measure.step,
        strength,
        heldout_loss: measure.heldout_loss,
        kl: shift.kl,
        unshifted: shift.unshifted as f32 / shift.n.max(1) as f32,
        recall_cloze: kept.map_or(0.0, |row| row.correct as f32 / row.n as f32),
        measure: Some(Box::new(measure)),
        text: texts.into_iter().next().map(Box::new),
    }));
    Ok(events)
}

/// An arm's model with `strength` times its change; none where it is the arm's own.
async fn dosed(arm: &Arm, strength: f32, subject: &mut Subject) -> Result<Option<Model>> {
    if strength == 1.0 {
        return Ok(None);
    }
    if strength == 0.0 {
        return subject.base.again().map(Some);
    }
    if let Some(model) = arm.model.scaled(strength)? {
        return Ok(Some(model));
    }
    let before = subject.weights().await?;
    let mut weights = arm.model.weights().await?;
    for (name, Array { data, .. }) in &mut weights {
        data.iter_mut().zip(&before[name].data).for_each(|(w, b)| *w = b + strength * (*w - b));
    }
    subject.backend.load(subject.base.config(), weights).map(Some)
}
