//! What an arm would do with a weaker or stronger dose of its weight change, or with one without intruder dimensions.

use super::looking;
use super::measuring;
use super::run::{Arm, Run};
use super::session::Session;
use super::subject::Subject;
use crate::engine::Model;
use crate::error::{Error, Result};
use crate::model::weights::Array;
use crate::record::{Event, RecallForm, Split, Strength};

/// Largest multiple of the change that is tried.
const STRONGEST: f32 = 4.0;

/// `W0 + strength (W' - W0)`: W' is W with the share `intruders` of each intruder dimension left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dose {
    /// 0 to 4.
    pub strength: f32,
    /// 0 to 1.
    pub intruders: f32,
}

impl Dose {
    /// The arm itself.
    pub const WHOLE: Self = Self { strength: 1.0, intruders: 1.0 };

    /// # Errors
    /// When a number is out of range.
    pub fn check(self) -> Result<()> {
        let fields = [("strength", self.strength, STRONGEST), ("intruders", self.intruders, 1.0)];
        for (field, value, most) in fields {
            if !(0.0..=most).contains(&value) {
                return Err(Error::Setting {
                    field,
                    message: format!("{value} is out of range"),
                    remedy: format!("Use a value from 0 to {most}"),
                });
            }
        }
        Ok(())
    }
}

impl Session {
    /// Has an arm answer and be measured with this dose of its change until its next step.
    ///
    /// # Errors
    /// When there is no such arm, the dose is out of range, its intruder dimensions are not known ([`Self::look`]), or the model
    /// does not fit.
    pub async fn dose(&mut self, id: &str, dose: Dose) -> Result<Vec<Event>> {
        let arm = self.place(id)?;
        self.stop_asking();
        let (run, subject) = self.current()?;
        give(run, arm, dose, subject).await
    }
}

async fn give(run: &mut Run, arm: usize, dose: Dose, subject: &mut Subject) -> Result<Vec<Event>> {
    dose.check()?;
    let mut events = match run.start_logprobs {
        None => measuring::of_start(run, subject).await?,
        Some(_) => Vec::new(),
    };
    if dose.intruders != 1.0 && looking::is_with_measures(subject.base.config()) {
        looking::whole(run, arm, subject).await?;
    }
    let dosed = dosed(&run.arms[arm], dose, subject).await?;
    run.arms[arm].dose = dosed;
    let (measure, texts) = measuring::measured_arm(run, arm, 1, subject).await?;
    let (table, shift) = (&measure.recall, &measure.shift);
    let kept = table.iter().find(|row| row.split == Split::Kept && row.form == RecallForm::Cloze);
    events.push(Event::Strength(Strength {
        run: run.id,
        arm: measure.arm.clone(),
        step: measure.step,
        strength: dose.strength,
        intruders: dose.intruders,
        heldout_loss: measure.heldout_loss,
        kl: shift.kl,
        unshifted: shift.unshifted as f32 / shift.n.max(1) as f32,
        recall_cloze: kept.map_or(0.0, |row| row.correct as f32 / row.n as f32),
        measure: Some(Box::new(measure)),
        text: texts.into_iter().next().map(Box::new),
    }));
    Ok(events)
}

/// An arm's model with a dose of its change; none where it is the arm's own.
async fn dosed(arm: &Arm, dose: Dose, subject: &mut Subject) -> Result<Option<Model>> {
    let Dose { strength, intruders } = dose;
    if strength == 0.0 {
        return subject.base.again().map(Some);
    }
    let scaled = match intruders == 1.0 {
        true => &[],
        false => arm.look.as_ref().and_then(|look| look.intruders()).ok_or_else(|| Error::Setting {
            field: "intruders",
            message: format!("the weights of {} were not looked at since its last step", arm.spec.label),
            remedy: "Look at them first".into(),
        })?,
    };
    if scaled.is_empty() {
        if strength == 1.0 {
            return Ok(None);
        }
        if let Some(model) = arm.model.scaled(strength)? {
            return Ok(Some(model));
        }
    }
    let mut weights = arm.model.weights().await?;
    for (name, found) in scaled {
        weights.get_mut(name).into_iter().for_each(|weight| found.scale(weight, f64::from(intruders)));
    }
    if strength != 1.0 {
        let before = subject.weights().await?;
        for (name, Array { data, .. }) in &mut weights {
            data.iter_mut().zip(&before[name].data).for_each(|(w, b)| *w = b + strength * (*w - b));
        }
    }
    subject.backend.load(subject.base.config(), weights).map(Some)
}
