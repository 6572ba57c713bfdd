//! What the runs of an experiment show together: figures over the seeds, and the comparisons that a claim makes.

use serde::{Deserialize, Serialize};

use crate::measure::statistics::difference;
use crate::record::*;

/// One arm's course in one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Course {
    pub condition: usize,
    pub seed: u32,
    pub arm: ArmId,
    /// By step.
    #[serde(with = "as_json")]
    pub measures: Vec<(u32, Values)>,
}

/// JSON has no number for a loss that is none: it is null there.
mod as_json {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::record::{Metric, Values};

    pub fn serialize<S: Serializer>(measures: &[(u32, Values)], serializer: S) -> Result<S::Ok, S::Error> {
        measures.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(u32, Values)>, D::Error> {
        let measures: Vec<(u32, BTreeMap<Metric, Option<f64>>)> = Vec::deserialize(deserializer)?;
        let number = |(metric, value): (Metric, Option<f64>)| (metric, value.unwrap_or(f64::NAN));
        Ok(measures
            .into_iter()
            .map(|(step, values)| (step, values.into_iter().map(number).collect()))
            .collect())
    }
}

/// The figures of a side that stands in no condition of its own, one for each seed.
struct Derived {
    side: Side,
    lr: f32,
    values: Vec<Values>,
}

struct Comparing<'a> {
    preset: &'a Preset,
    courses: &'a [Course],
    arms: &'a [SummaryArm],
}

/// Everything that the courses of a preset's runs show.
pub fn summary(preset: &Preset, courses: &[Course], checks: &[Counterfactual]) -> Summary {
    let mut arms: Vec<SummaryArm> = Vec::new();
    for arm in preset.conditions.iter().flat_map(|c| &c.settings.arms) {
        if arms.iter().all(|known| known.id != arm.id) {
            arms.push(SummaryArm { id: arm.id.clone(), label: arm.label.clone() });
        }
    }
    let all = Comparing { preset, courses, arms: &arms };
    let start = courses.iter().flat_map(|course| &course.measures).find(|(step, _)| *step == 0);
    let start: Vec<Values> = start.map(|(_, values)| values.clone()).into_iter().collect();
    let mut rows = vec![row("before tuning", None, BASE, 0.0, &start)];
    for (index, c) in preset.conditions.iter().enumerate() {
        for arm in &c.settings.arms {
            rows.push(row(&c.label, c.fairness, &arm.id, arm.lr, &all.ends(index, &arm.id)));
        }
    }
    let mut questions = preset.questions.clone();
    let mut derived: Vec<Derived> = Vec::new();
    if preset.is_sweep {
        derived = all.best_of_sweep();
        questions.extend(asked_of_best(&derived));
    }
    for label in all.labels_with(Fairness::EqualLoss) {
        derived.extend(all.at_equal_loss(&label));
    }
    for Derived { side, lr, values } in &derived {
        rows.push(row(&side.condition, side.fairness, &side.arm, *lr, values));
    }
    let comparisons: Vec<Comparison> = questions.iter().filter_map(|q| all.compare(q, &derived)).collect();
    Summary {
        preset: preset.name.clone(),
        title: preset.title.clone(),
        claim: preset.claim.clone(),
        verdict: if preset.claim.is_empty() { String::new() } else { verdict(&comparisons) },
        rows,
        comparisons,
        checkpoints: all.checkpoints(),
        counterfactual: checks.to_vec(),
        arms,
    }
}

impl Comparing<'_> {
    /// The last values of each seed.
    fn ends(&self, condition: usize, arm: &str) -> Vec<Values> {
        self.courses(condition, arm).filter_map(|c| Some(c.measures.last()?.1.clone())).collect()
    }

    fn courses(&self, condition: usize, arm: &str) -> impl Iterator<Item = &Course> {
        self.courses.iter().filter(move |c| c.condition == condition && c.arm == arm)
    }

    fn labels_with(&self, fairness: Fairness) -> Vec<String> {
        let sides = self.preset.questions.iter().flat_map(|q| [&q.a, &q.b]);
        let mut labels: Vec<String> =
            sides.filter(|s| s.fairness == Some(fairness)).map(|s| s.condition.clone()).collect();
        labels.sort();
        labels.dedup();
        labels
    }

    /// Of a sweep over rates: each arm at the rate with the lowest held-out loss.
    fn best_of_sweep(&self) -> Vec<Derived> {
        let loss = |values: &[Values]| mean(values, Metric::HeldoutLoss).unwrap_or(f64::INFINITY);
        let best = |arm: &str| {
            let runs = (0..self.preset.conditions.len()).map(|i| (i, self.ends(i, arm)));
            let runs = runs.filter(|(i, _)| self.preset.conditions[*i].settings.arm(arm).is_some());
            let (index, values) = runs.min_by(|a, b| loss(&a.1).total_cmp(&loss(&b.1)))?;
            let c = &self.preset.conditions[index];
            let side =
                Side { condition: c.label.clone(), fairness: Some(Fairness::BestRate), arm: arm.into() };
            Some(Derived { side, lr: rate(c, arm), values })
        };
        self.arms.iter().filter_map(|arm| best(&arm.id)).collect()
    }

    /// The arms of the runs at their best rates where they first have the held-out loss that all reach.
    fn at_equal_loss(&self, label: &str) -> Vec<Derived> {
        let is_best = |c: &Condition| c.label == label && c.fairness == Some(Fairness::BestRate);
        let Some(index) = self.preset.conditions.iter().position(is_best) else { return Vec::new() };
        let c = &self.preset.conditions[index];
        let lowest = |course: &Course| {
            let losses = course.measures.iter().filter_map(|(_, v)| v.get(&Metric::HeldoutLoss).copied());
            losses.fold(f64::INFINITY, f64::min)
        };
        let arms = &c.settings.arms;
        let reached = arms.iter().map(|arm| {
            let lows: Vec<f64> = self.courses(index, &arm.id).map(lowest).collect();
            lows.iter().sum::<f64>() / lows.len().max(1) as f64
        });
        let target = reached.fold(f64::NEG_INFINITY, f64::max);
        let at = |arm: &ArmSpec| {
            let values =
                self.courses(index, &arm.id).map(|course| crossing(&course.measures, target)).collect();
            let side =
                Side { condition: label.into(), fairness: Some(Fairness::EqualLoss), arm: arm.id.clone() };
            Derived { side, lr: arm.lr, values }
        };
        arms.iter().map(at).collect()
    }

    fn values(&self, side: &Side, derived: &[Derived]) -> Vec<Values> {
        if let Some(found) = derived.iter().find(|d| d.side == *side) {
            return found.values.clone();
        }
        let is_it = |c: &Condition| c.label == side.condition && c.fairness == side.fairness;
        let index = self.preset.conditions.iter().position(is_it);
        index.map(|index| self.ends(index, &side.arm)).unwrap_or_default()
    }

    fn compare(&self, q: &Question, derived: &[Derived]) -> Option<Comparison> {
        let figures = |side: &Side, metric: Metric| -> Vec<f64> {
            self.values(side, derived).iter().filter_map(|v| v.get(&metric).copied()).collect()
        };
        let other = q.other.unwrap_or(q.metric);
        let (a, b) = (figures(&q.a, q.metric), figures(&q.b, other));
        if a.is_empty() || b.is_empty() {
            return None;
        }
        let (difference, margin, noise) = difference(&a, &b);
        let reading = read(q.expect, difference, margin, noise);
        let figure = |side: &Side, metric: Metric, values: &[f64]| ComparedSide {
            condition: side.condition.clone(),
            arm: side.arm.clone(),
            metric,
            n: values.len() as u32,
            spread: Spread::of(values),
        };
        let mut comparison = Comparison {
            fairness: q.a.fairness,
            a: figure(&q.a, q.metric, &a),
            b: figure(&q.b, other, &b),
            difference: difference as f32,
            margin: margin.map(|m| m as f32),
            noise: noise.map(|n| n as f32),
            reading,
            text: String::new(),
        };
        comparison.text = self.sentence(&comparison);
        Some(comparison)
    }

    fn checkpoints(&self) -> Vec<Checkpoint> {
        let of = |course: &Course| {
            let c = &self.preset.conditions[course.condition];
            let (condition, fairness, seed) = (c.label.clone(), c.fairness, course.seed);
            let (arm, lr) = (course.arm.clone(), rate(c, &course.arm));
            let point = move |(step, v): &(u32, Values)| {
                let of = |metric| v.get(&metric).map_or(f32::NAN, |v| *v as f32);
                Checkpoint {
                    condition: condition.clone(),
                    fairness,
                    arm: arm.clone(),
                    lr,
                    seed,
                    step: *step,
                    heldout_loss: of(Metric::HeldoutLoss),
                    recall_cloze: of(Metric::RecallCloze),
                    kl: of(Metric::Kl),
                }
            };
            course.measures.iter().map(point).collect::<Vec<_>>()
        };
        self.courses.iter().flat_map(of).collect()
    }

    /// A comparison in words.
    fn sentence(&self, c: &Comparison) -> String {
        let arm = |id: &str| self.arms.iter().find(|arm| arm.id == id).map_or("base", |arm| &arm.label);
        let side = |s: &ComparedSide| {
            let figure = s.metric.write(s.spread);
            match (c.a.arm == c.b.arm, c.a.condition == c.b.condition) {
                (false, true) => format!("{} {figure}", arm(&s.arm)),
                (true, false) => format!("{} {figure}", s.condition),
                (true, true) => format!("{} {figure}", s.metric.label()),
                (false, false) => format!("{} ({}) {figure}", s.condition, arm(&s.arm)),
            }
        };
        let whose = if c.a.arm == c.b.arm { format!("{}: ", arm(&c.a.arm)) } else { String::new() };
        let what = if c.a.metric == c.b.metric { format!("{}: ", c.a.metric.label()) } else { String::new() };
        let fairness = c.fairness.map_or(String::new(), |f| format!("At {}: ", f.label()));
        let scale = if c.a.metric.is_share() { 100.0 } else { 1.0 };
        let digits = if c.a.metric.is_share() { 1 } else { 2 };
        let signed = |v: f32| format!("{:+.digits$}", v * scale);
        let interval = match (c.margin, c.noise) {
            (Some(m), Some(n)) => format!(
                "difference {} ± {:.digits$} (95 %), two seeds of one side differ by {:.digits$}",
                signed(c.difference),
                m * scale,
                n * scale
            ),
            _ => format!("difference {}, one seed, no interval", signed(c.difference)),
        };
        let reading = c.reading.label();
        format!("{fairness}{whose}{what}{}, {}; {interval}: {reading}.", side(&c.a), side(&c.b))
    }
}

/// "as they are, same rate (LoRA 1e-3, Full 1e-3)".
pub fn name(c: &Condition) -> String {
    let arms: Vec<String> = c.settings.arms.iter().map(|arm| format!("{} {:e}", arm.label, arm.lr)).collect();
    let rates = arms.join(", ");
    match c.fairness {
        Some(fairness) => format!("{}, {} ({rates})", c.label, fairness.label()),
        None => format!("{} ({rates})", c.label),
    }
}

fn rate(c: &Condition, arm: &str) -> f32 {
    c.settings.arm(arm).map_or(0.0, |arm| arm.lr)
}

fn mean(values: &[Values], metric: Metric) -> Option<f64> {
    let of: Vec<f64> = values.iter().filter_map(|v| v.get(&metric).copied()).collect();
    (!of.is_empty()).then(|| of.iter().sum::<f64>() / of.len() as f64)
}

fn row(condition: &str, fairness: Option<Fairness>, arm: &str, lr: f32, seeds: &[Values]) -> SummaryRow {
    let figure = |metric: Metric| {
        let of: Vec<f64> = seeds.iter().filter_map(|v| v.get(&metric).copied()).collect();
        (!of.is_empty()).then(|| (metric, Spread::of(&of)))
    };
    let figures = Metric::ALL.into_iter().filter_map(figure).collect();
    SummaryRow {
        condition: condition.into(),
        fairness,
        arm: arm.into(),
        lr,
        seeds: seeds.len() as u32,
        figures,
    }
}

/// The values where the held-out loss first falls to `target`, between two measures in proportion; where it
/// never does, at its lowest.
fn crossing(measures: &[(u32, Values)], target: f64) -> Values {
    let loss = |v: &Values| v.get(&Metric::HeldoutLoss).copied().unwrap_or(f64::INFINITY);
    let Some(after) = measures.iter().position(|(_, v)| loss(v) <= target) else {
        let lowest = measures.iter().min_by(|a, b| loss(&a.1).total_cmp(&loss(&b.1)));
        return lowest.map(|(_, v)| v.clone()).unwrap_or_default();
    };
    let (_, b) = &measures[after];
    let Some((_, a)) = after.checked_sub(1).map(|before| &measures[before]) else { return b.clone() };
    let share = (loss(a) - target) / (loss(a) - loss(b));
    let between = |(metric, b): (&Metric, &f64)| Some((*metric, a.get(metric)? * (1.0 - share) + b * share));
    b.iter().filter_map(between).collect()
}

/// Of a sweep: every other arm against the first, at their best rates.
fn asked_of_best(best: &[Derived]) -> Vec<Question> {
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

fn read(expect: Expect, difference: f64, margin: Option<f64>, noise: Option<f64>) -> Reading {
    let (Some(margin), Some(noise)) = (margin, noise) else { return Reading::OneSeed };
    let differs = difference.abs() > margin && difference.abs() > noise;
    match (expect, differs, difference > 0.0) {
        (Expect::Higher, true, true) | (Expect::Lower, true, false) => Reading::Supports,
        (Expect::Higher, true, false) | (Expect::Lower, true, true) => Reading::Contradicts,
        (Expect::Higher | Expect::Lower, false, _) => Reading::NoDifference,
        (Expect::NotHigher, true, true) | (Expect::Same, true, _) => Reading::Contradicts,
        (Expect::NotHigher | Expect::Same, ..) => Reading::Supports,
    }
}

fn verdict(comparisons: &[Comparison]) -> String {
    let count = |reading: Reading| comparisons.iter().filter(|c| c.reading == reading).count();
    let (supports, contradicts) = (count(Reading::Supports), count(Reading::Contradicts));
    let (none, single) = (count(Reading::NoDifference), count(Reading::OneSeed));
    let n = comparisons.len();
    if n == 0 {
        return "Nothing can be compared: an arm or a condition is missing.".into();
    }
    if single == n {
        return format!("{n} comparisons of single seeds: they show a direction, not whether it is chance.");
    }
    format!(
        "Of {n} comparisons, those that agree with the claim: {supports}; that speak against it: {contradicts}; \
         that show no difference beyond the spread over seeds: {}.",
        none + single
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings() {
        let read = |expect, d| read(expect, d, Some(0.5), Some(0.1));
        assert_eq!(read(Expect::Higher, 1.0), Reading::Supports);
        assert_eq!(read(Expect::Higher, -1.0), Reading::Contradicts);
        assert_eq!(read(Expect::Lower, 0.2), Reading::NoDifference);
        assert_eq!(read(Expect::NotHigher, 1.0), Reading::Contradicts);
        assert_eq!(read(Expect::NotHigher, -1.0), Reading::Supports);
        assert_eq!(read(Expect::Same, 0.2), Reading::Supports);
    }
}
