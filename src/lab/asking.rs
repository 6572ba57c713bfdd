//! What a visitor asks for between steps: answers to a free question, and an arm's weights as files.

use super::event::ShiftToken;
use super::lab::Lab;
use super::measuring::shift_tokens;
use super::settings::ArmName;
use crate::data::batch::{Batch, Sequence};
use crate::engine::{Model, Sampling, TokenShift};
use crate::error::{Error, Result};
use crate::kernels::{IGNORED, Shift};
use crate::measure::shift;
use crate::model::peft;
use crate::model::tokenizer::{Message, Tokenizer};
use crate::model::weights::{Array, Precision, Weights, write};

impl Lab {
    /// The answer of the base or an arm to a free question, with what the base thinks of each token.
    pub async fn ask(
        &mut self,
        name: ArmName,
        question: &str,
        max_tokens: u32,
        sampling: Sampling,
    ) -> Result<Vec<ShiftToken>> {
        let prompt = self.tokenizer.prompt(&[Message::user(question)])?;
        let max_new = max_tokens.clamp(1, 256) as usize;
        if name == ArmName::Base {
            return base_answer(&mut self.base, &self.tokenizer, &prompt, max_new, sampling).await;
        }
        let (run, base, tokenizer) = self.current()?;
        let Some(arm) = run.arms.iter_mut().find(|a| a.name == name) else { return Ok(Vec::new()) };
        let answer = answer(&mut arm.model, tokenizer, &prompt, max_new, sampling).await?;
        let time = answer.tokens.len().next_multiple_of(32);
        let shifts = shift::compare(&mut arm.model, base, std::slice::from_ref(&answer), time).await?;
        shift_tokens(&mut arm.model, base, tokenizer, &answer, &shifts[0]).await
    }

    /// The arm's files: a PEFT adapter, or a model.safetensors.
    pub async fn save(&mut self, name: ArmName) -> Result<Vec<(String, Vec<u8>)>> {
        let title = self.title.clone();
        let (run, _, _) = self.current()?;
        let missing = || Error::Setting {
            field: "arm",
            message: format!("the run has no arm {name:?}"),
            remedy: "Start a run with it".into(),
        };
        let arm = run.arms.iter().find(|a| a.name == name).ok_or_else(missing)?;
        let tensors = arm.model.tensors().await?;
        let weights: Weights =
            tensors.into_iter().map(|(name, (shape, data))| (name, Array { shape, data })).collect();
        match name {
            ArmName::Lora => peft::files(&run.settings.lora(), &weights, &title),
            _ => Ok(vec![("model.safetensors".into(), write(&weights, Precision::F32)?)]),
        }
    }
}

/// An answer with its end token, if it ended.
async fn answer(
    model: &mut Model,
    tokenizer: &Tokenizer,
    prompt: &[u32],
    max_new: usize,
    sampling: Sampling,
) -> Result<Sequence> {
    let answers = model.generate(&[prompt.to_vec()], max_new, tokenizer.eos_id(), sampling).await?;
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
    max_new: usize,
    sampling: Sampling,
) -> Result<Vec<ShiftToken>> {
    let answer = answer(base, tokenizer, prompt, max_new, sampling).await?;
    let context = &answer.tokens[..answer.tokens.len() - 1];
    let logits = base.logits(context).await?;
    let mut targets = Batch::new(&[&answer], 1, answer.tokens.len()).targets;
    targets.truncate(context.len());
    let op = Shift { rows: context.len() as u32, vocab: (logits.len() / context.len()) as u32 };
    let words = op.record_cpu(&logits, &logits, &targets);
    let counted = words.chunks_exact(4).zip(&targets).filter(|(_, t)| **t != IGNORED);
    let shifts: Vec<TokenShift> = counted.map(|(words, _)| TokenShift::from_words(words)).collect();
    let top = base.top_k(context).await?;
    super::measuring::tokens(tokenizer, &answer, &shifts, &top, &top)
}
