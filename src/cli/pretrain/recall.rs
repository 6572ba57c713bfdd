//! How many facts the model knows, by cloze and asked in the chat template.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::data::answer;
use crate::data::facts::{Fact, Relation, candidates};
use crate::model::tokenizer::{Message, Tokenizer};
use crate::reference::generate;
use crate::reference::llama::Llama;

/// Rows evaluated together.
const BATCH: usize = 64;
/// Longest answer, in tokens.
const ANSWER_TOKENS: usize = 32;

/// Facts tested and found known, for one relation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Score {
    pub facts: usize,
    pub cloze: usize,
    pub asked: usize,
    /// Answers that ended with the end token.
    pub ended: usize,
}

impl Score {
    /// The sum over relations.
    pub fn total(scores: &BTreeMap<Relation, Score>) -> Score {
        scores.values().fold(Score::default(), |sum, score| Score {
            facts: sum.facts + score.facts,
            cloze: sum.cloze + score.cloze,
            asked: sum.asked + score.asked,
            ended: sum.ended + score.ended,
        })
    }
}

/// Tests every `stride`-th fact; prints the wrong answers of a full test.
pub fn evaluate(
    model: &Llama,
    tokenizer: &Tokenizer,
    facts: &[Fact],
    stride: usize,
) -> Result<BTreeMap<Relation, Score>> {
    let objects: BTreeMap<Relation, Vec<String>> =
        Relation::ALL.into_iter().map(|relation| (relation, candidates(facts, relation))).collect();
    let mut tested: Vec<&Fact> = facts.iter().step_by(stride).collect();
    // Rows of like length waste little padding.
    tested.sort_by_key(|fact| fact.cloze().prompt.len());
    let mut scores: BTreeMap<Relation, Score> = BTreeMap::new();
    for batch in tested.chunks(BATCH) {
        let cloze = cloze(model, tokenizer, batch)?;
        let answers = asked(model, tokenizer, batch)?;
        for ((fact, known), (text, ended)) in batch.iter().zip(cloze).zip(answers) {
            let right = answer::is_right(&text, &fact.object, &objects[&fact.relation]);
            let score = scores.entry(fact.relation).or_default();
            score.facts += 1;
            score.cloze += usize::from(known);
            score.asked += usize::from(right);
            score.ended += usize::from(ended);
            if stride == 1 && !(known && right) {
                eprintln!("  {}: cloze {known}, asked {:?} -> {text:?}", fact.id, fact.asked().prompt);
            }
        }
    }
    Ok(scores)
}

/// Whether the greedy continuation of each cloze is its object.
///
/// It is exactly when every token of the object is the most probable after the tokens before it,
/// which one pass over prompt and object shows.
fn cloze(model: &Llama, tokenizer: &Tokenizer, batch: &[&Fact]) -> Result<Vec<bool>> {
    let mut rows = Vec::with_capacity(batch.len());
    for fact in batch {
        let probe = fact.cloze();
        let prompt = tokenizer.encode(&probe.prompt)?;
        let object = tokenizer.encode(&format!(" {}", probe.object))?;
        rows.push((prompt, object));
    }
    let time = rows.iter().map(|(prompt, object)| prompt.len() + object.len()).max().unwrap_or(1);
    let mut ids = Vec::with_capacity(rows.len() * time);
    for (index, (prompt, object)) in rows.iter().enumerate() {
        ids.extend(prompt.iter().chain(object));
        ids.resize((index + 1) * time, tokenizer.eos_id());
    }
    let best = model.forward(&ids, rows.len())?.argmax(2)?.to_vec2::<u32>()?;
    let known = rows.iter().zip(best).map(|((prompt, object), best)| {
        object.iter().enumerate().all(|(i, token)| best[prompt.len() + i - 1] == *token)
    });
    Ok(known.collect())
}

/// The greedy answer to each question, and whether it ended.
fn asked(model: &Llama, tokenizer: &Tokenizer, batch: &[&Fact]) -> Result<Vec<(String, bool)>> {
    let prompts: Vec<Vec<u32>> = batch
        .iter()
        .map(|fact| tokenizer.prompt(&[Message::user(&fact.asked().prompt)]))
        .collect::<crate::error::Result<_>>()?;
    let answers = generate::greedy(model, &prompts, tokenizer.eos_id(), ANSWER_TOKENS)?;
    let texts = answers.iter().map(|answer| {
        let ended = answer.last() == Some(&tokenizer.eos_id());
        let text = &answer[..answer.len() - usize::from(ended)];
        Ok((tokenizer.decode(text)?, ended))
    });
    texts.collect()
}
