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

/// A fact ready to be tested.
#[derive(Clone, Debug)]
pub struct Probe {
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
    /// The first candidate named, otherwise the continuation's first words.
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

    /// Judges a greedy continuation of the cloze: right when it begins with the object's tokens and they
    /// are not the beginning of a longer candidate.
    pub fn judge_cloze(&self, continuation: &[u32], tokenizer: &Tokenizer) -> Result<(String, AnswerKind)> {
        let text = tokenizer.decode(continuation)?;
        let sentence = text.split(['.', '\n']).next().unwrap_or("").trim();
        let first = answer::named(sentence, &self.candidates).into_iter().next();
        let object = &self.cloze.tokens[self.cloze.response..];
        let kind = match first {
            Some(named) if named == self.object && continuation.starts_with(object) => AnswerKind::Right,
            Some(named) if named != self.object => AnswerKind::OtherCandidate,
            _ => AnswerKind::Malformed,
        };
        Ok((first.unwrap_or(sentence).to_string(), kind))
    }
}

/// Tests every probe by cloze.
pub async fn cloze(model: &mut Model, probes: &[Probe], tokenizer: &Tokenizer) -> Result<Vec<ClozeAnswer>> {
    // Similar lengths side by side: a batch takes as many steps as its longest prompt.
    let mut order: Vec<usize> = (0..probes.len()).collect();
    order.sort_by_key(|&i| probes[i].cloze.tokens.len());
    let prompt = |&i: &usize| probes[i].cloze.tokens[..probes[i].cloze.response].to_vec();
    let prompts: Vec<Vec<u32>> = order.iter().map(prompt).collect();
    let longest = probes.iter().map(|p| p.cloze.tokens.len() - p.cloze.response).max().unwrap_or(0);
    // One token more than the object, to see whether a longer candidate follows.
    let continuations = model.generate(&prompts, longest + 1, tokenizer.ends(), Sampling::default()).await?;
    let logprobs = object_logprobs(model, probes).await?;
    let mut answers = vec![None; probes.len()];
    for (&i, continuation) in order.iter().zip(&continuations) {
        let (answer, kind) = probes[i].judge_cloze(continuation, tokenizer)?;
        answers[i] = Some(ClozeAnswer { answer, kind, logprob: logprobs[i] });
    }
    Ok(answers.into_iter().flatten().collect())
}

/// Log-probability of each probe's object after its cloze, nats.
async fn object_logprobs(model: &mut Model, probes: &[Probe]) -> Result<Vec<f32>> {
    let longest = probes.iter().map(|p| p.cloze.tokens.len()).max().unwrap_or(1);
    let time = longest.next_multiple_of(8);
    let mut out = Vec::with_capacity(probes.len());
    for chunk in probes.chunks(ROWS) {
        let sequences: Vec<&Sequence> = chunk.iter().map(|p| &p.cloze).collect();
        let nll = model.nll(&Batch::new(&sequences, ROWS, time)).await?;
        out.extend(nll.chunks(time).take(chunk.len()).map(|row| -row.iter().sum::<f32>()));
    }
    Ok(out)
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
