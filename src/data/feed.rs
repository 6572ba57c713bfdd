//! The batches of a run: the same for every arm, but for the rows that it replays; a function of the data, the order
//! and the step alone.

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
    /// Pre-training text that arms can have in their micro-batches.
    texts: Vec<Sequence>,
    /// Micro-batches of a step.
    accumulate: usize,
    /// Tokens of a row: those of the longest sequence, so that every batch has one shape; without and with texts.
    time: [usize; 2],
}

impl Feed {
    /// `rows` examples in each of `accumulate` micro-batches; `seed` shuffles every epoch, without one the
    /// examples come in their own order.
    pub fn new(sequences: Vec<Sequence>, rows: u32, accumulate: u32, seed: Option<u64>) -> Self {
        let n = sequences.len();
        let order = seed.map_or_else(|| Order::unshuffled(n), |seed| Order::shuffled(n, seed));
        let time = longest(&sequences).max(1).next_multiple_of(TIME_STEP);
        let (rows, accumulate) = (rows as usize, accumulate as usize);
        Self { sequences, order, rows, texts: Vec::new(), accumulate, time: [time; 2] }
    }

    /// With these texts to replay.
    #[must_use]
    pub fn with_replay(mut self, texts: Vec<Sequence>) -> Self {
        self.time[1] = self.time[0].max(longest(&texts).next_multiple_of(TIME_STEP));
        Self { texts, ..self }
    }

    /// Number of examples.
    pub fn len(&self) -> usize {
        self.sequences.len()
    }

    pub fn is_empty(&self) -> bool {
        self.sequences.is_empty()
    }

    /// Rows and tokens of a row of every micro-batch with `replay` replayed rows, and how many of them a step has.
    pub fn shape(&self, replay: usize) -> (usize, usize, usize) {
        (self.rows + replay, self.time[usize::from(replay > 0)], self.accumulate)
    }

    /// The micro-batches of step `index`, from 0, each with `replay` rows of the texts, in turn, after its examples.
    pub fn step(&self, index: usize, replay: usize) -> Vec<Batch> {
        let examples = self.order.batch(index, self.rows * self.accumulate);
        let (all_rows, time, _) = self.shape(replay);
        let micro = |(number, rows): (usize, &[usize])| {
            let first = (index * self.accumulate + number) * replay;
            let replayed =
                (first..first + replay).filter_map(|i| self.texts.get(i % self.texts.len().max(1)));
            let sequences: Vec<&Sequence> =
                rows.iter().map(|&i| &self.sequences[i]).chain(replayed).collect();
            Batch::new(&sequences, all_rows, time)
        };
        examples.chunks(self.rows).enumerate().map(micro).collect()
    }
}

fn longest(sequences: &[Sequence]) -> usize {
    sequences.iter().map(|s| s.tokens.len()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn micro_batches_are_the_batch_cut_in_pieces() {
        let sequences: Vec<Sequence> = (0..7).map(|i| Sequence::new(&[i], &[i + 10], 10)).collect();
        let whole = Feed::new(sequences.clone(), 4, 1, Some(3)).step(1, 0);
        let pieces = Feed::new(sequences, 2, 2, Some(3)).step(1, 0);
        assert_eq!((whole.len(), pieces.len(), whole[0].time), (1, 2, 8));
        let joined: Vec<u32> = pieces.iter().flat_map(|b| b.tokens.clone()).collect();
        assert_eq!(whole[0].tokens, joined);
    }

    #[test]
    fn replayed_text_comes_in_turn_beside_the_examples() {
        let examples: Vec<Sequence> = (0..4).map(|i| Sequence::new(&[i], &[i + 10], 10)).collect();
        let texts: Vec<Sequence> = (0..3).map(|i| Sequence::new(&[], &[90 + i; 9], 10)).collect();
        let feed = Feed::new(examples, 2, 1, None).with_replay(texts);
        assert_eq!((feed.shape(2), feed.shape(0)), ((4, 16, 1), (2, 8, 1)));
        let [first, second] = [0, 1].map(|step| feed.step(step, 2).remove(0));
        let column = |b: &Batch| b.tokens.iter().step_by(16).copied().collect::<Vec<_>>();
        assert_eq!((column(&first), column(&second)), (vec![0, 1, 90, 91], vec![2, 3, 92, 90]));
        assert_eq!(first.response_tokens(), 2 + 2 * 8); // a text's first token has no context
    }
}
