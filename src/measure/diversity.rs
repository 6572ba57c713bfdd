//! Whether a model still says different things: different answers among many drawn to one question (Biderman et al.,
//! arXiv 2405.09673, who find that full tuning loses most of them).

use std::collections::BTreeSet;

use crate::engine::Model;
use crate::error::Result;
use crate::record::{Diversity, Sampling};

/// The same draws for every model and step.
const SEED: u32 = 1;

/// Draws `samples` answers of at most `max_new` tokens at temperature 1, from the whole distribution.
///
/// # Errors
/// What the back end refuses.
pub async fn of_answers(
    model: &mut Model,
    prompt: &[u32],
    samples: u32,
    max_new: usize,
    ends: &[u32],
) -> Result<Diversity> {
    let prompts = vec![prompt.to_vec(); samples as usize];
    let sampling = Sampling { temperature: 1.0, top_p: 1.0, seed: SEED };
    Ok(count(&model.generate(&prompts, max_new, ends, sampling).await?))
}

fn count(answers: &[Vec<u32>]) -> Diversity {
    let unique: BTreeSet<&Vec<u32>> = answers.iter().collect();
    Diversity { unique: unique.len() as u32, n: answers.len() as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_once() {
        let answers = [vec![1, 2], vec![1], vec![1, 2], vec![], vec![]];
        assert_eq!(count(&answers), Diversity { unique: 3, n: 5 });
        assert_eq!(count(&[]), Diversity::default());
    }
}
