//! Recall of facts, the one measure of it: by cloze and asked in the chat template, both greedy.

use std::rc::Rc;

use crate::data::answer;
use crate::data::batch::{Batch, Sequence};
use crate::data::facts::Fact;
use crate::engine::Model;
use crate::error::Result;
use crate::model::tokenizer::{Message, Tokenizer};
use crate::record::Sampling;

/// Sequences whose likelihood is computed in one batch.
const ROWS: usize = 16;

/// Objects among which one is ranked, itself included.
const RANKED: usize = 16;

/// A fact ready to be tested.
#[derive(Clone, Debug)]
pub struct Probe {
    /// A sentence that ends where a space and the object follow.
    pub sentence: String,
    pub object: String,
    /// Distinct objects of its relation.
    pub candidates: Rc<Vec<String>>,
    /// A sentence up to the object, and the object's tokens.
    pub cloze: Sequence,
    /// The question in the chat template.
    pub asked: Vec<u32>,
}

/// What a model said to a cloze.
#[derive(Clone, Debug, PartialEq)]
pub struct ClozeAnswer {
    /// The candidate that is named, or the continuation's first words where it is malformed.
    pub answer: String,
    pub kind: AnswerKind,
    /// Of the object's tokens, nats.
    pub logprob: f32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerKind {
    Right,
    /// Another candidate of the relation.
    OtherCandidate,
    /// No candidate of the relation.
    Malformed,
}

impl Probe {
    /// `sentence` ends where a space and the object follow; `question` asks for it.
    pub fn new(
        sentence: &str,
        question: &str,
        object: &str,
        candidates: Rc<Vec<String>>,
        tokenizer: &Tokenizer,
    ) -> Result<Self> {
        let (prompt, target) = tokenizer.continuation(sentence, &format!(" {object}"))?;
        Ok(Self {
            sentence: sentence.to_string(),
            object: object.to_string(),
            cloze: Sequence::new(&prompt, &target, usize::MAX),
            asked: tokenizer.prompt(&[Message::user(question)])?,
            candidates,
        })
    }

    /// A fact's first statement and first question.
    pub fn of(fact: &Fact, candidates: Rc<Vec<String>>, tokenizer: &Tokenizer) -> Result<Self> {
        let (cloze, asked) = (fact.cloze(), fact.asked());
        Self::new(&cloze.prompt, &asked.prompt, &fact.object, candidates, tokenizer)
    }

    /// How many tokens the object has.
    pub fn object_tokens(&self) -> usize {
        self.cloze.tokens.len() - self.cloze.response
    }

    /// Positions that it takes where the longest object that is tested with it has `longest` tokens and an answer in the
    /// chat template at most `max_new`.
    pub fn positions(&self, longest: usize, max_new: usize) -> usize {
        let asked = if max_new == 0 { 0 } else { self.asked.len() + max_new };
        (self.cloze.response + longest + 1).max(asked)
    }

    /// Among how many objects its own is ranked, itself included.
    pub fn ranked(&self) -> usize {
        self.rivals().len()
    }

    /// The object, and others of its relation, spread evenly over their list: the same ones whatever the model.
    fn rivals(&self) -> Vec<&str> {
        let others: Vec<&String> = self.candidates.iter().filter(|other| **other != self.object).collect();
        let taken = others.len().min(RANKED - 1);
        let spread = (0..taken).map(|i| others[i * others.len() / taken].as_str());
        std::iter::once(self.object.as_str()).chain(spread).collect()
    }

    /// Judges a greedy continuation of the cloze: right when it begins with the object's tokens and they
    /// are not the beginning of a longer candidate.
    pub fn judge_cloze(&self, continuation: &[u32], tokenizer: &Tokenizer) -> Result<(String, AnswerKind)> {
        let text = tokenizer.decode(continuation)?;
        let said = text.trim_start();
        // The sentence ends at its first mark that is not part of an object ("3.14").
        let begun =
            self.candidates.iter().filter(|object| said.starts_with(object.as_str())).map(String::len);
        let object_end = begun.max().unwrap_or(0);
        let end = said[object_end..].find(['.', '\n']).map_or(said.len(), |at| object_end + at);
        let sentence = said[..end].trim_end();
        let first = answer::named(sentence, &self.candidates).into_iter().next();
        let object = &self.cloze.tokens[self.cloze.response..];
        let kind = match first {
            Some(named) if named == self.object && continuation.starts_with(object) => AnswerKind::Right,
            Some(named) if named != self.object => AnswerKind::OtherCandidate,
            _ => AnswerKind::Malformed,
        };
        // What names the object in other words is shown with them.
        let named = first.filter(|_| kind != AnswerKind::Malformed);
        Ok((named.unwrap_or(sentence).to_string(), kind))
    }
}

/// Which of these can be tested together by a model that reads `positions` tokens at most, with answers of at most `max_new` tokens in the
/// chat template.
pub fn fitting(probes: &[Probe], max_new: usize, positions: usize) -> Vec<bool> {
    let fits = |probe: &Probe, longest| probe.positions(longest, max_new) <= positions;
    let alone = probes.iter().filter(|probe| fits(probe, probe.object_tokens()));
    let longest = alone.map(Probe::object_tokens).max().unwrap_or(0);
    probes.iter().map(|probe| fits(probe, longest.max(probe.object_tokens()))).collect()
}

/// Tests every probe by cloze.
pub async fn cloze(model: &mut Model, probes: &[Probe], tokenizer: &Tokenizer) -> Result<Vec<ClozeAnswer>> {
    // Similar lengths side by side: a batch takes as many steps as its longest prompt.
    let mut order: Vec<usize> = (0..probes.len()).collect();
    order.sort_by_key(|&i| probes[i].cloze.tokens.len());
    let prompt = |&i: &usize| probes[i].cloze.tokens[..probes[i].cloze.response].to_vec();
    let prompts: Vec<Vec<u32>> = order.iter().map(prompt).collect();
    let longest = probes.iter().map(Probe::object_tokens).max().unwrap_or(0);
    // One token more than the object, to see whether a longer candidate follows.
    let continuations = model.generate(&prompts, longest + 1, tokenizer.ends(), Sampling::default()).await?;
    let clozes: Vec<&Sequence> = probes.iter().map(|p| &p.cloze).collect();
    let logprobs = logprobs(model, &clozes).await?;
    let mut answers = vec![None; probes.len()];
    for (&i, continuation) in order.iter().zip(&continuations) {
        let (answer, kind) = probes[i].judge_cloze(continuation, tokenizer)?;
        answers[i] = Some(ClozeAnswer { answer, kind, logprob: logprobs[i] });
    }
    Ok(answers.into_iter().flatten().collect())
}

/// Log-probability of each sequence's response, nats.
async fn logprobs(model: &mut Model, sequences: &[&Sequence]) -> Result<Vec<f32>> {
    let longest = sequences.iter().map(|s| s.tokens.len()).max().unwrap_or(1);
    let time = longest.next_multiple_of(8);
    let mut out = Vec::with_capacity(sequences.len());
    for chunk in sequences.chunks(ROWS) {
        let nll = model.nll(&Batch::new(chunk, ROWS, time)).await?;
        out.extend(nll.chunks(time).take(chunk.len()).map(|row| -row.iter().sum::<f32>()));
    }
    Ok(out)
}

/// Log-probability of each answer after its probe's sentence, nats; 0 of an empty one.
///
/// # Errors
/// When the back end fails.
pub async fn of_answers(
    model: &mut Model,
    said: &[(&Probe, &str)],
    tokenizer: &Tokenizer,
) -> Result<Vec<f32>> {
    let mut sequences = Vec::new();
    for (probe, answer) in said {
        let (prompt, target) = tokenizer.continuation(&probe.sentence, &format!(" {answer}"))?;
        sequences.push(Sequence::new(&prompt, &target, usize::MAX));
    }
    logprobs(model, &sequences.iter().collect::<Vec<_>>()).await
}

/// The rank of each probe's object among up to [`RANKED`] objects of its relation, from 1, by the log-probability of all
/// its tokens after the sentence. A wrong answer says little about what a model still knows; the rank says how near
/// it was.
///
/// # Errors
/// When the back end fails.
pub async fn ranks(model: &mut Model, probes: &[Probe], tokenizer: &Tokenizer) -> Result<Vec<u32>> {
    let mut sequences = Vec::new();
    for probe in probes {
        for object in probe.rivals() {
            let (prompt, target) = tokenizer.continuation(&probe.sentence, &format!(" {object}"))?;
            sequences.push(Sequence::new(&prompt, &target, usize::MAX));
        }
    }
    let sequences: Vec<&Sequence> = sequences.iter().collect();
    let mut logprobs = logprobs(model, &sequences).await?.into_iter();
    let rank = |probe: &Probe| {
        let all: Vec<f32> = logprobs.by_ref().take(probe.rivals().len()).collect();
        1 + all.iter().filter(|logprob| **logprob > all[0]).count() as u32
    };
    Ok(probes.iter().map(rank).collect())
}

/// An answer in the chat template.
#[derive(Clone, Debug, PartialEq)]
pub struct AskedAnswer {
    pub text: String,
    /// It names the object and no other candidate of the relation.
    pub right: bool,
    /// By its end token, before the limit.
    pub ended: bool,
}

/// Asks every probe in the chat template, for answers of at most `max_new` tokens.
pub async fn asked(
    model: &mut Model,
    probes: &[Probe],
    max_new: usize,
    tokenizer: &Tokenizer,
) -> Result<Vec<AskedAnswer>> {
    let prompts: Vec<Vec<u32>> = probes.iter().map(|p| p.asked.clone()).collect();
    let answers = model.generate(&prompts, max_new, tokenizer.ends(), Sampling::default()).await?;
    let judge = |(probe, answer): (&Probe, &Vec<u32>)| {
        let text = tokenizer.decode(answer)?;
        let right = answer::is_right(&text, &probe.object, &probe.candidates);
        Ok(AskedAnswer { text, right, ended: answer.len() < max_new })
    };
    probes.iter().zip(&answers).map(judge).collect()
}
