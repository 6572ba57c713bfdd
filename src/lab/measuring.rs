//! Measuring an arm: held-out loss, shift, recall, borrowed answers, and the text of one answer.

use web_time::Instant;

use super::event::*;
use super::lab::{Lab, Run};
use super::settings::ArmName;
use crate::data::batch::{Batch, Sequence};
use crate::engine::{Model, Sampling, TokenShift, Top};
use crate::error::{Error, Result};
use crate::measure::recall::{AnswerKind, ClozeAnswer};
use crate::measure::{recall, shift};
use crate::model::tokenizer::Tokenizer;

/// Held-out examples evaluated in one batch.
const ROWS: usize = 16;

impl Lab {
    /// Measures one arm of the current run where it stands.
    pub async fn measure(&mut self, name: ArmName) -> Result<Vec<Event>> {
        let (run, base, tokenizer) = self.current()?;
        let begun = Instant::now();
        let Some(index) = run.arms.iter().position(|a| a.name == name) else {
            return Err(Error::Setting {
                field: "arms",
                message: format!("the run has no arm {name:?}"),
                remedy: "Start a run with it".into(),
            });
        };
        let heldout_loss = heldout_loss(run, index).await?;
        let (answers, shifts) = shifted_answers(run, index, base, tokenizer).await?;
        let cloze = recall::cloze(&mut run.arms[index].model, &run.probes.wall, tokenizer).await?;
        let asked = asked(run, index, tokenizer).await?;
        let start =
            run.start_logprobs.get_or_insert_with(|| cloze.iter().map(|c| c.logprob).collect()).clone();
        let text = text(run, index, base, tokenizer, &answers[0], &shifts[0]).await?;
        let wrong = wrong_answers(run, &cloze);
        let measure = Measure {
            run: run.id,
            arm: name,
            step: run.arms[index].step,
            heldout_loss,
            shift: shift::aggregate(&shifts),
            recall: recall_table(run, &cloze, &asked),
            errors: errors(run, &cloze, &wrong),
            cells: cells(&cloze, &start, &wrong),
            logprobs: cloze.iter().map(|c| (c.logprob * 1e3).round() / 1e3).collect(),
            wrong,
            ms: begun.elapsed().as_secs_f32() * 1e3,
        };
        Ok(vec![Event::Measure(measure), Event::Text(text)])
    }
}

/// Mean over the held-out response tokens, nats.
async fn heldout_loss(run: &mut Run, index: usize) -> Result<f32> {
    let longest = run.heldout.iter().map(|s| s.tokens.len()).max().unwrap_or(1);
    let time = longest.next_multiple_of(8);
    let (mut sum, mut n) = (0.0, 0);
    for chunk in run.heldout.chunks(ROWS) {
        let batch = Batch::new(&chunk.iter().collect::<Vec<_>>(), ROWS, time);
        let nll = run.arms[index].model.nll(&batch).await?;
        sum += nll.iter().map(|&v| f64::from(v)).sum::<f64>();
        n += batch.response_tokens();
    }
    Ok((sum / n.max(1) as f64) as f32)
}

/// The arm's greedy answers to the held-out questions, and each token as the base sees it.
async fn shifted_answers(
    run: &mut Run,
    index: usize,
    base: &mut Model,
    tokenizer: &Tokenizer,
) -> Result<(Vec<Sequence>, Vec<Vec<TokenShift>>)> {
    let end = tokenizer.eos_id();
    let max_new = run.settings.answer_len as usize;
    let model = &mut run.arms[index].model;
    let prompts: Vec<Vec<u32>> = run.questions.iter().map(|(_, p)| p.clone()).collect();
    let answers = model.generate(&prompts, max_new, end, Sampling::default()).await?;
    let sequences: Vec<Sequence> = prompts
        .iter()
        .zip(answers)
        .map(|(prompt, mut answer)| {
            if answer.len() < max_new {
                answer.push(end); // It ended by itself, and that is a token like any other.
            }
            Sequence::new(prompt, &answer, usize::MAX)
        })
        .collect();
    let time = prompts.iter().map(Vec::len).max().unwrap_or(0) + max_new;
    let shifts = shift::compare(model, base, &sequences, time.next_multiple_of(8)).await?;
    Ok((sequences, shifts))
}

async fn asked(run: &mut Run, index: usize, tokenizer: &Tokenizer) -> Result<Vec<bool>> {
    let probes: Vec<_> = run.probes.asked.iter().map(|&cell| run.probes.wall[cell].clone()).collect();
    let max_new = run.settings.answer_len as usize;
    recall::asked(&mut run.arms[index].model, &probes, max_new, tokenizer).await
}

fn recall_table(run: &Run, cloze: &[ClozeAnswer], asked: &[bool]) -> Vec<Recall> {
    let splits = &run.probes.splits;
    let by_cloze = cloze.iter().map(|c| c.kind == AnswerKind::Right).zip(splits.iter().copied());
    let by_asked = asked.iter().copied().zip(run.probes.asked.iter().map(|&cell| splits[cell]));
    let mut table = Vec::new();
    for split in [Split::Kept, Split::Seen, Split::New] {
        let forms: [(RecallForm, Vec<bool>); 2] = [
            (RecallForm::Cloze, by_cloze.clone().filter(|(_, s)| *s == split).map(|(r, _)| r).collect()),
            (RecallForm::Asked, by_asked.clone().filter(|(_, s)| *s == split).map(|(r, _)| r).collect()),
        ];
        for (form, rights) in forms.into_iter().filter(|(_, rights)| !rights.is_empty()) {
            let correct = rights.iter().filter(|r| **r).count() as u32;
            table.push(Recall { split, form, correct, n: rights.len() as u32 });
        }
    }
    table
}

fn wrong_answers(run: &Run, cloze: &[ClozeAnswer]) -> Vec<WrongAnswer> {
    let wrong = |(cell, answer): (usize, &ClozeAnswer)| {
        let probe = &run.probes.wall[cell];
        let sources = match answer.kind {
            AnswerKind::Right => return None,
            AnswerKind::OtherCandidate => run.rows.sources(&answer.answer, &probe.fact),
            AnswerKind::Malformed => Vec::new(),
        };
        Some(WrongAnswer { cell: cell as u32, answer: answer.answer.clone(), sources })
    };
    cloze.iter().enumerate().filter_map(wrong).collect()
}

/// Kinds of errors on the kept facts.
fn errors(run: &Run, cloze: &[ClozeAnswer], wrong: &[WrongAnswer]) -> Errors {
    let kept = |cell: usize| run.probes.splits[cell] == Split::Kept;
    let mut errors = Errors { n: (0..cloze.len()).filter(|&c| kept(c)).count() as u32, ..Errors::default() };
    let mut chance = 0.0;
    for w in wrong.iter().filter(|w| kept(w.cell as usize)) {
        let cell = w.cell as usize;
        chance += run.probes.chance[cell];
        match (cloze[cell].kind, w.sources.is_empty()) {
            (AnswerKind::Malformed, _) => errors.malformed += 1,
            (_, true) => errors.other += 1,
            (_, false) => errors.borrowed += 1,
        }
    }
    let all = errors.malformed + errors.other + errors.borrowed;
    errors.borrowed_by_chance = chance / all.max(1) as f32;
    errors
}

fn cells(cloze: &[ClozeAnswer], start: &[f32], wrong: &[WrongAnswer]) -> String {
    let mut cells: Vec<Cell> = cloze
        .iter()
        .zip(start)
        .map(|(answer, start)| match answer.kind {
            AnswerKind::Right if answer.logprob < start - std::f32::consts::LN_2 => Cell::Weakened,
            AnswerKind::Right => Cell::Known,
            AnswerKind::OtherCandidate => Cell::Other,
            AnswerKind::Malformed => Cell::Malformed,
        })
        .collect();
    for w in wrong.iter().filter(|w| !w.sources.is_empty()) {
        cells[w.cell as usize] = Cell::Borrowed;
    }
    cells.into_iter().map(Cell::letter).collect()
}

/// The first held-out answer with the likeliest tokens of arm and base at each position.
async fn text(
    run: &mut Run,
    index: usize,
    base: &mut Model,
    tokenizer: &Tokenizer,
    answer: &Sequence,
    shifts: &[TokenShift],
) -> Result<ShiftText> {
    let arm = &mut run.arms[index];
    let tokens = shift_tokens(&mut arm.model, base, tokenizer, answer, shifts).await?;
    Ok(ShiftText { run: run.id, arm: arm.name, step: arm.step, question: run.questions[0].0.clone(), tokens })
}

/// A response's tokens with what `model` and `base` thought of each.
pub(super) async fn shift_tokens(
    model: &mut Model,
    base: &mut Model,
    tokenizer: &Tokenizer,
    answer: &Sequence,
    shifts: &[TokenShift],
) -> Result<Vec<ShiftToken>> {
    let context = &answer.tokens[..answer.tokens.len().saturating_sub(1)];
    let (top, base_top) = (model.top_k(context).await?, base.top_k(context).await?);
    tokens(tokenizer, answer, shifts, &top, &base_top)
}

/// The record's form of an answer; `top` and `base_top` by position of the context.
pub(super) fn tokens(
    tokenizer: &Tokenizer,
    answer: &Sequence,
    shifts: &[TokenShift],
    top: &[Top],
    base_top: &[Top],
) -> Result<Vec<ShiftToken>> {
    let named = |top: &[(u32, f32)]| -> Result<Vec<(String, f32)>> {
        top.iter().map(|&(id, p)| Ok((tokenizer.token_text(id)?, p))).collect()
    };
    let first = answer.response.max(1);
    let positions = (first..answer.tokens.len()).zip(shifts);
    let token = |(i, s): (usize, &TokenShift)| {
        Ok(ShiftToken {
            text: tokenizer.token_text(answer.tokens[i])?,
            rank: s.rank,
            kl: s.kl,
            logprob: s.logprob,
            base_logprob: s.base_logprob,
            top: named(&top[i - 1])?,
            base_top: named(&base_top[i - 1])?,
        })
    };
    positions.map(token).collect()
}
