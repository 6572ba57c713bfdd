//! How many facts the model knows, by cloze and asked in the chat template.

use std::collections::BTreeMap;

use anyhow::Result;
use pollster::block_on;

use crate::data::facts::{Fact, Relation, objects};
use crate::engine::Backend;
use crate::measure::recall::{self, AnswerKind, Probe};
use crate::model::config::LlamaConfig;
use crate::model::tokenizer::Tokenizer;
use crate::model::weights::Weights;

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
    weights: Weights,
    config: &LlamaConfig,
    tokenizer: &Tokenizer,
    facts: &[Fact],
    stride: usize,
) -> Result<BTreeMap<Relation, Score>> {
    let objects = objects(facts);
    let tested: Vec<&Fact> = facts.iter().step_by(stride).collect();
    let probe = |fact: &&Fact| Probe::of(fact, objects[&fact.relation].clone(), tokenizer);
    let probes: Vec<Probe> = tested.iter().map(probe).collect::<crate::error::Result<_>>()?;
    let mut model = Backend::Cpu.load(config, weights)?;
    let cloze = block_on(recall::cloze(&mut model, &probes, tokenizer))?;
    let asked = block_on(recall::asked(&mut model, &probes, ANSWER_TOKENS, tokenizer))?;
    let mut scores: BTreeMap<Relation, Score> = BTreeMap::new();
    for ((fact, cloze), asked) in tested.iter().zip(cloze).zip(asked) {
        let known = cloze.kind == AnswerKind::Right;
        let score = scores.entry(fact.relation.clone()).or_default();
        score.facts += 1;
        score.cloze += usize::from(known);
        score.asked += usize::from(asked.right);
        score.ended += usize::from(asked.ended);
        if stride == 1 && !(known && asked.right) {
            eprintln!("  {}: cloze {known}, asked {:?} -> {:?}", fact.id, fact.asked().prompt, asked.text);
        }
    }
    Ok(scores)
}
