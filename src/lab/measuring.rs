//! Measuring an arm: held-out loss, shift, recall, borrowed answers, and the texts of some answers.

use web_time::Instant;

use super::looking::{self, Look};
use super::run::{Arm, Run};
use super::subject::Subject;
use crate::data::batch::Sequence;
use crate::engine::{Model, TokenShift, Top};
use crate::error::Result;
use crate::measure::classes::{self, TokenClass};
use crate::measure::recall::{AnswerKind, ClozeAnswer};
use crate::measure::{conversation, diversity, loss, recall, shift};
use crate::model::tokenizer::Tokenizer;
use crate::record::*;

/// Measures the start of a run, the base, once for all arms that start there. It can be done at any time before
/// the first [`of_arm`], however far the arms have trained by then. Where an arm starts from an adapter, the base has
/// a measure of its own.
///
/// # Errors
/// When the back end fails.
pub async fn of_start(run: &mut Run, subject: &mut Subject) -> Result<Vec<Event>> {
    let Subject { base, tokenizer, .. } = subject;
    let mut start = base.again()?;
    let (mut measure, texts) =
        measured(run, &mut start, base, tokenizer, At { arm: BASE, step: 0, texts: TEXTS }).await?;
    measure.intruders = looking::is_with_measures(base.config()).then_some(0.0);
    let mut events = Vec::new();
    if run.has_base && run.settings.arms.iter().any(|arm| arm.start().is_some()) {
        events.push(Event::Measure(measure.clone()));
    }
    for Arm { spec, .. } in run.arms.iter().filter(|arm| arm.spec.start().is_none()) {
        let arm = spec.id.clone();
        let measure = Measure { arm: arm.clone(), ..measure.clone() };
        run.last.insert(arm.clone(), measure.clone());
        events.push(Event::Measure(measure));
        let text = |text: &ShiftText| Event::Text(ShiftText { arm: arm.clone(), ..text.clone() });
        events.extend(texts.iter().map(text));
    }
    Ok(events)
}

/// Measures an arm where it stands, against the run's start, which must have been measured.
///
/// # Errors
/// When the back end fails.
pub async fn of_arm(run: &mut Run, arm: usize, subject: &mut Subject) -> Result<Vec<Event>> {
    let (mut measure, texts) = measured_arm(run, arm, TEXTS, subject).await?;
    measure.intruders = run.arms[arm].look.as_ref().and_then(Look::mean);
    run.last.insert(measure.arm.clone(), measure.clone());
    Ok(std::iter::once(Event::Measure(measure)).chain(texts.into_iter().map(Event::Text)).collect())
}

/// Measures an arm as it answers now, with its answers to the first `texts` held-out questions.
///
/// # Errors
/// When the back end fails.
pub async fn measured_arm(
    run: &mut Run,
    arm: usize,
    texts: usize,
    subject: &mut Subject,
) -> Result<(Measure, Vec<ShiftText>)> {
    let Subject { base, tokenizer, .. } = subject;
    // Its model is borrowed apart from the run that it is measured in.
    let mut arms = std::mem::take(&mut run.arms);
    let (id, step) = (arms[arm].spec.id.clone(), arms[arm].step);
    let done = measured(run, arms[arm].answering(), base, tokenizer, At { arm: &id, step, texts }).await;
    run.arms = arms;
    done
}

/// Whose measure it is, when, and how many answers are kept with it.
#[derive(Clone, Copy)]
struct At<'a> {
    arm: &'a str,
    step: u32,
    texts: usize,
}

/// Held-out questions whose answers are kept token by token, each with both models' top ten at every place.
const TEXTS: usize = 4;

/// Measures a model. The first measure of a run is that of its start.
async fn measured(
    run: &mut Run,
    model: &mut Model,
    base: &mut Model,
    tokenizer: &Tokenizer,
    At { arm, step, texts: kept }: At<'_>,
) -> Result<(Measure, Vec<ShiftText>)> {
    let begun = Instant::now();
    let (prompts, max_new) = (run.prompts(), run.settings.answer_len as usize);
    let (heldout_loss, kl_task) = loss::and_kl(model, base, &run.heldout).await?;
    let (answers, shifts) = shift::of_answers(model, base, &prompts, max_new, tokenizer.ends()).await?;
    let cloze = recall::cloze(model, &run.probes.wall, tokenizer).await?;
    let asked = asked(run, model, tokenizer).await?;
    let object_rank = object_rank(run, model, tokenizer).await?;
    let is_end = step == 0 || step == run.settings.steps;
    let conversation = match is_end {
        true => Some(conversation::converse(model, &run.conversation, &run.style, max_new, tokenizer).await?),
        false => None,
    };
    let asked_often = prompts.first().filter(|_| is_end && run.settings.samples > 0);
    let diversity = match asked_often {
        Some(prompt) => {
            Some(diversity::of_answers(model, prompt, run.settings.samples, max_new, tokenizer.ends()).await?)
        }
        None => None,
    };
    let mut texts = Vec::new();
    for ((answer, shifts), (question, _)) in answers.iter().zip(&shifts).zip(&run.questions).take(kept) {
        let tokens = shift_tokens(model, base, tokenizer, answer, shifts).await?;
        texts.push(ShiftText { run: run.id, arm: arm.into(), step, question: question.clone(), tokens });
    }
    let start = run.start_logprobs.get_or_insert_with(|| cloze.iter().map(|c| c.logprob).collect()).clone();
    let wrong = wrong_answers(run, model, tokenizer, &cloze).await?;
    let classes = classes(run, tokenizer, &answers)?;
    let measure = Measure {
        run: run.id,
        arm: arm.into(),
        step,
        heldout_loss,
        kl_task: Some(kl_task),
        shift: Shift { classes: Some(shift::by_class(&shifts, &classes)), ..shift::aggregate(&shifts) },
        recall: recall_table(run, &cloze, &asked),
        errors: errors(run, &cloze, &wrong),
        cells: cells(&cloze, &start, &wrong),
        logprobs: cloze.iter().map(|c| rounded(c.logprob)).collect(),
        wrong,
        conversation,
        diversity,
        object_rank,
        intruders: None,
        ms: begun.elapsed().as_secs_f32() * 1e3,
    };
    Ok((measure, texts))
}

/// What the tokens of each answer are for.
fn classes(run: &Run, tokenizer: &Tokenizer, answers: &[Sequence]) -> Result<Vec<Vec<TokenClass>>> {
    let of = |(answer, (question, _)): (&Sequence, &(String, Vec<u32>))| {
        let response = &answer.tokens[answer.response..];
        let ends = (1..=response.len()).map(|n| Ok(tokenizer.decode(&response[..n])?.len()));
        let text = tokenizer.decode(response)?;
        Ok(classes::classes(&text, &ends.collect::<Result<Vec<_>>>()?, question, &run.style, &run.facts))
    };
    answers.iter().zip(&run.questions).map(of).collect()
}

/// The mean rank of the first kept facts' objects; nothing where none are ranked.
async fn object_rank(run: &Run, model: &mut Model, tokenizer: &Tokenizer) -> Result<Option<f32>> {
    let kept = run.probes.wall.iter().zip(&run.probes.splits).filter(|(_, split)| **split == Split::Kept);
    let probes: Vec<_> = kept.map(|(probe, _)| probe.clone()).take(run.settings.ranked as usize).collect();
    let ranks = recall::ranks(model, &probes, tokenizer).await?;
    let sum: u32 = ranks.iter().sum();
    Ok((!ranks.is_empty()).then(|| sum as f32 / ranks.len() as f32))
}

/// Whether the answers to the asked facts are right, in the chat template.
async fn asked(run: &Run, model: &mut Model, tokenizer: &Tokenizer) -> Result<Vec<bool>> {
    let probes: Vec<_> = run.probes.asked.iter().map(|&cell| run.probes.wall[cell].clone()).collect();
    let max_new = run.settings.answer_len as usize;
    let answers = recall::asked(model, &probes, max_new, tokenizer).await?;
    Ok(answers.into_iter().map(|answer| answer.right).collect())
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

/// The answers that name no right object, where they may come from, and how sure the model is of each.
async fn wrong_answers(
    run: &Run,
    model: &mut Model,
    tokenizer: &Tokenizer,
    cloze: &[ClozeAnswer],
) -> Result<Vec<WrongAnswer>> {
    let wrong: Vec<(usize, &ClozeAnswer)> =
        cloze.iter().enumerate().filter(|(_, answer)| answer.kind != AnswerKind::Right).collect();
    let said: Vec<_> =
        wrong.iter().map(|&(cell, said)| (&run.probes.wall[cell], said.answer.as_str())).collect();
    let logprobs = recall::of_answers(model, &said, tokenizer).await?;
    let of = |((cell, answer), logprob): ((usize, &ClozeAnswer), f32)| {
        let sources = match answer.kind {
            AnswerKind::OtherCandidate => run.rows.sources(&answer.answer, &run.probes.facts[cell]),
            AnswerKind::Right | AnswerKind::Malformed => Vec::new(),
        };
        let sources = sources.into_iter().map(|example| run.origins[example as usize]).collect();
        WrongAnswer {
            cell: cell as u32,
            answer: answer.answer.clone(),
            sources,
            logprob: Some(rounded(logprob)),
        }
    };
    Ok(wrong.into_iter().zip(logprobs).map(of).collect())
}

/// Nats to three decimals: a record has one of them a fact.
fn rounded(logprob: f32) -> f32 {
    (logprob * 1e3).round() / 1e3
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

/// The tokens of a response with what `model` and `base` thought of each.
pub async fn shift_tokens(
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
pub fn tokens(
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
