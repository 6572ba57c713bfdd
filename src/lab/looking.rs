//! Looking at what training did to an arm's weights, some matrices at a time, so that whoever drives it stays free for other
//! work.

use std::collections::VecDeque;

use web_time::Instant;

use super::pace::Pace;
use super::run::Run;
use super::session::Session;
use super::subject::Subject;
use crate::engine::Model;
use crate::error::{Error, Result};
use crate::measure::spectrum::Intruders;
use crate::measure::weights::{linears, look, mean_intruders};
use crate::model::config::LlamaConfig;
use crate::record::{Event, MatrixChange, WeightsEvent};

/// Parameters of the largest model that is looked at with each measure: one of 135 million takes a minute per arm.
const WITH_MEASURES: u64 = 20_000_000;

/// Most directions of a matrix: the work grows with their cube, and a matrix with this many takes a few seconds.
const MOST_DIRECTIONS: usize = 1024;

/// Matrices of a slice.
const AT_MOST: usize = 8;

/// How long a slice should take at least and at most, milliseconds.
const SLICE_MS: [f32; 2] = [60.0, 250.0];

/// Whether an arm's weights are looked at with each measure.
pub fn is_with_measures(config: &LlamaConfig) -> bool {
    config.parameters() <= WITH_MEASURES
}

/// What was found so far of an arm's weights at one step.
pub struct Look {
    /// The linear layers that are still to be looked at.
    waiting: VecDeque<String>,
    matrices: Vec<MatrixChange>,
    intruders: Vec<(String, Intruders)>,
    /// In matrices.
    pace: Pace,
}

impl Look {
    /// # Errors
    /// When a matrix is too large.
    fn new(config: &LlamaConfig) -> Result<Self> {
        let directions = config.linears().map(|(_, [rows, columns])| rows.min(columns));
        if let Some(most) = directions.into_iter().max().filter(|most| *most > MOST_DIRECTIONS) {
            return Err(Error::Setting {
                field: "weights",
                message: format!("a matrix has {most} directions; more than {MOST_DIRECTIONS} take too long"),
                remedy: "Look at a smaller model".into(),
            });
        }
        let waiting = linears(config).into();
        let pace = Pace::new(1, AT_MOST, SLICE_MS);
        Ok(Self { waiting, matrices: Vec::new(), intruders: Vec::new(), pace })
    }

    /// The intruder dimensions by linear layer, where it has any; nothing before all matrices were looked at.
    pub fn intruders(&self) -> Option<&[(String, Intruders)]> {
        self.waiting.is_empty().then_some(&self.intruders)
    }

    /// [`mean_intruders`]; nothing before all matrices were looked at.
    pub fn mean(&self) -> Option<f32> {
        self.intruders().and_then(|_| mean_intruders(&self.matrices))
    }

    /// Looks at the next `amount` matrices of `model`.
    async fn advance(&mut self, amount: usize, model: &Model, subject: &mut Subject) -> Result<()> {
        // All matrices of a small model are read at once, since a GPU takes as long to read one.
        let whole = match is_with_measures(subject.base.config()) {
            true => Some((subject.weights().await?, model.weights().await?)),
            false => None,
        };
        for _ in 0..amount {
            let Some(name) = self.waiting.front() else { break };
            let key = format!("{name}.weight");
            let held = whole.as_ref().and_then(|(base, tuned)| Some((base.get(&key)?, tuned.get(&key)?)));
            let (base, tuned) = match held {
                Some((base, tuned)) => (base.clone(), tuned.clone()),
                None => (subject.base.linear(name).await?, model.linear(name).await?),
            };
            let (change, intruders) = look(name, &base, &subject.svd(name, &base), &tuned);
            self.matrices.push(change);
            let some = intruders.filter(|intruders| intruders.count() > 0);
            self.intruders.extend(some.map(|intruders| (key, intruders)));
            self.waiting.pop_front();
        }
        Ok(())
    }
}

/// Looks at all matrices of an arm where it stands, unless that was done.
///
/// # Errors
/// When a matrix is too large, or the back end fails.
pub async fn whole(run: &mut Run, arm: usize, subject: &mut Subject) -> Result<Event> {
    go_on(run, arm, usize::MAX, subject).await?;
    Ok(found(run, arm))
}

/// Looks at the next `amount` matrices of an arm.
async fn go_on(run: &mut Run, arm: usize, amount: usize, subject: &mut Subject) -> Result<()> {
    let arm = &mut run.arms[arm];
    let look = match &mut arm.look {
        Some(look) => look,
        none => none.insert(Look::new(subject.base.config())?),
    };
    look.advance(amount, &arm.model, subject).await
}

/// What is known of an arm's weights, as the record has it.
fn found(run: &Run, arm: usize) -> Event {
    let arm = &run.arms[arm];
    let matrices = arm.look.iter().flat_map(|look| look.matrices.clone()).collect();
    Event::Weights(WeightsEvent { run: run.id, arm: arm.spec.id.clone(), step: arm.step, matrices })
}

impl Session {
    /// Begins to look at what training did to an arm's weights; [`Self::go_on_looking`] goes on with it. The arm's next step ends
    /// it.
    ///
    /// # Errors
    /// When there is no such arm, or a matrix is too large.
    pub fn look(&mut self, id: &str) -> Result<()> {
        let arm = self.place(id)?;
        let (run, subject) = self.current()?;
        let look = Look::new(subject.base.config())?;
        run.arms[arm].look = Some(look);
        Ok(())
    }

    /// Stops looking, and drops what was found of an arm whose matrices were not all looked at.
    pub fn stop_looking(&mut self) {
        let arms = self.run.iter_mut().flat_map(|run| &mut run.arms);
        arms.filter(|arm| arm.is_looked_at()).for_each(|arm| arm.look = None);
    }

    /// Matrices that were looked at, and all of them, of the arm that is being looked at.
    pub fn looked(&self) -> Option<(usize, usize)> {
        let arm = self.run.iter().flat_map(|run| &run.arms).find(|arm| arm.is_looked_at())?;
        let look = arm.look.as_ref()?;
        Some((look.matrices.len(), look.matrices.len() + look.waiting.len()))
    }

    /// Looks at a few more matrices; gives the event when those were an arm's last.
    ///
    /// # Errors
    /// When the back end fails.
    pub async fn go_on_looking(&mut self) -> Result<Option<Event>> {
        let (run, subject) = self.current()?;
        let Some(arm) = run.arms.iter().position(|arm| arm.is_looked_at()) else { return Ok(None) };
        let begun = Instant::now();
        let amount = run.arms[arm].look.as_ref().map_or(0, |look| look.pace.amount);
        go_on(run, arm, amount, subject).await?;
        run.arms[arm].look.iter_mut().for_each(|look| look.pace.took(begun));
        Ok((!run.arms[arm].is_looked_at()).then(|| found(run, arm)))
    }
}
