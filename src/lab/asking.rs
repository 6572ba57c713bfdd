//! What a visitor asks for between steps: answers to a free question, and an arm's weights as files.

use super::event::ShiftToken;
use super::lab::Lab;
use super::measuring::shift_tokens;
use super::settings::ArmName;
use crate::data::batch::{Batch, Sequence};
use crate::engine::{Model, TokenShift};
use crate::error::{Error, Result};
use crate::kernels::IGNORED;
use crate::measure::shift;
use crate::model::peft;
use crate::model::tokenizer::{Message, Tokenizer};
use crate::model::weights::{Array, Precision, Weights, write};

impl Lab {
    /// The greedy answer of the base or an arm to a free question, with what the base thinks of each token.
    pub async fn ask(&mut self, name: ArmName, question: &str, max_tokens: u32) -> Result<Vec<ShiftToken>> {
        let prompt = self.tokenizer.prompt(&[Message::user(question)])?;
        let max_new = max_tokens.clamp(1, 256) as usize;
        if name == ArmName::Base {
            return base_answer(&mut self.base, &self.tokenizer, &prompt, max_new).await;
        }
        let (run, base, tokenizer) = self.current()?;
        let Some(arm) = run.arms.iter_mut().find(|a| a.name == name) else { return Ok(Vec::new()) };
        let answer = answer(&mut arm.model, tokenizer, &prompt, max_new).await?;
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

/// A greedy answer with its end token, if it ended.
async fn answer(
    model: &mut Model,
    tokenizer: &Tokenizer,
    prompt: &[u32],
    max_new: usize,
) -> Result<Sequence> {
    let mut tokens = model.generate(&[prompt.to_vec()], max_new, tokenizer.eos_id()).await?.swap_remove(0);
    if tokens.len() < max_new {
        tokens.push(tokenizer.eos_id());
    }
    Ok(Sequence::new(prompt, &tokens, usize::MAX))
}

/// The base's own answer; by definition it does not differ from the base.
async fn base_answer(
    base: &mut Model,
    tokenizer: &Tokenizer,
    prompt: &[u32],
    max_new: usize,
) -> Result<Vec<ShiftToken>> {
    let answer = answer(base, tokenizer, prompt, max_new).await?;
    let time = answer.tokens.len().next_multiple_of(32);
    let batch = Batch::new(&[&answer], 1, time);
    let nll = base.nll(&batch).await?;
    let counted = nll.iter().zip(&batch.targets).filter(|(_, t)| **t != IGNORED);
    let shifts: Vec<TokenShift> =
        counted.map(|(nll, _)| TokenShift { kl: 0.0, rank: 1, logprob: -nll, base_logprob: -nll }).collect();
    let top = base.top_k(&answer.tokens[..answer.tokens.len() - 1]).await?;
    super::measuring::tokens(tokenizer, &answer, &shifts, &top, &top)
}
