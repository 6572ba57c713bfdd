//! What the runs of an experiment show together: figures over the seeds, and the comparisons that a claim makes.

mod equal;

use serde::{Deserialize, Serialize};

use crate::measure::relations;
use crate::measure::statistics::{Between, Difference, difference, holm};
use crate::record::*;

/// One arm's course in one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Course {
    pub condition: usize,
    pub seed: u32,
    pub arm: ArmId,
    /// By step; of doses by their strength in percent.
    #[serde(with = "as_json")]
    pub measures: Vec<(u32, Values)>,
}

/// JSON can't represent a loss that is not a number: it is null there.
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

/// The figures, one set per seed, of a side that belongs to no condition.
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
    let arms = preset.arms();
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
        if questions.is_empty() {
            questions = equal::asked_of_best(&derived);
        }
    }
    for label in all.labels_of_equals() {
        derived.extend(all.at_equal(&label));
    }
    for Derived { side, lr, values } in &derived {
        rows.push(row(&side.condition, side.fairness, &side.arm, *lr, values));
    }
    let mut comparisons: Vec<Comparison> =
        questions.iter().filter_map(|q| all.compare(q, &derived)).collect();
    adjust(&mut comparisons, &arms);
    let checkpoints = all.checkpoints();
    let has_optima = preset.is_sweep && preset.goal == Metric::HeldoutLoss;
    Summary {
        preset: preset.name.clone(),
        title: preset.title.clone(),
        claim: preset.claim.clone(),
        verdict: if preset.claim.is_empty() { String::new() } else { verdict(&comparisons) },
        rows,
        comparisons,
        goal: preset.goal,
        frontiers: relations::frontiers(&checkpoints, &arms, preset.goal),
        fits: relations::fits(&checkpoints),
        optima: if has_optima { relations::optima(&checkpoints, &arms) } else { Vec::new() },
        checkpoints,
        counterfactual: checks.to_vec(),
        arms,
    }
}

/// Adjusts the probabilities for how many comparisons there are, and puts each into words.
fn adjust(comparisons: &mut [Comparison], arms: &[SummaryArm]) {
    let p: Vec<f64> = comparisons.iter().filter_map(|c| c.p.map(f64::from)).collect();
    let mut adjusted = holm(&p).into_iter();
    for c in comparisons {
        c.p_holm = c.p.and_then(|_| adjusted.next()).map(|p| p as f32);
        c.text = sentence(c, arms, p.len());
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
        let Difference { mean, between } = difference(&a, &b);
        let reading = read(q.expect, mean, between);
        let figure = |side: &Side, metric: Metric, values: &[f64]| ComparedSide {
            condition: side.condition.clone(),
            arm: side.arm.clone(),
            metric,
            n: values.len() as u32,
            spread: Spread::of(values),
        };
        Some(Comparison {
            fairness: q.a.fairness,
            a: figure(&q.a, q.metric, &a),
            b: figure(&q.b, other, &b),
            difference: mean as f32,
            margin: between.map(|b| b.margin as f32),
            noise: between.map(|b| b.noise as f32),
            p: between.map(|b| b.p as f32),
            p_holm: None,
            reading,
            text: String::new(),
        })
    }

    fn checkpoints(&self) -> Vec<Checkpoint> {
        let of = |course: &Course| {
            let c = &self.preset.conditions[course.condition];
            let dosed = self.preset.doses.arm_of(&course.arm);
            let lr = rate(c, dosed.unwrap_or(&course.arm));
            let point = move |(at, v): &(u32, Values)| {
                let some = |metric| v.get(&metric).map(|v| *v as f32);
                let of = |metric| some(metric).unwrap_or(f32::NAN);
                Checkpoint {
                    condition: c.label.clone(),
                    fairness: c.fairness,
                    arm: course.arm.clone(),
                    lr,
                    seed: course.seed,
                    step: if dosed.is_some() { c.settings.steps } else { *at },
                    heldout_loss: of(Metric::HeldoutLoss),
                    recall_cloze: of(Metric::RecallCloze),
                    kl: of(Metric::Kl),
                    kl_task: some(Metric::KlTask),
                    recall_new: some(Metric::RecallNew),
                    strength: dosed.map(|_| *at as f32 / 100.0),
                }
            };
            course.measures.iter().map(point).collect::<Vec<_>>()
        };
        self.courses.iter().flat_map(of).collect()
    }
}

/// A comparison in words, one of `of`.
fn sentence(c: &Comparison, arms: &[SummaryArm], of: usize) -> String {
    let arm = |id: &str| arms.iter().find(|arm| arm.id == id).map_or("base", |arm| &arm.label);
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
    let interval = match (c.margin, c.noise, c.p.zip(c.p_holm)) {
        (Some(m), Some(n), Some((p, adjusted))) => format!(
            "difference {} ± {:.digits$} (95 %), two seeds of one side differ by {:.digits$}, {}, {} after Holm over {of}",
            signed(c.difference),
            m * scale,
            n * scale,
            probability("p", p),
            probability("p", adjusted),
        ),
        _ => format!("difference {}, one seed, no interval", signed(c.difference)),
    };
    let reading = c.reading.label();
    format!("{fairness}{whose}{what}{}, {}; {interval}: {reading}.", side(&c.a), side(&c.b))
}

/// "p = 0.012".
fn probability(name: &str, p: f32) -> String {
    if p < 0.001 { format!("{name} < 0.001") } else { format!("{name} = {p:.3}") }
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

fn read(expect: Expect, difference: f64, between: Option<Between>) -> Reading {
    let Some(Between { margin, noise, .. }) = between else { return Reading::OneSeed };
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
         that show no difference beyond the spread over seeds: {}. After Holm's correction for their number, \
         differences at p < 0.05: {}.",
        none + single,
        comparisons.iter().filter(|c| c.p_holm.is_some_and(|p| p < 0.05)).count()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings() {
        let read = |expect, d| read(expect, d, Some(Between { margin: 0.5, noise: 0.1, p: 0.01 }));
        assert_eq!(read(Expect::Higher, 1.0), Reading::Supports);
        assert_eq!(read(Expect::Higher, -1.0), Reading::Contradicts);
        assert_eq!(read(Expect::Lower, 0.2), Reading::NoDifference);
        assert_eq!(read(Expect::NotHigher, 1.0), Reading::Contradicts);
        assert_eq!(read(Expect::NotHigher, -1.0), Reading::Supports);
        assert_eq!(read(Expect::Same, 0.2), Reading::Supports);
    }
}
