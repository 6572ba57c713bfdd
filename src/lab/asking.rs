//! What a visitor asks for between steps: the answers of the base and every arm to a free question, written in turns, so that
//! all of them can be read while they grow.

use std::collections::VecDeque;

use web_time::Instant;

use super::measuring::{shift_tokens, tokens};
use super::pace::Pace;
use super::run::Run;
use super::subject::Subject;
use crate::data::batch::{Batch, Sequence};
use crate::engine::{Decoding, Divergence, Model, TokenShift};
use crate::error::Result;
use crate::kernels::{IGNORED, Shift};
use crate::measure::shift;
use crate::model::tokenizer::{Message, Tokenizer};
use crate::record::{ArmId, BASE, Sampling, ShiftToken};

/// Positions of a model's first turn.
const AT_FIRST: usize = 4;
const AT_MOST: usize = 64;

/// How long a turn should take at least and at most, milliseconds.
const TURN_MS: [f32; 2] = [12.0, 50.0];

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

/// A whole answer, with what the base thinks of each token.
#[derive(Clone, Debug)]
pub struct Answer {
    pub arm: ArmId,
    pub tokens: Vec<ShiftToken>,
}

/// A free question that is being answered. It ends when a model takes a step, is measured or changes otherwise.
pub(super) struct Asking {
    asked: Asked,
    /// In the chat template.
    prompt: Vec<u32>,
    /// The models that are still writing, in the order of their turns.
    writers: VecDeque<Writer>,
    /// In positions.
    pace: Pace,
}

/// A model that writes; its turn begins the decoding.
struct Writer {
    id: ArmId,
    decoding: Option<Decoding>,
}

impl Asking {
    /// `models`: the base's id and the arms'.
    ///
    /// # Errors
    /// When the chat template takes no such question.
    pub fn new(question: &str, models: Vec<ArmId>, asked: Asked, tokenizer: &Tokenizer) -> Result<Self> {
        let prompt = tokenizer.prompt(&[Message::user(question)])?;
        let writers = models.into_iter().map(|id| Writer { id, decoding: None }).collect();
        Ok(Self { asked, prompt, writers, pace: Pace::new(AT_FIRST, AT_MOST, TURN_MS) })
    }

    pub fn is_over(&self) -> bool {
        self.writers.is_empty()
    }

    /// What each model that has begun but not finished its answer has written so far.
    pub fn so_far(&self, tokenizer: &Tokenizer) -> Result<Vec<(ArmId, String)>> {
        let begun = self.writers.iter().filter_map(|w| Some((&w.id, w.decoding.as_ref()?)));
        let text = |(id, decoding): (&ArmId, &Decoding)| {
            let text = tokenizer.decode(decoding.answer())?;
            // It may end in the middle of a character.
            Ok((id.clone(), text.trim_end_matches('\u{FFFD}').to_string()))
        };
        begun.map(text).collect()
    }

    /// Gives the next model its turn, and returns its answer once that is complete.
    ///
    /// # Errors
    /// When the back end fails.
    pub async fn advance(&mut self, run: Option<&mut Run>, subject: &mut Subject) -> Result<Option<Answer>> {
        let Some(mut writer) = self.writers.pop_front() else { return Ok(None) };
        let Subject { base, tokenizer, .. } = subject;
        let arm = match run {
            Some(run) if writer.id != BASE => {
                let place = run.place(&writer.id)?;
                Some(run.arms[place].answering())
            }
            _ => None,
        };
        let begun = Instant::now();
        let (max_new, ends) = (self.asked.max_new(), tokenizer.ends());
        let (model, base) = match arm {
            Some(arm) => (arm, Some(base)),
            None => (base, None),
        };
        let decoding = match &mut writer.decoding {
            Some(decoding) => decoding,
            none => {
                let new = model.begin_to_generate(&self.prompt, max_new, ends, self.asked.sampling).await?;
                none.insert(new)
            }
        };
        model.go_on(decoding, self.pace.amount).await?;
        self.pace.took(begun);
        if !decoding.is_over() {
            self.writers.push_back(writer);
            return Ok(None);
        }
        let answer = self.whole(decoding, tokenizer);
        let tokens = match base {
            Some(base) => of_arm(model, base, tokenizer, &answer).await?,
            None => of_base(model, tokenizer, &answer).await?,
        };
        Ok(Some(Answer { arm: writer.id, tokens }))
    }

    /// An answer with its end token, if it ended.
    fn whole(&self, decoding: &Decoding, tokenizer: &Tokenizer) -> Sequence {
        let mut tokens = decoding.answer().to_vec();
        if tokens.len() < self.asked.max_new() {
            tokens.push(tokenizer.eos_id());
        }
        Sequence::new(&self.prompt, &tokens, usize::MAX)
    }
}

/// An arm's answer, at the strength that it was given.
async fn of_arm(
    model: &mut Model,
    base: &mut Model,
    tokenizer: &Tokenizer,
    answer: &Sequence,
) -> Result<Vec<ShiftToken>> {
    let time = answer.tokens.len().next_multiple_of(32);
    let shifts = shift::compare(model, base, std::slice::from_ref(answer), time, Divergence::ToBase).await?;
    shift_tokens(model, base, tokenizer, answer, &shifts[0]).await
}

/// The base's own answer: KL 0 by definition, but a drawn token need not be its first choice.
async fn of_base(base: &mut Model, tokenizer: &Tokenizer, answer: &Sequence) -> Result<Vec<ShiftToken>> {
    let context = &answer.tokens[..answer.tokens.len() - 1];
    let logits = base.logits(context).await?;
    let mut targets = Batch::new(&[answer], 1, answer.tokens.len()).targets;
    targets.truncate(context.len());
    let op = Shift { rows: context.len() as u32, vocab: (logits.len() / context.len()) as u32 };
    let words = op.record_cpu(&logits, &logits, &targets);
    let counted = words.chunks_exact(4).zip(&targets).filter(|(_, t)| **t != IGNORED);
    let shifts: Vec<TokenShift> =
        counted.map(|(words, _)| TokenShift::from_words(words, Divergence::ToBase)).collect();
    let top = base.top_k(context).await?;
    tokens(tokenizer, answer, &shifts, &top, &top)
}
