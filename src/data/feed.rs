//! The batches of a run: the same for every arm, a function of the data, the order and the step alone.

use super::batch::{Batch, Sequence};
use super::order::Order;

/// Sequence lengths of batches are multiples of this many tokens.
const TIME_STEP: usize = 8;

/// Deals examples out to steps.
pub struct Feed {
    sequences: Vec<Sequence>,
    order: Order,
    /// Rows of a micro-batch.
    rows: usize,
    /// Micro-batches of a step.
    accumulate: usize,
    /// Tokens of a row: those of the longest sequence, so that every batch has one shape.
    time: usize,
}

impl Feed {
    /// `rows` examples in each of `accumulate` micro-batches; `seed` shuffles every epoch, without one the
    /// examples come in their own order.
    pub fn new(sequences: Vec<Sequence>, rows: u32, accumulate: u32, seed: Option<u64>) -> Self {
        let n = sequences.len();
        let order = seed.map_or_else(|| Order::unshuffled(n), |seed| Order::shuffled(n, seed));
        let longest = sequences.iter().map(|s| s.tokens.len()).max().unwrap_or(1);
        let time = longest.next_multiple_of(TIME_STEP);
        Self { sequences, order, rows: rows as usize, accumulate: accumulate as usize, time }
    }

    /// Number of examples.
    pub fn len(&self) -> usize {
        self.sequences.len()
    }

    pub fn is_empty(&self) -> bool {
        self.sequences.is_empty()
    }

    /// Rows and tokens of a row of every micro-batch, and how many of them a step has.
    pub fn shape(&self) -> (usize, usize, usize) {
        (self.rows, self.time, self.accumulate)
    }

    /// The micro-batches of step `index`, from 0.
    pub fn step(&self, index: usize) -> Vec<Batch> {
        let examples = self.order.batch(index, self.rows * self.accumulate);
        let micro = |rows: &[usize]| {
            let sequences: Vec<&Sequence> = rows.iter().map(|&i| &self.sequences[i]).collect();
            Batch::new(&sequences, self.rows, self.time)
        };
        examples.chunks(self.rows).map(micro).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn micro_batches_are_the_batch_cut_in_pieces() {
        let sequences: Vec<Sequence> = (0..7).map(|i| Sequence::new(&[i], &[i + 10], 10)).collect();
        let whole = Feed::new(sequences.clone(), 4, 1, Some(3)).step(1);
        let pieces = Feed::new(sequences, 2, 2, Some(3)).step(1);
        assert_eq!((whole.len(), pieces.len(), whole[0].time), (1, 2, 8));
        let joined: Vec<u32> = pieces.iter().flat_map(|b| b.tokens.clone()).collect();
        assert_eq!(whole[0].tokens, joined);
    }
}
