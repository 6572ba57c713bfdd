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
    /// Pre-training text, and how many rows of it a micro-batch has beside its examples.
    replay: (Vec<Sequence>, usize),
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
        let (rows, accumulate) = (rows as usize, accumulate as usize);
        Self { sequences, order, rows, replay: (Vec::new(), 0), accumulate, time }
    }

    /// With `rows` rows of these texts in each micro-batch, in turn.
    #[must_use]
    pub fn with_replay(mut self, texts: Vec<Sequence>, rows: u32) -> Self {
        let longest = texts.iter().map(|s| s.tokens.len()).max().unwrap_or(0);
        self.time = self.time.max(longest.next_multiple_of(TIME_STEP));
        let rows = if texts.is_empty() { 0 } else { rows as usize };
        self.replay = (texts, rows);
        self
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
        (self.rows + self.replay.1, self.time, self.accumulate)
    }

    /// The micro-batches of step `index`, from 0.
    pub fn step(&self, index: usize) -> Vec<Batch> {
        let examples = self.order.batch(index, self.rows * self.accumulate);
        let (texts, per_batch) = &self.replay;
        let micro = |(number, rows): (usize, &[usize])| {
            let first = (index * self.accumulate + number) * per_batch;
            let replayed = (first..first + per_batch).map(|i| &texts[i % texts.len()]);
            let sequences: Vec<&Sequence> =
                rows.iter().map(|&i| &self.sequences[i]).chain(replayed).collect();
            Batch::new(&sequences, self.rows + per_batch, self.time)
        };
        examples.chunks(self.rows).enumerate().map(micro).collect()
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

    #[test]
    fn replayed_text_comes_in_turn_beside_the_examples() {
        let examples: Vec<Sequence> = (0..4).map(|i| Sequence::new(&[i], &[i + 10], 10)).collect();
        let texts: Vec<Sequence> = (0..3).map(|i| Sequence::new(&[], &[90 + i; 9], 10)).collect();
        let feed = Feed::new(examples, 2, 1, None).with_replay(texts, 2);
        assert_eq!(feed.shape(), (4, 16, 1));
        let [first, second] = [0, 1].map(|step| feed.step(step).remove(0));
        let column = |b: &Batch| b.tokens.iter().step_by(16).copied().collect::<Vec<_>>();
        assert_eq!((column(&first), column(&second)), (vec![0, 1, 90, 91], vec![2, 3, 92, 90]));
        assert_eq!(first.response_tokens(), 2 + 2 * 8); // a text's first token has no context
    }
}
