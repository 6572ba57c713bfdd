//! What training did to the weights, and what a weaker or stronger dose of it would do.

use super::measuring::recall_table;
use super::run::Run;
use super::subject::Subject;
use crate::error::{Error, Result};
use crate::measure::{loss, recall, shift, weights};
use crate::model::weights::Array;
use crate::record::{Event, Split, Strength, WeightsEvent};

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

/// Measures `W0 + strength (W - W0)`, the base with `strength` times the arm's change.
///
/// # Errors
/// When `strength` is beyond 0 to 4, or when the model does not fit.
pub async fn strength(run: &Run, arm: usize, strength: f32, subject: &mut Subject) -> Result<Event> {
    if !(0.0..=STRONGEST).contains(&strength) {
        return Err(Error::Setting {
            field: "strength",
            message: format!("{strength} is out of range"),
            remedy: format!("Use a value from 0 to {STRONGEST}"),
        });
    }
    let before = subject.weights().await?;
    let arm = &run.arms[arm];
    let mut weights = arm.model.weights().await?;
    for (name, Array { data, .. }) in &mut weights {
        data.iter_mut().zip(&before[name].data).for_each(|(w, b)| *w = b + strength * (*w - b));
    }
    let Subject { base, backend, tokenizer, .. } = subject;
    let mut model = backend.load(base.config(), weights)?;
    let heldout_loss = loss::mean(&mut model, &run.heldout).await?;
    let (max_new, end) = (run.settings.answer_len as usize, tokenizer.ends());
    let (_, shifts) = shift::of_answers(&mut model, base, &run.prompts(), max_new, end).await?;
    let cloze = recall::cloze(&mut model, &run.probes.wall, tokenizer).await?;
    let shift = shift::aggregate(&shifts);
    let table = recall_table(run, &cloze, &[]);
    let kept = table.iter().find(|row| row.split == Split::Kept);
    Ok(Event::Strength(Strength {
        run: run.id,
        arm: arm.spec.id.clone(),
        step: arm.step,
        strength,
        heldout_loss,
        kl: shift.kl,
        unshifted: shift.unshifted as f32 / shift.n.max(1) as f32,
        recall_cloze: kept.map_or(0.0, |row| row.correct as f32 / row.n as f32),
    }))
}
