//! Sides that stand in no condition of their own: each arm at its best rate, and where all have learned the same.

use super::{Comparing, Derived, mean, rate};
use crate::record::*;

/// When new facts are to be learned, arms are compared at this part of what they all come to know: at all of it, the
/// weakest arm would have to train at the rate that drives it furthest.
const LEARNED: f64 = 0.9;

impl Comparing<'_> {
    /// How much of what is to be learned these values have; more is better.
    fn learned(&self, values: &Values) -> Option<f64> {
        let value = values.get(&self.preset.goal).copied().filter(|value| !value.is_nan())?;
        Some(self.preset.goal.learned(value))
    }

    /// For a sweep over rates: each arm at the rate at which it has learned the most by the end.
    pub(super) fn best_of_sweep(&self) -> Vec<Derived> {
        let learned = |values: &[Values]| {
            let of: Vec<f64> = values.iter().map(|v| self.learned(v).unwrap_or(f64::NEG_INFINITY)).collect();
            if of.is_empty() { f64::NEG_INFINITY } else { of.iter().sum::<f64>() / of.len() as f64 }
        };
        let best = |arm: &str| {
            let runs = (0..self.preset.conditions.len()).map(|i| (i, self.ends(i, arm)));
            let runs = runs.filter(|(i, _)| self.preset.conditions[*i].settings.arm(arm).is_some());
            // The first of equals: the lowest rate.
            let (index, values) = runs.reduce(|a, b| if learned(&b.1) > learned(&a.1) { b } else { a })?;
            let c = &self.preset.conditions[index];
            let side =
                Side { condition: c.label.clone(), fairness: Some(Fairness::BestRate), arm: arm.into() };
            Some(Derived { side, lr: rate(c, arm), values })
        };
        self.arms.iter().filter_map(|arm| best(&arm.id)).collect()
    }

    /// The conditions whose arms are compared where they have learned the same.
    pub(super) fn labels_of_equals(&self) -> Vec<String> {
        let equal = Some(self.preset.equal());
        let sides = self.preset.questions.iter().flat_map(|q| [&q.a, &q.b]);
        let mut labels: Vec<String> =
            sides.filter(|s| s.fairness == equal).map(|s| s.condition.clone()).collect();
        labels.sort();
        labels.dedup();
        labels
    }

    /// Each arm at the point where it has first learned as much as all arms do, in its runs at the best rate where
    /// those are known; otherwise, of the rates that get there, at the one that then keeps the most.
    pub(super) fn at_equal(&self, label: &str) -> Vec<Derived> {
        let all = || self.preset.conditions.iter().enumerate().filter(|(_, c)| c.label == label);
        let is_best = |c: &Condition| c.fairness == Some(Fairness::BestRate);
        let any_best = all().any(|(_, c)| is_best(c));
        let at: Vec<usize> = all().filter(|(_, c)| !any_best || is_best(c)).map(|(i, _)| i).collect();
        // The most that an arm has learned in a condition, averaged over the seeds.
        let reached = |index: usize, arm: &str| {
            let most = |course: &super::Course| {
                course.measures.iter().filter_map(|(_, v)| self.learned(v)).fold(f64::NEG_INFINITY, f64::max)
            };
            let of: Vec<f64> = self.courses(index, arm).map(most).collect();
            (!of.is_empty()).then(|| of.iter().sum::<f64>() / of.len() as f64)
        };
        let most = |arm: &SummaryArm| at.iter().filter_map(|&i| reached(i, &arm.id)).reduce(f64::max);
        let Some(by_all) = self.arms.iter().filter_map(most).reduce(f64::min) else { return Vec::new() };
        let target = if self.preset.goal.is_share() { LEARNED * by_all } else { by_all };
        let side = |arm: &SummaryArm| {
            let there = at.iter().filter(|&&i| reached(i, &arm.id).is_some_and(|r| r >= target - 1e-9));
            let crossings = there.map(|&i| (i, self.crossings(i, &arm.id, target)));
            let kept = |values: &[Values]| mean(values, Metric::RecallCloze).unwrap_or(0.0);
            let (index, values) = crossings.reduce(|a, b| if kept(&b.1) > kept(&a.1) { b } else { a })?;
            let of = self.preset.doses.arm_of(&arm.id).unwrap_or(&arm.id);
            let side =
                Side { condition: label.into(), fairness: Some(self.preset.equal()), arm: arm.id.clone() };
            Some(Derived { side, lr: rate(&self.preset.conditions[index], of), values })
        };
        self.arms.iter().filter_map(side).collect()
    }

    /// Each seed's values where the arm has first learned `target`, interpolated linearly between two measures; where
    /// it never does, those where it has learned the most.
    fn crossings(&self, condition: usize, arm: &str, target: f64) -> Vec<Values> {
        let learned = |v: &Values| self.learned(v).unwrap_or(f64::NEG_INFINITY);
        let crossing = |course: &super::Course| {
            let measures = &course.measures;
            let Some(after) = measures.iter().position(|(_, v)| learned(v) >= target) else {
                let most = measures.iter().max_by(|a, b| learned(&a.1).total_cmp(&learned(&b.1)));
                return most.map(|(_, v)| v.clone()).unwrap_or_default();
            };
            let (_, b) = &measures[after];
            let Some((_, a)) = after.checked_sub(1).map(|before| &measures[before]) else { return b.clone() };
            let share = (target - learned(a)) / (learned(b) - learned(a));
            let between =
                |(metric, b): (&Metric, &f64)| Some((*metric, a.get(metric)? * (1.0 - share) + b * share));
            b.iter().filter_map(between).collect()
        };
        self.courses(condition, arm).map(crossing).collect()
    }
}

/// Of a sweep: every other arm against the first, at their best rates.
pub(super) fn asked_of_best(best: &[Derived]) -> Vec<Question> {
    let Some((first, others)) = best.split_first() else { return Vec::new() };
    let ask = |metric, b: &Derived, expect| Question {
        metric,
        a: first.side.clone(),
        b: b.side.clone(),
        other: None,
        expect,
    };
    let both = |b| [ask(Metric::RecallCloze, b, Expect::Lower), ask(Metric::Kl, b, Expect::Higher)];
    others.iter().flat_map(both).collect()
}
