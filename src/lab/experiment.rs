//! A preset's runs, one after the other, and what they show together.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::check::Check;
use super::comparison::{self, Course};
use super::doses::Dose;
use super::session::{Session, Texts};
use super::work::Slice;
use crate::error::Result;
use crate::record::*;

/// A run that is to be done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Planned {
    /// "as they are, same rate (LoRA 1e-3, Full 1e-3), seed 1".
    pub label: String,
    pub settings: Settings,
    condition: usize,
    seed: u32,
    check: Option<Check>,
}

/// Where an experiment stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The current run's; empty when all are done.
    pub label: String,
    /// Runs that are done, and how many there are as far as is known.
    pub done: usize,
    pub total: usize,
}

/// A preset's runs, finished and planned. Its JSON, taken between two runs, is all that is
/// needed to continue later.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Experiment {
    pub preset: Preset,
    waiting: VecDeque<Planned>,
    done: usize,
    total: usize,
    courses: Vec<Course>,
    checks: Vec<Counterfactual>,
    /// The run in progress and its measures so far; a run that was interrupted starts over.
    #[serde(skip)]
    current: Option<Current>,
}

#[derive(Clone, Debug)]
struct Current {
    planned: Planned,
    courses: Vec<Course>,
    /// The last measure, which a check looks at.
    last: Option<Measure>,
    /// Arms and strengths that are measured once the run is done.
    doses: VecDeque<(ArmId, f32)>,
}

impl Experiment {
    pub fn new(preset: Preset) -> Self {
        let mut waiting = VecDeque::new();
        for &seed in &preset.seeds {
            for (condition, c) in preset.conditions.iter().enumerate() {
                let settings = Settings { seed, ..c.settings.clone() };
                let label = format!("{}, seed {seed}", comparison::name(c));
                waiting.push_back(Planned { label, settings, condition, seed, check: None });
            }
        }
        // The run that is kept whole comes first, with its own measures.
        if let Some(shown) = preset.shown
            && let Some(mut first) = waiting.remove(shown.condition)
        {
            first.settings.measure_every = first.settings.measure_every.min(shown.measure_every);
            waiting.push_front(first);
        }
        let total = waiting.len();
        Self { preset, waiting, done: 0, total, courses: Vec::new(), checks: Vec::new(), current: None }
    }

    /// The counterfactual check of an arm of the session's run, and nothing else; `None` where it has borrowed no
    /// answer whose rows could be changed.
    pub fn of_check(session: &Session, arm: &str) -> Option<Self> {
        let mut experiment = Self::new(Preset::of_check());
        experiment.push_check(session.check(arm)?, 0, 0);
        Some(experiment)
    }

    fn push_check(&mut self, check: Check, condition: usize, seed: u32) {
        let label = check.settings.arm(&check.arm).map_or(&check.arm, |arm| &arm.label);
        let label = format!("counterfactual check, {label}");
        let settings = check.settings.clone();
        self.waiting.push_front(Planned { label, settings, condition, seed, check: Some(check) });
        self.total += 1;
    }

    pub fn position(&self) -> Position {
        let planned = self.current.as_ref().map(|current| &current.planned).or(self.waiting.front());
        let label = planned.map(|planned| planned.label.clone()).unwrap_or_default();
        Position { label, done: self.done, total: self.total }
    }

    /// Whether the next call of [`Self::advance`] begins a run, or ends the experiment.
    pub fn is_between_runs(&self) -> bool {
        self.current.is_none()
    }

    /// The part of a slice that [`Self::advance`] takes: no step before the start is measured.
    pub fn allowed<'a>(&self, slice: Slice<'a>) -> Slice<'a> {
        self.current.as_ref().map_or(slice, |current| current.allowed(slice))
    }

    /// The settings of the run that comes next.
    pub fn upcoming(&self) -> Option<&Settings> {
        self.waiting.front().map(|planned| &planned.settings)
    }

    /// Begins the next run, or does the next piece of work of the current one; `None` when all runs are done.
    ///
    /// # Errors
    /// When a run can't begin, or the back end fails.
    pub async fn advance(
        &mut self,
        session: &mut Session,
        texts: &Texts,
        slice: Slice<'_>,
    ) -> Result<Option<Vec<Event>>> {
        let Some(current) = &mut self.current else {
            let Some(planned) = self.waiting.front().cloned() else { return Ok(None) };
            let begun = session.start(planned.settings.clone(), texts).await?;
            self.waiting.pop_front();
            self.current = Some(Current::new(planned, &self.preset.doses));
            return Ok(Some(vec![begun]));
        };
        let dose = if session.is_finished() { current.doses.pop_front() } else { None };
        let mut events = match &dose {
            Some((arm, strength)) => session.dose(arm, Dose { strength: *strength, ..Dose::WHOLE }).await?,
            None => session.advance(current.allowed(slice)).await?.unwrap_or_default(),
        };
        events.iter().for_each(|event| current.note(event));
        if dose.is_some() {
            events.clear(); // they are figures of the summary, not of a run's record
        }
        if session.is_finished()
            && current.doses.is_empty()
            && let Some(done) = self.current.take()
        {
            events.extend(self.finish(done, session));
        }
        Ok(Some(events))
    }

    /// Keeps what a run measured; gives what its check found, and plans the checks that follow from it.
    fn finish(&mut self, mut done: Current, session: &Session) -> Option<Event> {
        self.done += 1;
        done.end_doses();
        let Current { planned, courses, last, .. } = done;
        let Some(check) = planned.check else {
            self.courses.extend(courses);
            let is_checked = self.preset.counterfactual == Some(planned.condition);
            for arm in planned.settings.arms.iter().filter(|_| is_checked) {
                if let Some(check) = session.check(&arm.id) {
                    self.push_check(check, planned.condition, planned.seed);
                }
            }
            return None;
        };
        let found = check.compare(&last?);
        match self.checks.iter_mut().find(|c| c.arm == found.arm) {
            Some(sum) => sum.add(&found),
            None => self.checks.push(found.clone()),
        }
        Some(Event::Counterfactual(found))
    }

    /// What the runs show together; nothing for a check alone.
    pub fn summary(&self) -> Option<Summary> {
        let is_alone = self.preset.conditions.is_empty();
        (!is_alone).then(|| comparison::summary(&self.preset, &self.courses, &self.checks))
    }
}

/// How a strength is numbered in a course.
fn percent(strength: f32) -> u32 {
    (100.0 * strength).round() as u32
}

impl Current {
    fn new(planned: Planned, doses: &Doses) -> Self {
        let all = doses.arms.iter().flat_map(|arm| doses.strengths.iter().map(|&s| (arm.clone(), s)));
        let doses = all.filter(|(arm, _)| planned.check.is_none() && planned.settings.arm(arm).is_some());
        Self { doses: doses.collect(), planned, courses: Vec::new(), last: None }
    }

    fn allowed<'a>(&self, slice: Slice<'a>) -> Slice<'a> {
        if self.last.is_none() { Slice { steps: 0, ..slice } } else { slice }
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::Measure(m) => {
                self.add(m.arm.clone(), m.step, Metric::values(m));
                self.last = Some(m.clone());
            }
            Event::Strength(Strength { arm, strength, measure: Some(m), .. }) => {
                self.add(Doses::id(arm), percent(*strength), Metric::values(m));
            }
            _ => {}
        }
    }

    fn add(&mut self, arm: ArmId, at: u32, values: Values) {
        let Planned { condition, seed, .. } = self.planned;
        match self.courses.iter_mut().find(|course| course.arm == arm) {
            Some(course) => course.measures.push((at, values)),
            None => self.courses.push(Course { condition, seed, arm, measures: vec![(at, values)] }),
        }
    }

    /// Doses begin with none of the change, the arm's start, and end with all of it.
    fn end_doses(&mut self) {
        let ends = |c: &Course| {
            let ((_, first), (_, last)) = (c.measures.first()?, c.measures.last()?);
            Some((Doses::id(&c.arm), first.clone(), last.clone()))
        };
        for (id, first, last) in self.courses.iter().filter_map(ends).collect::<Vec<_>>() {
            let Some(doses) = self.courses.iter_mut().find(|course| course.arm == id) else { continue };
            doses.measures.insert(0, (0, first));
            doses.measures.push((percent(1.0), last));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure(arm: &str, step: u32, loss: f32, correct: u32) -> Event {
        let recall = Recall { split: Split::Kept, form: RecallForm::Cloze, correct, n: 100 };
        let shift = Shift { kl: loss, n: 10, unshifted: 5, ..Shift::default() };
        Event::Measure(Measure {
            step,
            heldout_loss: loss,
            recall: vec![recall],
            shift,
            ..Measure::empty(arm)
        })
    }

    /// Plays a preset's runs with made-up measures.
    fn played(preset: Preset, end: impl Fn(&Planned, &ArmSpec) -> (f32, u32)) -> Summary {
        let mut experiment = Experiment::new(preset);
        while let Some(planned) = experiment.waiting.pop_front() {
            let mut current = Current::new(planned, &experiment.preset.doses);
            for arm in current.planned.settings.arms.clone() {
                let (loss, correct) = end(&current.planned, &arm);
                current.note(&measure(&arm.id, 0, 2.0, 100));
                current.note(&measure(&arm.id, 100, (2.0 + loss) / 2.0, 100));
                current.note(&measure(&arm.id, 200, loss, correct));
            }
            experiment.courses.extend(current.courses);
        }
        // As after an interruption.
        let json = serde_json::to_string(&experiment).unwrap();
        let experiment: Experiment = serde_json::from_str(&json).unwrap();
        experiment.summary().unwrap()
    }

    #[test]
    fn the_best_rate_is_each_arms_own() {
        let preset = Preset::by_name("lora-vs-full").unwrap();
        let summary = played(preset, |run, arm| match arm.is_lora() {
            true => ((arm.lr - 1e-3).abs() + 0.5, 99),
            false => ((arm.lr - 1e-4).abs() + 0.5, 60 + run.settings.seed),
        });
        let best: Vec<_> = summary.rows.iter().filter(|r| r.fairness == Some(Fairness::BestRate)).collect();
        assert_eq!((best[0].lr, best[1].lr), (1e-3, 1e-4));
        assert_eq!(best[1].figures[&Metric::RecallCloze].mean, 0.62);
        assert_eq!(summary.rows.len(), 1 + 2 * 6 + 2);
        assert_eq!(summary.comparisons[0].reading, Reading::Supports, "{}", summary.comparisons[0].text);
        assert_eq!(summary.comparisons[1].reading, Reading::NoDifference);
        assert_eq!(summary.checkpoints.len(), 6 * 3 * 2 * 3);
    }

    #[test]
    fn equal_loss_is_looked_up_between_measures() {
        let preset = Preset::by_name("f1").unwrap();
        let summary = played(preset, |_, arm| if arm.is_lora() { (0.5, 80) } else { (1.0, 70) });
        let at: Vec<_> = summary.rows.iter().filter(|r| r.fairness == Some(Fairness::EqualLoss)).collect();
        for row in &at {
            assert!((row.figures[&Metric::HeldoutLoss].mean - 1.0).abs() < 1e-6, "{row:?}");
        }
        // LoRA passes 1.0 two thirds of the way from 100 right to 80.
        assert!((at[0].figures[&Metric::RecallCloze].mean - (1.0 - 0.2 / 3.0)).abs() < 1e-6);
        let kl = summary.comparisons.iter().find(|c| c.fairness == Some(Fairness::BestRate)).unwrap();
        assert_eq!(kl.reading, Reading::Supports, "{}", kl.text);
        assert!(summary.verdict.contains("agree with the claim"), "{}", summary.verdict);
    }

    /// Arms are looked at where both know 90 % of the new facts, each at the rate that then keeps most; the best rate is the one that
    /// teaches most.
    #[test]
    fn equal_facts_are_looked_up_over_all_rates() {
        let mut experiment = Experiment::new(Preset::by_name("harder").unwrap());
        while let Some(planned) = experiment.waiting.pop_front() {
            let mut current = Current::new(planned, &experiment.preset.doses);
            for (arm, lr) in current.planned.settings.arms.clone().into_iter().map(|arm| (arm.id, arm.lr)) {
                // Full tuning at its lowest rate does not get there; at others it keeps less, the higher the rate.
                let most = if lr < 8e-5 { 80 } else { 100 };
                let lost = (lr * 1e4).round() as u32;
                for (step, new) in [(0, 0), (50, 80.min(most)), (100, most)] {
                    let Event::Measure(mut m) = measure(&arm, step, 1.0, 100 - lost * step / 50) else {
                        panic!()
                    };
                    m.recall.push(Recall {
                        split: Split::New,
                        form: RecallForm::Asked,
                        correct: new,
                        n: 100,
                    });
                    current.note(&Event::Measure(m));
                }
            }
            experiment.courses.extend(current.courses);
        }
        let summary = experiment.summary().unwrap();
        let row = |fairness, arm: &str| {
            summary.rows.iter().find(|r| r.fairness == Some(fairness) && r.arm == arm).unwrap().clone()
        };
        for (arm, lr) in [("lora", 6e-4), ("full", 1e-4)] {
            let row = row(Fairness::EqualFacts, arm);
            assert_eq!((row.lr, row.seeds), (lr, 5));
            assert!((row.figures[&Metric::RecallNew].mean - 0.9).abs() < 1e-6, "{row:?}");
            // Halfway between the measures after 50 and 100 steps.
            let lost = (lr * 1e4).round() * 0.015;
            assert!((row.figures[&Metric::RecallCloze].mean - (1.0 - lost)).abs() < 1e-6, "{row:?}");
        }
        assert_eq!(row(Fairness::BestRate, "full").lr, 1e-4);
        assert_eq!((summary.goal, summary.frontiers.len(), summary.optima.len()), (Metric::RecallNew, 2, 0));
    }

    #[test]
    fn a_single_seed_proves_nothing() {
        let preset = Preset { seeds: vec![1], ..Preset::by_name("f4").unwrap() };
        let summary = played(preset, |_, arm| if arm.is_lora() { (0.5, 99) } else { (1.0, 1) });
        assert!(summary.comparisons.iter().all(|c| c.reading == Reading::OneSeed));
        assert!(summary.verdict.contains("single seeds"));
    }
}
