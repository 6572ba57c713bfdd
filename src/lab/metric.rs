//! The figures that runs are compared by, and what several seeds say about one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::event::{Conversation, Measure, PositionShift, RecallForm, Split};

/// Tokens that begin an answer: an opener has three to six.
pub const EARLY: usize = 5;

/// A figure of a [`Measure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Nats per response token.
    HeldoutLoss,
    /// Share of the kept facts, by cloze.
    RecallCloze,
    /// Share of the kept facts, asked.
    RecallAsked,
    /// Share of the facts that are in the set, asked.
    RecallSeen,
    /// Share of the facts that only the set states, by cloze.
    RecallNewCloze,
    /// Share of the facts that only the set states, asked.
    RecallNew,
    /// Borrowed answers, as a share of the kept facts.
    Borrowed,
    /// Other valid candidates, as a share of the kept facts.
    Other,
    /// Answers that are no candidate, as a share of the kept facts.
    Malformed,
    /// Borrowed answers, as a share of the wrong ones.
    BorrowedOfErrors,
    /// What that share would be if wrong answers were candidates drawn at random.
    BorrowedByChance,
    /// Shares of the tokens.
    Unshifted,
    Marginal,
    Shifted,
    /// KL(tuned || base), nats per token: of all tokens, and by what they are for.
    Kl,
    /// Of the first [`EARLY`] tokens of each answer, and of the others.
    KlEarly,
    KlLate,
    KlOpener,
    KlStyle,
    KlFact,
    /// Shares of the tokens of a class that are shifted.
    ShiftedOpener,
    ShiftedStyle,
    ShiftedFact,
    /// Shares of the held-out questions on facts: in the set's format, right, and both.
    Format,
    Right,
    Conversation,
}

impl Metric {
    pub const ALL: [Self; 26] = [
        Self::HeldoutLoss,
        Self::RecallCloze,
        Self::RecallAsked,
        Self::RecallSeen,
        Self::RecallNewCloze,
        Self::RecallNew,
        Self::Borrowed,
        Self::Other,
        Self::Malformed,
        Self::BorrowedOfErrors,
        Self::BorrowedByChance,
        Self::Unshifted,
        Self::Marginal,
        Self::Shifted,
        Self::Kl,
        Self::KlEarly,
        Self::KlLate,
        Self::KlOpener,
        Self::KlStyle,
        Self::KlFact,
        Self::ShiftedOpener,
        Self::ShiftedStyle,
        Self::ShiftedFact,
        Self::Format,
        Self::Right,
        Self::Conversation,
    ];

    /// As a reader names it, with its unit.
    pub fn label(self) -> &'static str {
        match self {
            Self::HeldoutLoss => "held-out loss, nats",
            Self::RecallCloze => "recall of kept facts by cloze, %",
            Self::RecallAsked => "recall of kept facts asked, %",
            Self::RecallSeen => "recall of seen facts asked, %",
            Self::RecallNewCloze => "recall of new facts by cloze, %",
            Self::RecallNew => "recall of new facts asked, %",
            Self::Borrowed => "borrowed answers, % of kept facts",
            Self::Other => "other candidates, % of kept facts",
            Self::Malformed => "malformed answers, % of kept facts",
            Self::BorrowedOfErrors => "borrowed answers, % of errors",
            Self::BorrowedByChance => "borrowed by chance, % of errors",
            Self::Unshifted => "unshifted tokens, %",
            Self::Marginal => "marginal tokens, %",
            Self::Shifted => "shifted tokens, %",
            Self::Kl => "KL to the base, nats per token",
            Self::KlEarly => "KL of the first five tokens, nats",
            Self::KlLate => "KL of the later tokens, nats",
            Self::KlOpener => "KL of opener tokens, nats",
            Self::KlStyle => "KL of style tokens, nats",
            Self::KlFact => "KL of fact tokens, nats",
            Self::ShiftedOpener => "shifted opener tokens, %",
            Self::ShiftedStyle => "shifted style tokens, %",
            Self::ShiftedFact => "shifted fact tokens, %",
            Self::Format => "answers in the set's format, %",
            Self::Right => "right answers, %",
            Self::Conversation => "right answers in the set's format, %",
        }
    }

    /// Whether it is a share, which is written in percent.
    pub fn is_share(self) -> bool {
        self.label().contains('%')
    }

    /// Its value; nothing where it was not measured or is of no tokens or facts.
    pub fn of(self, m: &Measure) -> Option<f64> {
        let share = |part: u32, whole: u32| (whole > 0).then(|| f64::from(part) / f64::from(whole));
        let recall = |split: Split, form: RecallForm| {
            let row = m.recall.iter().find(|r| r.split == split && r.form == form)?;
            share(row.correct, row.n)
        };
        let class = |pick: fn(&super::event::ClassShift) -> PositionShift| {
            m.shift.classes.as_ref().map(pick).filter(|p| p.n > 0)
        };
        let talk = |pick: fn(&Conversation) -> u32| m.conversation.and_then(|c| share(pick(&c), c.n));
        let along = |positions: &[PositionShift]| {
            let n: u32 = positions.iter().map(|p| p.n).sum();
            let sum: f64 = positions.iter().map(|p| f64::from(p.kl) * f64::from(p.n)).sum();
            (n > 0).then(|| sum / f64::from(n))
        };
        let e = &m.errors;
        let errors = e.borrowed + e.other + e.malformed;
        let s = &m.shift;
        match self {
            Self::HeldoutLoss => Some(f64::from(m.heldout_loss)),
            Self::RecallCloze => recall(Split::Kept, RecallForm::Cloze),
            Self::RecallAsked => recall(Split::Kept, RecallForm::Asked),
            Self::RecallSeen => recall(Split::Seen, RecallForm::Asked),
            Self::RecallNewCloze => recall(Split::New, RecallForm::Cloze),
            Self::RecallNew => recall(Split::New, RecallForm::Asked),
            Self::Borrowed => share(e.borrowed, e.n),
            Self::Other => share(e.other, e.n),
            Self::Malformed => share(e.malformed, e.n),
            Self::BorrowedOfErrors => share(e.borrowed, errors),
            Self::BorrowedByChance => (errors > 0).then(|| f64::from(e.borrowed_by_chance)),
            Self::Unshifted => share(s.unshifted, s.n),
            Self::Marginal => share(s.marginal, s.n),
            Self::Shifted => share(s.shifted, s.n),
            Self::Kl => (s.n > 0).then(|| f64::from(s.kl)),
            Self::KlEarly => along(&s.positions[..s.positions.len().min(EARLY)]),
            Self::KlLate => along(s.positions.get(EARLY..).unwrap_or_default()),
            Self::KlOpener => class(|c| c.opener).map(|p| f64::from(p.kl)),
            Self::KlStyle => class(|c| c.style).map(|p| f64::from(p.kl)),
            Self::KlFact => class(|c| c.fact).map(|p| f64::from(p.kl)),
            Self::ShiftedOpener => class(|c| c.opener).and_then(|p| share(p.shifted, p.n)),
            Self::ShiftedStyle => class(|c| c.style).and_then(|p| share(p.shifted, p.n)),
            Self::ShiftedFact => class(|c| c.fact).and_then(|p| share(p.shifted, p.n)),
            Self::Format => talk(|c| c.format),
            Self::Right => talk(|c| c.right),
            Self::Conversation => talk(|c| c.both),
        }
    }

    /// Every figure that was measured.
    pub fn values(measure: &Measure) -> Values {
        Self::ALL.into_iter().filter_map(|metric| Some((metric, metric.of(measure)?))).collect()
    }

    /// `mean ± sd`, shares in percent.
    pub fn write(self, spread: Spread) -> String {
        let Spread { mean, sd, .. } = spread;
        match self.is_share() {
            true => format!("{:.1} ± {:.1}", 100.0 * mean, 100.0 * sd),
            false => format!("{mean:.2} ± {sd:.2}"),
        }
    }
}

/// The figures of one arm at one moment.
pub type Values = BTreeMap<Metric, f64>;

/// Several seeds' values of a figure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    pub mean: f32,
    /// Sample standard deviation.
    pub sd: f32,
    /// Half width of the 95 % interval of the mean (Student); 0 for a single seed and in older records.
    #[serde(default)]
    pub ci: f32,
}

impl Spread {
    pub fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n.max(1.0);
        let sd = variance(values, mean).sqrt();
        let ci = if values.len() > 1 { student(n - 1.0) * sd / n.sqrt() } else { 0.0 };
        Self { mean: mean as f32, sd: sd as f32, ci: ci as f32 }
    }
}

fn variance(values: &[f64], mean: f64) -> f64 {
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    squares / (values.len() as f64 - 1.0).max(1.0)
}

/// The mean difference `b - a`, the half width of its 95 % interval (Welch), and the noise floor: how much two
/// seeds of the same side differ on average. `None` for the interval with fewer than two seeds on a side.
pub fn difference(a: &[f64], b: &[f64]) -> (f64, Option<f64>, Option<f64>) {
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len().max(1) as f64;
    let (ma, mb) = (mean(a), mean(b));
    if a.len() < 2 || b.len() < 2 {
        return (mb - ma, None, None);
    }
    let part = |v: &[f64], m: f64| variance(v, m) / v.len() as f64;
    let (va, vb) = (part(a, ma), part(b, mb));
    let freedom = match va + vb > 0.0 {
        true => (va + vb).powi(2) / (va.powi(2) / (a.len() - 1) as f64 + vb.powi(2) / (b.len() - 1) as f64),
        false => (a.len() + b.len() - 2) as f64,
    };
    let pairs = |v: &[f64]| -> Vec<f64> {
        (0..v.len()).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| (v[i] - v[j]).abs()).collect()
    };
    let noise = [pairs(a), pairs(b)].concat();
    (mb - ma, Some(student(freedom) * (va + vb).sqrt()), Some(mean(&noise)))
}

/// Two-sided 95 % quantile of Student's t; Cornish and Fisher's expansion beyond the table, exact to 0.1 %.
fn student(freedom: f64) -> f64 {
    const TABLE: [f64; 5] = [12.706, 4.303, 3.182, 2.776, 2.571];
    if freedom < 5.0 {
        // Between whole degrees of freedom linear in 1/f, nearly exact.
        let f = freedom.max(1.0);
        let (low, high) = (f.floor(), f.floor() + 1.0);
        let share = (1.0 / low - 1.0 / f) / (1.0 / low - 1.0 / high);
        let (a, b) = (TABLE[low as usize - 1], TABLE[(high as usize - 1).min(4)]);
        return a + share * (b - a);
    }
    let z: f64 = 1.959_964;
    z + (z.powi(3) + z) / (4.0 * freedom)
        + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * freedom * freedom)
        + (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / (384.0 * freedom.powi(3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_students() {
        let s = Spread::of(&[1.0, 2.0, 3.0]);
        assert_eq!((s.mean, s.sd), (2.0, 1.0));
        assert!((s.ci - 2.484).abs() < 1e-3, "{s:?}");
        for (freedom, want) in [(1.0, 12.706), (4.0, 2.776), (5.0, 2.571), (10.0, 2.228), (30.0, 2.042)] {
            assert!((student(freedom) / want - 1.0).abs() < 2e-3, "{freedom}: {}", student(freedom));
        }
        assert!(student(2.5) < 4.303 && student(2.5) > 3.182);
    }

    /// Welch's test of two samples as SciPy computes it.
    #[test]
    fn difference_is_welchs() {
        let (a, b) = ([1.0, 2.0, 3.0], [4.0, 6.0, 9.0]);
        let (difference, margin, noise) = difference(&a, &b);
        assert!((difference - 4.333).abs() < 1e-3);
        // s²/n: 1/3 and 6.333/3, f = 2.61.
        assert!((margin.unwrap() / 1.5635 - 3.46).abs() < 0.15, "{margin:?}");
        assert!((noise.unwrap() - (4.0 / 3.0 + 10.0 / 3.0) / 2.0).abs() < 1e-9, "{noise:?}");
        assert_eq!(super::difference(&[1.0], &b).1, None);
    }
}
