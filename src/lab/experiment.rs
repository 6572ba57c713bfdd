//! A preset's runs, one after the other, and what they show together. The command line and the page drive it
//! alike: ask for the next run, do it, hand its events back.

use std::collections::VecDeque;

use super::counterfactual::{Check, Counterfactual};
use super::event::*;
use super::lab::Lab;
use super::metric::{Metric, Spread, Values, difference};
use super::preset::{Condition, Expect, Fairness, Preset, Question, Side};
use super::settings::{ArmName, Settings};

/// A run that is to be done.
#[derive(Clone, Debug)]
pub struct Planned {
    /// "same rate, as they are, seed 1".
    pub label: String,
    pub settings: Settings,
    condition: usize,
    seed: u32,
    check: Option<Check>,
}

/// One arm's course in one run.
struct Course {
    condition: usize,
    seed: u32,
    arm: ArmName,
    /// By step.
    measures: Vec<(u32, Values)>,
}

pub struct Experiment {
    pub preset: Preset,
    waiting: VecDeque<Planned>,
    current: Option<Planned>,
    /// Runs that are done, and how many there are as far as is known.
    pub done: usize,
    pub total: usize,
    courses: Vec<Course>,
    /// The last measure of a check's run, which has one arm.
    last: Option<Measure>,
    base: Option<Values>,
    checks: Vec<Counterfactual>,
}

impl Experiment {
    pub fn new(preset: Preset) -> Self {
        let mut waiting = VecDeque::new();
        for &seed in &preset.seeds {
            for (condition, c) in preset.conditions.iter().enumerate() {
                let settings = Settings { seed, ..c.settings.clone() };
                waiting.push_back(Planned {
                    label: format!("{}, seed {seed}", name(c)),
                    settings,
                    condition,
                    seed,
                    check: None,
                });
            }
        }
        // The run that is kept whole comes first, with its own measures.
        let (shown, every) = preset.shown;
        if let Some(mut first) = waiting.remove(shown) {
            first.settings.measure_every = every;
            waiting.push_front(first);
        }
        let total = waiting.len();
        Self {
            preset,
            waiting,
            current: None,
            done: 0,
            total,
            courses: Vec::new(),
            last: None,
            base: None,
            checks: Vec::new(),
        }
    }

    /// The counterfactual check of an arm of the lab's run, and nothing else.
    pub fn of_check(check: Check) -> Self {
        let preset = Preset::check();
        let mut experiment = Self::new(preset);
        experiment.push_check(check, 0, 0);
        experiment
    }

    fn push_check(&mut self, check: Check, condition: usize, seed: u32) {
        let label = format!("counterfactual check, {}", arm(check.arm));
        let settings = check.settings.clone();
        self.waiting.push_front(Planned { label, settings, condition, seed, check: Some(check) });
        self.total += 1;
    }

    /// The next run to do; behind a run whose borrowed answers are to be checked, that check. `lab` still has
    /// the run that was done last.
    pub fn next(&mut self, lab: &Lab) -> Option<Planned> {
        if let Some(done) = self.current.take() {
            self.done += 1;
            let wanted = self.preset.counterfactual == Some(done.condition) && done.check.is_none();
            for &arm in done.settings.arms.iter().filter(|_| wanted) {
                if let Some(check) = lab.check(arm) {
                    self.push_check(check, done.condition, done.seed);
                }
            }
            self.last = None;
        }
        self.current = self.waiting.pop_front();
        self.current.clone()
    }

    /// Notes an event of the current run; when the run is done, gives what its check found.
    pub fn take(&mut self, event: &Event) -> Option<Event> {
        let current = self.current.as_ref()?;
        match event {
            Event::Measure(m) if current.check.is_none() => {
                if m.step == 0 {
                    self.base.get_or_insert_with(|| Metric::values(m));
                }
                let (condition, seed) = (current.condition, current.seed);
                let is_same = |c: &&mut Course| (c.condition, c.seed, c.arm) == (condition, seed, m.arm);
                let point = (m.step, Metric::values(m));
                match self.courses.iter_mut().find(is_same) {
                    Some(course) => course.measures.push(point),
                    None => self.courses.push(Course { condition, seed, arm: m.arm, measures: vec![point] }),
                }
            }
            Event::Measure(m) => self.last = Some(m.clone()),
            Event::Done { .. } => {
                let found = current.check.as_ref()?.compare(self.last.as_ref()?);
                match self.checks.iter_mut().find(|c| c.arm == found.arm) {
                    Some(sum) => sum.add(&found),
                    None => self.checks.push(found.clone()),
                }
                return Some(Event::Counterfactual(found));
            }
            _ => {}
        }
        None
    }

    /// What the runs show together; nothing for a check alone.
    pub fn summary(&self) -> Option<Summary> {
        let Preset { name, title, claim, conditions, .. } = &self.preset;
        if conditions.is_empty() {
            return None;
        }
        let mut rows: Vec<SummaryRow> = Vec::new();
        let base = self.base.clone().map(|base| vec![base]).unwrap_or_default();
        rows.push(row("before tuning", None, ArmName::Base, 0.0, &base));
        for (index, c) in conditions.iter().enumerate() {
            for &arm in &c.settings.arms {
                rows.push(row(&c.label, c.fairness, arm, rate(c, arm), &self.ends(index, arm)));
            }
        }
        let mut questions = self.preset.questions.clone();
        let mut derived: Vec<(Side, f32, Vec<Values>)> = Vec::new();
        if questions.is_empty() {
            derived = self.best_of_sweep();
            questions = asked_of_best(&derived);
        }
        for label in self.labels_with(Fairness::EqualLoss) {
            derived.extend(self.at_equal_loss(&label));
        }
        for (side, rate, values) in &derived {
            rows.push(row(&side.condition, side.fairness, side.arm, *rate, values));
        }
        let comparisons: Vec<Comparison> =
            questions.iter().filter_map(|q| self.compare(q, &derived)).collect();
        Some(Summary {
            preset: (*name).into(),
            title: (*title).into(),
            claim: (*claim).into(),
            verdict: verdict(&comparisons),
            rows,
            comparisons,
            checkpoints: self.checkpoints(),
            counterfactual: self.checks.clone(),
        })
    }

    /// The last values of each seed.
    fn ends(&self, condition: usize, arm: ArmName) -> Vec<Values> {
        self.courses(condition, arm).filter_map(|c| Some(c.measures.last()?.1.clone())).collect()
    }

    fn courses(&self, condition: usize, arm: ArmName) -> impl Iterator<Item = &Course> {
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
    fn best_of_sweep(&self) -> Vec<(Side, f32, Vec<Values>)> {
        let best = |arm: ArmName| {
            let loss = |values: &[Values]| mean(values, Metric::HeldoutLoss).unwrap_or(f64::INFINITY);
            let all = (0..self.preset.conditions.len()).map(|i| (i, self.ends(i, arm)));
            let (index, values) = all.min_by(|a, b| loss(&a.1).total_cmp(&loss(&b.1)))?;
            let c = &self.preset.conditions[index];
            let side = Side { condition: c.label.clone(), fairness: Some(Fairness::BestRate), arm };
            Some((side, rate(c, arm), values))
        };
        [ArmName::Lora, ArmName::Full].into_iter().filter_map(best).collect()
    }

    /// Both arms of the runs at their best rates where they first have the held-out loss that both reach.
    fn at_equal_loss(&self, label: &str) -> Vec<(Side, f32, Vec<Values>)> {
        let is_best = |c: &Condition| c.label == label && c.fairness == Some(Fairness::BestRate);
        let Some(index) = self.preset.conditions.iter().position(is_best) else { return Vec::new() };
        let c = &self.preset.conditions[index];
        let lowest = |course: &Course| {
            let losses = course.measures.iter().filter_map(|(_, v)| v.get(&Metric::HeldoutLoss).copied());
            losses.fold(f64::INFINITY, f64::min)
        };
        let arms = &c.settings.arms;
        let reached = arms.iter().map(|&arm| {
            let lows: Vec<f64> = self.courses(index, arm).map(lowest).collect();
            lows.iter().sum::<f64>() / lows.len().max(1) as f64
        });
        let target = reached.fold(f64::NEG_INFINITY, f64::max);
        let at = |arm: ArmName| {
            let values = self.courses(index, arm).map(|course| crossing(&course.measures, target)).collect();
            let side = Side { condition: label.into(), fairness: Some(Fairness::EqualLoss), arm };
            (side, rate(c, arm), values)
        };
        arms.iter().map(|&arm| at(arm)).collect()
    }

    fn values(&self, side: &Side, derived: &[(Side, f32, Vec<Values>)]) -> Vec<Values> {
        if let Some((_, _, values)) = derived.iter().find(|(s, _, _)| s == side) {
            return values.clone();
        }
        let is_it = |c: &Condition| c.label == side.condition && c.fairness == side.fairness;
        let index = self.preset.conditions.iter().position(is_it);
        index.map(|index| self.ends(index, side.arm)).unwrap_or_default()
    }

    fn compare(&self, q: &Question, derived: &[(Side, f32, Vec<Values>)]) -> Option<Comparison> {
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
            arm: side.arm,
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
        comparison.text = sentence(&comparison);
        Some(comparison)
    }

    fn checkpoints(&self) -> Vec<Checkpoint> {
        let of = |course: &Course| {
            let c = &self.preset.conditions[course.condition];
            let (condition, fairness, arm, seed) = (c.label.clone(), c.fairness, course.arm, course.seed);
            let point = move |(step, v): &(u32, Values)| {
                let of = |metric| v.get(&metric).map_or(f32::NAN, |v| *v as f32);
                Checkpoint {
                    condition: condition.clone(),
                    fairness,
                    arm,
                    lr: rate(c, arm),
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
}

fn name(c: &Condition) -> String {
    let rates = match c.settings.arms[..] {
        [ArmName::Lora] => format!("LoRA {:e}", c.settings.lr_lora),
        [ArmName::Full] => format!("full {:e}", c.settings.lr_full),
        _ => format!("LoRA {:e}, full {:e}", c.settings.lr_lora, c.settings.lr_full),
    };
    match c.fairness {
        Some(fairness) => format!("{}, {} ({rates})", c.label, fairness.label()),
        None => format!("{} ({rates})", c.label),
    }
}

/// As a reader names it.
fn arm(arm: ArmName) -> &'static str {
    match arm {
        ArmName::Base => "base",
        ArmName::Lora => "LoRA",
        ArmName::Full => "full",
    }
}

fn rate(c: &Condition, arm: ArmName) -> f32 {
    if arm == ArmName::Lora { c.settings.lr_lora } else { c.settings.lr_full }
}

fn mean(values: &[Values], metric: Metric) -> Option<f64> {
    let of: Vec<f64> = values.iter().filter_map(|v| v.get(&metric).copied()).collect();
    (!of.is_empty()).then(|| of.iter().sum::<f64>() / of.len() as f64)
}

fn row(condition: &str, fairness: Option<Fairness>, arm: ArmName, lr: f32, seeds: &[Values]) -> SummaryRow {
    let figure = |metric: Metric| {
        let of: Vec<f64> = seeds.iter().filter_map(|v| v.get(&metric).copied()).collect();
        (!of.is_empty()).then(|| (metric, Spread::of(&of)))
    };
    let figures = Metric::ALL.into_iter().filter_map(figure).collect();
    SummaryRow { condition: condition.into(), fairness, arm, lr, seeds: seeds.len() as u32, figures }
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

/// Of a sweep: the two arms at their best rates.
fn asked_of_best(best: &[(Side, f32, Vec<Values>)]) -> Vec<Question> {
    let [(a, ..), (b, ..)] = best else { return Vec::new() };
    let ask = |metric, expect| Question { metric, a: a.clone(), b: b.clone(), other: None, expect };
    vec![ask(Metric::RecallCloze, Expect::Lower), ask(Metric::Kl, Expect::Higher)]
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

fn sentence(c: &Comparison) -> String {
    let side = |s: &ComparedSide| {
        let figure = s.metric.write(s.spread);
        match (c.a.arm == c.b.arm, c.a.condition == c.b.condition) {
            (false, true) => format!("{} {figure}", arm(s.arm)),
            (true, false) => format!("{} {figure}", s.condition),
            (true, true) => format!("{} {figure}", s.metric.label()),
            (false, false) => format!("{} ({}) {figure}", s.condition, arm(s.arm)),
        }
    };
    let whose = if c.a.arm == c.b.arm { format!("{}: ", arm(c.a.arm)) } else { String::new() };
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

    fn measure(arm: ArmName, step: u32, loss: f32, correct: u32) -> Event {
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
    fn played(preset: Preset, end: impl Fn(&Planned, ArmName) -> (f32, u32)) -> Summary {
        let mut experiment = Experiment::new(preset);
        while let Some(planned) = {
            experiment.current.take();
            experiment.current = experiment.waiting.pop_front();
            experiment.current.clone()
        } {
            for arm in planned.settings.arms.clone() {
                let (loss, correct) = end(&planned, arm);
                experiment.take(&measure(arm, 0, 2.0, 100));
                experiment.take(&measure(arm, 100, (2.0 + loss) / 2.0, 100));
                experiment.take(&measure(arm, 200, loss, correct));
            }
            experiment.take(&Event::Done { run: 1, seconds: 0.0 });
        }
        experiment.summary().unwrap()
    }

    #[test]
    fn the_best_rate_is_each_arms_own() {
        let preset = Preset::by_name("lora-vs-full").unwrap();
        let summary = played(preset, |run, arm| match arm {
            ArmName::Lora => ((run.settings.lr_lora - 1e-3).abs() + 0.5, 99),
            _ => ((run.settings.lr_full - 1e-4).abs() + 0.5, 60 + run.settings.seed),
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
        let summary = played(preset, |_, arm| if arm == ArmName::Lora { (0.5, 80) } else { (1.0, 70) });
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

    #[test]
    fn a_single_seed_proves_nothing() {
        let preset = Preset { seeds: vec![1], ..Preset::by_name("f4").unwrap() };
        let summary = played(preset, |_, arm| if arm == ArmName::Lora { (0.5, 99) } else { (1.0, 1) });
        assert!(summary.comparisons.iter().all(|c| c.reading == Reading::OneSeed));
        assert!(summary.verdict.contains("single seeds"));
    }

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
