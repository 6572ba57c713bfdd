//! Experiments by name: which runs they are made of and what the runs show together.

use super::event::{Event, Measure, RecallForm, Split, Spread, Summary, SummaryRow};
use super::settings::{ArmName, Settings};

/// A named experiment over several learning rates and seeds.
#[derive(Clone, Debug)]
pub struct Preset {
    pub name: &'static str,
    pub title: &'static str,
    /// Learning rates that both arms are run with.
    pub rates: Vec<f32>,
    pub seeds: Vec<u32>,
    pub settings: Settings,
}

impl Preset {
    pub const NAMES: [&'static str; 1] = ["lora-vs-full"];

    pub fn by_name(name: &str) -> Option<Self> {
        (name == "lora-vs-full").then(|| Self {
            name: "lora-vs-full",
            title: "LoRA against full tuning, from the same start on the same batches",
            rates: vec![3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2],
            seeds: vec![1, 2, 3],
            settings: Settings::default(),
        })
    }

    /// The rate that the recorded run with all its measures is made at.
    pub fn shown_rate(&self) -> f32 {
        3e-3
    }

    /// The settings of one run of the sweep: measured at its start and its end only.
    pub fn run(&self, rate: f32, seed: u32) -> Settings {
        let s = self.settings.clone();
        Settings { lr_lora: rate, lr_full: rate, seed, measure_every: s.steps, ..s }
    }

    /// The run whose whole course is kept.
    pub fn shown(&self) -> Settings {
        let rate = self.shown_rate();
        Settings { lr_lora: rate, lr_full: rate, seed: self.seeds[0], ..self.settings.clone() }
    }
}

/// The last measure of an arm in a run, with the rate it was trained at.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub rate: f32,
    pub measure: Measure,
}

/// Outcomes among a run's events: one for each arm, at its last step; `first` takes step 0 instead.
pub fn outcomes(events: &[Event], rate: f32, first: bool) -> Vec<Outcome> {
    let measures = || events.iter().filter_map(|e| if let Event::Measure(m) = e { Some(m) } else { None });
    let wanted = measures().map(|m| m.step);
    let step = if first { wanted.min() } else { wanted.max() };
    let of_step = measures().filter(|m| Some(m.step) == step);
    of_step.map(|m| Outcome { rate, measure: m.clone() }).collect()
}

/// Rows for the base, for each rate, and for each arm's best rate: that of the lowest held-out loss.
pub fn summarise(title: &str, base: &[Outcome], ends: &[Outcome]) -> Summary {
    let mut rows = Vec::new();
    rows.extend(row("before tuning", ArmName::Base, &base.iter().collect::<Vec<_>>()));
    let mut rates: Vec<f32> = ends.iter().map(|o| o.rate).collect();
    rates.sort_by(f32::total_cmp);
    rates.dedup();
    let mut best = Vec::new();
    for arm in [ArmName::Lora, ArmName::Full] {
        let of = |rate: f32| ends.iter().filter(move |o| o.rate == rate && o.measure.arm == arm);
        let loss = |rate: f32| spread(of(rate).map(|o| o.measure.heldout_loss)).mean;
        let rate = rates.iter().copied().min_by(|a, b| loss(*a).total_cmp(&loss(*b)));
        best.extend(rate.and_then(|r| row("best rate", arm, &of(r).collect::<Vec<_>>())));
    }
    let verdict = verdict(&best);
    rows.extend(best);
    for &rate in &rates {
        for arm in [ArmName::Lora, ArmName::Full] {
            let of: Vec<&Outcome> = ends.iter().filter(|o| o.rate == rate && o.measure.arm == arm).collect();
            rows.extend(row("same rate", arm, &of));
        }
    }
    Summary { title: title.into(), rows, verdict }
}

fn row(condition: &str, arm: ArmName, outcomes: &[&Outcome]) -> Option<SummaryRow> {
    let rate = outcomes.first()?.rate;
    let over = |value: fn(&Measure) -> f32| spread(outcomes.iter().map(|o| value(&o.measure)));
    Some(SummaryRow {
        condition: condition.into(),
        arm,
        lr: if arm == ArmName::Base { 0.0 } else { rate },
        seeds: outcomes.len() as u32,
        heldout_loss: over(|m| m.heldout_loss),
        recall_cloze: over(|m| recall(m, RecallForm::Cloze)),
        recall_asked: over(|m| recall(m, RecallForm::Asked)),
        borrowed: over(|m| m.errors.borrowed as f32 / m.errors.n.max(1) as f32),
        unshifted: over(|m| m.shift.unshifted as f32 / m.shift.n.max(1) as f32),
        marginal: over(|m| m.shift.marginal as f32 / m.shift.n.max(1) as f32),
        shifted: over(|m| m.shift.shifted as f32 / m.shift.n.max(1) as f32),
        kl: over(|m| m.shift.kl),
    })
}

/// Recall of the kept facts, 0 to 1.
fn recall(measure: &Measure, form: RecallForm) -> f32 {
    let kept = measure.recall.iter().find(|r| r.split == Split::Kept && r.form == form);
    kept.map_or(f32::NAN, |r| r.correct as f32 / r.n.max(1) as f32)
}

/// Mean and sample standard deviation.
fn spread(values: impl Iterator<Item = f32>) -> Spread {
    let values: Vec<f64> = values.map(f64::from).collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n.max(1.0);
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    Spread { mean: mean as f32, sd: (squares / (n - 1.0).max(1.0)).sqrt() as f32 }
}

/// A sentence on the claim that full tuning forgets and drifts more than LoRA, from the two arms at their best
/// rates. A difference counts when it is larger than both arms' spread over seeds.
fn verdict(best: &[SummaryRow]) -> String {
    let [lora, full] = best else { return "An arm is missing: nothing can be compared.".into() };
    let differs = |l: Spread, f: Spread| (l.mean - f.mean).abs() > l.sd + f.sd;
    let say = |what: &str, l: Spread, f: Spread, more: &str, less: &str| {
        let side = if f.mean > l.mean { more } else { less };
        let figures = format!("{what}: LoRA {:.3} ± {:.3}, full {:.3} ± {:.3}", l.mean, l.sd, f.mean, f.sd);
        match differs(l, f) {
            true => format!("{figures} ({side})."),
            false => format!("{figures} (no difference beyond the spread over {} seeds).", lora.seeds),
        }
    };
    let recall = say(
        "Recall of kept facts",
        lora.recall_cloze,
        full.recall_cloze,
        "full tuning keeps more, against the claim",
        "full tuning forgets more, as the paper says",
    );
    let kl = say(
        "KL to the base, nats per token",
        lora.kl,
        full.kl,
        "full tuning drifts further, as the paper says",
        "full tuning drifts less, against the claim",
    );
    format!("At each arm's best learning rate (LoRA {:e}, full {:e}). {recall} {kl}", lora.lr, full.lr)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::{Errors, Recall, Shift};

    fn outcome(arm: ArmName, rate: f32, heldout_loss: f32, correct: u32) -> Outcome {
        let recall = Recall { split: Split::Kept, form: RecallForm::Cloze, correct, n: 100 };
        let measure = Measure {
            run: 1,
            arm,
            step: 9,
            heldout_loss,
            shift: Shift { kl: 1.0, n: 10, unshifted: 6, marginal: 1, shifted: 3, positions: vec![] },
            recall: vec![recall],
            errors: Errors { borrowed: 5, n: 100, ..Errors::default() },
            cells: String::new(),
            logprobs: vec![],
            wrong: vec![],
            ms: 0.0,
        };
        Outcome { rate, measure }
    }

    #[test]
    fn the_best_rate_is_each_arms_own() {
        let ends = [
            outcome(ArmName::Lora, 1e-3, 0.5, 99),
            outcome(ArmName::Lora, 1e-2, 0.4, 95),
            outcome(ArmName::Full, 1e-3, 0.3, 60),
            outcome(ArmName::Full, 1e-3, 0.3, 62),
            outcome(ArmName::Full, 1e-2, 0.9, 5),
        ];
        let summary = summarise("t", &ends[..1], &ends);
        let best: Vec<_> = summary.rows.iter().filter(|r| r.condition == "best rate").collect();
        assert_eq!((best[0].lr, best[1].lr), (1e-2, 1e-3));
        assert_eq!((best[1].seeds, best[1].recall_cloze.mean), (2, 0.61));
        assert!((best[1].recall_cloze.sd - 0.0141).abs() < 1e-3);
        assert!(summary.verdict.contains("forgets more"), "{}", summary.verdict);
        assert!(summary.verdict.contains("no difference"), "{}", summary.verdict);
        assert_eq!(summary.rows.len(), 1 + 2 + 4);
    }
}
