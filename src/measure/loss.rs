//! Loss on examples that were not trained on.

use crate::data::batch::{Batch, Sequence};
use crate::engine::{Divergence, Model, TokenShift};
use crate::error::Result;
use crate::measure::shift;

/// Examples evaluated in one batch.
const ROWS: usize = 16;

/// Mean negative log-likelihood over the response tokens of all examples, nats.
pub async fn mean(model: &mut Model, examples: &[Sequence]) -> Result<f32> {
    let sums = sums(model, examples).await?;
    let n: usize = examples.iter().map(Sequence::targets).sum();
    Ok((sums.iter().sum::<f64>() / n.max(1) as f64) as f32)
}

/// [`mean`] of a tuned model, and the mean of KL(base || tuned) over the same tokens, nats: how far it has moved where the
/// new task speaks. After "RL's Razor" (Shenfeld et al., arXiv 2509.04259), where this predicts what is forgotten.
///
/// # Errors
/// What the back end refuses.
pub async fn and_kl(tuned: &mut Model, base: &mut Model, examples: &[Sequence]) -> Result<(f32, f32)> {
    let longest = examples.iter().map(|s| s.tokens.len()).max().unwrap_or(1);
    let time = longest.next_multiple_of(8);
    let tokens = shift::compare(tuned, base, examples, time, Divergence::FromBase).await?.concat();
    let mean = |figure: fn(&TokenShift) -> f32| {
        let sum: f64 = tokens.iter().map(|token| f64::from(figure(token))).sum();
        (sum / tokens.len().max(1) as f64) as f32
    };
    Ok((mean(|token| -token.logprob), mean(|token| token.kl)))
}

/// [`mean`] of each example by itself.
pub async fn each(model: &mut Model, examples: &[Sequence]) -> Result<Vec<f32>> {
    let sums = sums(model, examples).await?;
    Ok(sums.iter().zip(examples).map(|(sum, e)| (sum / e.targets().max(1) as f64) as f32).collect())
}

async fn sums(model: &mut Model, examples: &[Sequence]) -> Result<Vec<f64>> {
    let longest = examples.iter().map(|s| s.tokens.len()).max().unwrap_or(1);
    let time = longest.next_multiple_of(8);
    let mut sums = Vec::with_capacity(examples.len());
    for chunk in examples.chunks(ROWS) {
        let batch = Batch::new(&chunk.iter().collect::<Vec<_>>(), ROWS, time);
        let nll = model.nll(&batch).await?;
        let row = |row: &[f32]| row.iter().map(|&v| f64::from(v)).sum::<f64>();
        sums.extend(nll.chunks(time).take(chunk.len()).map(row));
    }
    Ok(sums)
}
