//! What a visitor asks for between steps: answers to a free question.

use super::measuring::{shift_tokens, tokens};
use super::run::Run;
use super::subject::Subject;
use crate::data::batch::{Batch, Sequence};
use crate::engine::{Model, TokenShift};
use crate::error::Result;
use crate::kernels::{IGNORED, Shift};
use crate::measure::shift;
use crate::model::tokenizer::{Message, Tokenizer};
use crate::record::{Sampling, ShiftToken};

/// How a free question is answered.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub max_tokens: u32,
    pub sampling: Sampling,
}

impl Asked {
    fn max_new(self) -> usize {
        self.max_tokens.clamp(1, 256) as usize
    }
}

/// The base's answer to a free question.
pub async fn of_base(subject: &mut Subject, question: &str, asked: Asked) -> Result<Vec<ShiftToken>> {
    let Subject { base, tokenizer, .. } = subject;
    let prompt = tokenizer.prompt(&[Message::user(question)])?;
    base_answer(base, tokenizer, &prompt, asked).await
}

/// An arm's answer to a free question, at the strength that it was given, with what the base thinks of each token.
pub async fn of_arm(
    run: &mut Run,
    arm: usize,
    subject: &mut Subject,
    question: &str,
    asked: Asked,
) -> Result<Vec<ShiftToken>> {
    let Subject { base, tokenizer, .. } = subject;
    let prompt = tokenizer.prompt(&[Message::user(question)])?;
    let model = run.arms[arm].answering();
    let answer = answer(model, tokenizer, &prompt, asked).await?;
    let time = answer.tokens.len().next_multiple_of(32);
    let shifts = shift::compare(model, base, std::slice::from_ref(&answer), time).await?;
    shift_tokens(model, base, tokenizer, &answer, &shifts[0]).await
}

/// An answer with its end token, if it ended.
async fn answer(model: &mut Model, tokenizer: &Tokenizer, prompt: &[u32], asked: Asked) -> Result<Sequence> {
    let max_new = asked.max_new();
    let answers = model.generate(&[prompt.to_vec()], max_new, tokenizer.ends(), asked.sampling).await?;
    let mut tokens = answers.into_iter().next().unwrap_or_default();
    if tokens.len() < max_new {
        tokens.push(tokenizer.eos_id());
    }
    Ok(Sequence::new(prompt, &tokens, usize::MAX))
}

/// The base's own answer: KL 0 by definition, but a drawn token need not be its first choice.
async fn base_answer(
    base: &mut Model,
    tokenizer: &Tokenizer,
    prompt: &[u32],
    asked: Asked,
) -> Result<Vec<ShiftToken>> {
    let answer = answer(base, tokenizer, prompt, asked).await?;
    let context = &answer.tokens[..answer.tokens.len() - 1];
    let logits = base.logits(context).await?;
    let mut targets = Batch::new(&[&answer], 1, answer.tokens.len()).targets;
    targets.truncate(context.len());
    let op = Shift { rows: context.len() as u32, vocab: (logits.len() / context.len()) as u32 };
    let words = op.record_cpu(&logits, &logits, &targets);
    let counted = words.chunks_exact(4).zip(&targets).filter(|(_, t)| **t != IGNORED);
    let shifts: Vec<TokenShift> = counted.map(|(words, _)| TokenShift::from_words(words)).collect();
    let top = base.top_k(context).await?;
    tokens(tokenizer, &answer, &shifts, &top, &top)
}
