//! The figures that runs are compared by.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::event::Split;
use super::measure::{ClassShift, Conversation, Measure, PositionShift, RecallForm};

/// Tokens that begin an answer: an opener has three to six.
pub const EARLY: usize = 5;

/// A figure of a [`Measure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    /// Mean rank of the right object among those of its relation, kept facts.
    ObjectRank,
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
    /// KL(base || tuned), nats per token of the held-out answers.
    KlTask,
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
    /// Share of the answers drawn to one question that are different.
    Diversity,
    /// Intruder dimensions of a matrix, mean.
    Intruders,
}

impl Metric {
    pub const ALL: [Self; 30] = [
        Self::HeldoutLoss,
        Self::RecallCloze,
        Self::RecallAsked,
        Self::RecallSeen,
        Self::RecallNewCloze,
        Self::RecallNew,
        Self::ObjectRank,
        Self::Borrowed,
        Self::Other,
        Self::Malformed,
        Self::BorrowedOfErrors,
        Self::BorrowedByChance,
        Self::Unshifted,
        Self::Marginal,
        Self::Shifted,
        Self::Kl,
        Self::KlTask,
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
        Self::Diversity,
        Self::Intruders,
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
            Self::ObjectRank => "rank of the right object among 16, kept facts",
            Self::Borrowed => "borrowed answers, % of kept facts",
            Self::Other => "other candidates, % of kept facts",
            Self::Malformed => "malformed answers, % of kept facts",
            Self::BorrowedOfErrors => "borrowed answers, % of errors",
            Self::BorrowedByChance => "borrowed by chance, % of errors",
            Self::Unshifted => "unshifted tokens, %",
            Self::Marginal => "marginal tokens, %",
            Self::Shifted => "shifted tokens, %",
            Self::Kl => "KL(tuned || base) on own answers, nats per token",
            Self::KlTask => "KL(base || tuned) on the new task, nats per token",
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
            Self::Diversity => "different answers among those drawn, %",
            Self::Intruders => "intruder dimensions a matrix, of ten",
        }
    }

    /// At the head of a column.
    pub fn short(self) -> &'static str {
        match self {
            Self::HeldoutLoss => "Held-out loss",
            Self::RecallCloze => "Recall, cloze",
            Self::RecallAsked => "Recall, asked",
            Self::RecallSeen => "Recall of seen facts",
            Self::RecallNewCloze => "Recall of new facts, cloze",
            Self::RecallNew => "Recall of new facts, asked",
            Self::ObjectRank => "Object's rank",
            Self::Borrowed => "Borrowed",
            Self::Other => "Other candidate",
            Self::Malformed => "Malformed",
            Self::BorrowedOfErrors => "Borrowed, of errors",
            Self::BorrowedByChance => "Borrowed by chance, of errors",
            Self::Unshifted => "Unshifted",
            Self::Marginal => "Marginal",
            Self::Shifted => "Shifted",
            Self::Kl => "KL, own answers",
            Self::KlTask => "KL, new task",
            Self::KlEarly => "KL, first 5 tokens",
            Self::KlLate => "KL, later tokens",
            Self::KlOpener => "KL, opener",
            Self::KlStyle => "KL, style",
            Self::KlFact => "KL, fact",
            Self::ShiftedOpener => "Shifted, opener",
            Self::ShiftedStyle => "Shifted, style",
            Self::ShiftedFact => "Shifted, fact",
            Self::Format => "Set's format",
            Self::Right => "Right answer",
            Self::Conversation => "Right and in format",
            Self::Diversity => "Different answers",
            Self::Intruders => "Intruders",
        }
    }

    /// Whether it is a share, which is written in percent.
    pub fn is_share(self) -> bool {
        self.label().contains('%')
    }

    /// How much a value of the goal says has been learned (more is better); its own inverse.
    pub fn learned(self, value: f64) -> f64 {
        if self == Self::HeldoutLoss { -value } else { value }
    }

    /// Its value; nothing where it was not measured or is of no tokens or facts.
    pub fn of(self, m: &Measure) -> Option<f64> {
        let share = |part: u32, whole: u32| (whole > 0).then(|| f64::from(part) / f64::from(whole));
        let recall = |split: Split, form: RecallForm| {
            let row = m.recall.iter().find(|r| r.split == split && r.form == form)?;
            share(row.correct, row.n)
        };
        let class =
            |pick: fn(&ClassShift) -> PositionShift| m.shift.classes.as_ref().map(pick).filter(|p| p.n > 0);
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
            Self::ObjectRank => m.object_rank.map(f64::from),
            Self::Borrowed => share(e.borrowed, e.n),
            Self::Other => share(e.other, e.n),
            Self::Malformed => share(e.malformed, e.n),
            Self::BorrowedOfErrors => share(e.borrowed, errors),
            Self::BorrowedByChance => (errors > 0).then(|| f64::from(e.borrowed_by_chance)),
            Self::Unshifted => share(s.unshifted, s.n),
            Self::Marginal => share(s.marginal, s.n),
            Self::Shifted => share(s.shifted, s.n),
            Self::Kl => (s.n > 0).then(|| f64::from(s.kl)),
            Self::KlTask => m.kl_task.map(f64::from),
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
            Self::Diversity => m.diversity.and_then(|d| share(d.unique, d.n)),
            Self::Intruders => m.intruders.map(f64::from),
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Spread {
    pub mean: f32,
    /// Sample standard deviation.
    pub sd: f32,
    /// Half width of the 95 % interval of the mean (Student); 0 for a single seed and in older records.
    #[serde(default)]
    pub ci: f32,
}
