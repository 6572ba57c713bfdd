//! What training did to the weights, and what a weaker or stronger dose of it would do.

use std::rc::Rc;

use super::event::{Event, Split, Strength, WeightsEvent};
use super::lab::Lab;
use super::measuring::recall_table;
use super::settings::ArmName;
use crate::engine::Model;
use crate::error::{Error, Result};
use crate::measure::{loss, recall, shift, weights};
use crate::model::weights::{Array, Weights};

/// Largest multiple of the change that is tried.
const STRONGEST: f32 = 4.0;

impl Lab {
    async fn base_weights(&mut self) -> Result<Rc<Weights>> {
        if self.weights.is_none() {
            self.weights = Some(Rc::new(self.base.weights().await?));
        }
        self.weights.clone().ok_or(Error::Shape { op: "weights", message: "the base has none".into() })
    }

    async fn arm_weights(&mut self, name: ArmName) -> Result<(Weights, u32, u32)> {
        let (run, _, _) = self.current()?;
        let Some(arm) = run.arms.iter().find(|arm| arm.name == name) else {
            return Err(Error::Setting {
                field: "arm",
                message: format!("the run has no arm {name:?}"),
                remedy: "Start a run with it".into(),
            });
        };
        Ok((arm.model.weights().await?, run.id, arm.step))
    }

    /// How much of each matrix has changed, and in how many directions.
    ///
    /// # Errors
    /// When the run has no such arm, or the GPU fails.
    pub async fn weights(&mut self, name: ArmName) -> Result<Event> {
        let base = self.base_weights().await?;
        let (tuned, run, step) = self.arm_weights(name).await?;
        let matrices = weights::changes(self.base.config(), &base, &tuned);
        Ok(Event::Weights(WeightsEvent { run, arm: name, step, matrices }))
    }

    /// Measures `W0 + strength (W - W0)`, the base with `strength` times the arm's change.
    ///
    /// # Errors
    /// When `strength` is beyond 0 to 4, when the run has no such arm, or when the model does not fit.
    pub async fn strength(&mut self, name: ArmName, strength: f32) -> Result<Event> {
        if !(0.0..=STRONGEST).contains(&strength) {
            return Err(Error::Setting {
                field: "strength",
                message: format!("{strength} is out of range"),
                remedy: format!("Use a value from 0 to {STRONGEST}"),
            });
        }
        let base = self.base_weights().await?;
        let (mut weights, run, step) = self.arm_weights(name).await?;
        for (name, Array { data, .. }) in &mut weights {
            data.iter_mut().zip(&base[name].data).for_each(|(w, b)| *w = b + strength * (*w - b));
        }
        let mut model = self.backend.load(self.base.config(), weights)?;
        let measured = self.measure_dose(&mut model).await?;
        Ok(Event::Strength(Strength { run, arm: name, step, strength, ..measured }))
    }

    async fn measure_dose(&mut self, model: &mut Model) -> Result<Strength> {
        let (run, base, tokenizer) = self.current()?;
        let heldout_loss = loss::mean(model, &run.heldout).await?;
        let (max_new, end) = (run.settings.answer_len as usize, tokenizer.eos_id());
        let (_, shifts) = shift::of_answers(model, base, &run.prompts(), max_new, end).await?;
        let cloze = recall::cloze(model, &run.probes.wall, tokenizer).await?;
        let shift = shift::aggregate(&shifts);
        let table = recall_table(run, &cloze, &[]);
        let kept = table.iter().find(|row| row.split == Split::Kept);
        Ok(Strength {
            run: run.id,
            arm: ArmName::Base,
            step: 0,
            strength: 0.0,
            heldout_loss,
            kl: shift.kl,
            unshifted: shift.unshifted as f32 / shift.n.max(1) as f32,
            recall_cloze: kept.map_or(0.0, |row| row.correct as f32 / row.n as f32),
        })
    }
}
