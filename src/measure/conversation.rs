//! How well an arm answers held-out questions: in the set's format, and rightly.

use crate::data::answer;
use crate::data::facts::{Fact, candidates};
use crate::data::instructions::Example;
use crate::data::variants::Style;
use crate::engine::Model;
use crate::error::Result;
use crate::model::tokenizer::Tokenizer;
use crate::record::{Conversation, Sampling};

/// A held-out question on a fact.
pub struct Question {
    pub prompt: Vec<u32>,
    pub object: String,
    pub candidates: Vec<String>,
}

/// The examples that ask for a fact: their question names its subject and their answer its object.
///
/// # Errors
/// When a question can't be tokenised.
pub fn questions(examples: &[Example], facts: &[Fact], tokenizer: &Tokenizer) -> Result<Vec<Question>> {
    let subjects: Vec<String> = facts.iter().map(|f| f.subject.clone()).collect();
    let fact = |example: &Example| {
        let subject = answer::named(example.question(), &subjects).into_iter().next()?.to_string();
        let stated = |f: &&Fact| {
            f.subject == subject
                && !answer::named(&example.answer, std::slice::from_ref(&f.object)).is_empty()
        };
        facts.iter().find(stated)
    };
    let question = |example: &Example| {
        fact(example).map(|fact| {
            Ok(Question {
                prompt: tokenizer.prompt(&example.prompt)?,
                object: fact.object.clone(),
                candidates: candidates(facts, &fact.relation),
            })
        })
    };
    examples.iter().filter_map(question).collect()
}

/// Greedy answers of at most `max_new` tokens.
///
/// # Errors
/// What the back end refuses.
pub async fn converse(
    model: &mut Model,
    questions: &[Question],
    style: &Style,
    max_new: usize,
    tokenizer: &Tokenizer,
) -> Result<Conversation> {
    let prompts: Vec<Vec<u32>> = questions.iter().map(|q| q.prompt.clone()).collect();
    let answers = model.generate(&prompts, max_new, tokenizer.ends(), Sampling::default()).await?;
    let mut score = Conversation { n: questions.len() as u32, ..Conversation::default() };
    for (question, tokens) in questions.iter().zip(&answers) {
        let text = tokenizer.decode(tokens)?;
        let format = tokens.len() < max_new && style.is_followed(text.trim());
        let right = answer::is_right(&text, &question.object, &question.candidates);
        score.format += u32::from(format);
        score.right += u32::from(right);
        score.both += u32::from(format && right);
    }
    Ok(score)
}
