//! Loss on examples that were not trained on.

use crate::data::batch::{Batch, Sequence};
use crate::engine::Model;
use crate::error::Result;

/// Examples evaluated in one batch.
const ROWS: usize = 16;

/// Mean negative log-likelihood over the response tokens of all examples, nats.
pub async fn mean(model: &mut Model, examples: &[Sequence]) -> Result<f32> {
    let longest = examples.iter().map(|s| s.tokens.len()).max().unwrap_or(1);
    let time = longest.next_multiple_of(8);
    let (mut sum, mut n) = (0.0, 0);
    for chunk in examples.chunks(ROWS) {
        let batch = Batch::new(&chunk.iter().collect::<Vec<_>>(), ROWS, time);
        let nll = model.nll(&batch).await?;
        sum += nll.iter().map(|&v| f64::from(v)).sum::<f64>();
        n += batch.response_tokens();
    }
    Ok((sum / n.max(1) as f64) as f32)
}
