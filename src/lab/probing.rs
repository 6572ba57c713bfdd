//! What the base says to a visitor's facts, asked before anything is trained: some facts at a time, so that whoever drives
//! it stays free for other work.

use std::rc::Rc;

use web_time::Instant;

use super::pace::Pace;
use super::subject::Subject;
use crate::data::facts::{self, Fact, objects};
use crate::engine::Backend;
use crate::error::Result;
use crate::measure::recall::{self, AnswerKind, Probe};
use crate::record::{AskedOfBase, BaseAnswer};

/// Facts of the first slice.
const AT_FIRST: usize = 4;
const AT_MOST: usize = 32;

/// How long a slice should take at least and at most, milliseconds.
const SLICE_MS: [f32; 2] = [60.0, 250.0];

/// Parameters of the largest model on the CPU that is also asked in the chat template: whole answers take many times as long as
/// an object.
const ASKED_ON_CPU: u64 = 20_000_000;

/// Longest answer in the chat template, in tokens.
const ANSWER_LEN: usize = 40;

/// Facts that the base is being asked for.
pub struct Probing {
    /// Of the request.
    pub id: u32,
    facts: Rc<Vec<Fact>>,
    probes: Vec<Probe>,
    /// Whether the base completes each fact rightly, as far as it was asked.
    known: Vec<bool>,
    /// In facts.
    pace: Pace,
}

impl Probing {
    /// `text` holds facts, one JSON object a line.
    ///
    /// # Errors
    /// The first line that is no fact.
    pub fn new(id: u32, text: &str, subject: &Subject) -> Result<Self> {
        let facts = facts::parse(text.as_bytes(), super::OWN_PROBES)?;
        let lists = objects(&facts);
        let probe = |fact: &Fact| Probe::of(fact, lists[&fact.relation].clone(), &subject.tokenizer);
        let probes = facts.iter().map(probe).collect::<Result<_>>()?;
        Ok(Self {
            id,
            facts: Rc::new(facts),
            probes,
            known: Vec::new(),
            pace: Pace::new(AT_FIRST, AT_MOST, SLICE_MS),
        })
    }

    /// Facts that were asked for, and all of them.
    pub fn progress(&self) -> (usize, usize) {
        (self.known.len(), self.probes.len())
    }

    /// Asks for the next few facts; nothing when all were.
    ///
    /// # Errors
    /// When the back end fails.
    pub async fn advance(&mut self, subject: &mut Subject) -> Result<Vec<BaseAnswer>> {
        let begun = Instant::now();
        let from = self.known.len();
        let slice = &self.probes[from..self.probes.len().min(from + self.pace.amount)];
        let positions = subject.base.config().max_position_embeddings;
        let is_asked =
            matches!(subject.backend, Backend::Gpu(_)) || subject.base.config().parameters() <= ASKED_ON_CPU;
        let answer_len = if is_asked { ANSWER_LEN } else { 0 };
        // A fact that is too long for the model must not keep the others from being asked.
        let fits = recall::fitting(slice, answer_len, positions);
        let asked: Vec<Probe> =
            slice.iter().zip(&fits).filter(|(_, fits)| **fits).map(|(probe, _)| probe.clone()).collect();
        let Subject { base, tokenizer, .. } = subject;
        let cloze = recall::cloze(base, &asked, tokenizer).await?;
        let ranks = recall::ranks(base, &asked, tokenizer).await?;
        let whole = match is_asked {
            true => recall::asked(base, &asked, answer_len, tokenizer).await?,
            false => Vec::new(),
        };
        let mut whole = whole.into_iter();
        let mut said = asked.iter().zip(cloze).zip(ranks).map(|((probe, cloze), rank)| BaseAnswer {
            sentence: probe.sentence.clone(),
            cloze: cloze.answer,
            right: cloze.kind == AnswerKind::Right,
            rank: (probe.ranked() > 1).then(|| [rank, probe.ranked() as u32]),
            asked: whole.next().map(|said| AskedOfBase { text: said.text.trim().into(), right: said.right }),
            refused: None,
        });
        let too_long = |probe: &Probe| BaseAnswer {
            sentence: probe.sentence.clone(),
            refused: Some(format!("it is longer than the {positions} tokens that the model reads")),
            ..BaseAnswer::default()
        };
        let answer = |(probe, fits): (&Probe, &bool)| if *fits { said.next() } else { Some(too_long(probe)) };
        let answers: Vec<BaseAnswer> = slice.iter().zip(&fits).filter_map(answer).collect();
        self.known.extend(answers.iter().map(|answer| answer.right));
        if self.known.len() == self.probes.len() {
            subject.remember_known(&self.facts, self.known.clone());
        }
        self.pace.took(begun);
        Ok(answers)
    }
}
