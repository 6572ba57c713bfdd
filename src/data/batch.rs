//! Token batches with their targets.

use crate::kernels::IGNORED;

/// One tokenised example: the prompt, then the response with its end token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    pub tokens: Vec<u32>,
    /// Index of the first response token.
    pub response: usize,
}

impl Sequence {
    /// Cut to `max_len` tokens.
    pub fn new(prompt: &[u32], response: &[u32], max_len: usize) -> Self {
        Self { tokens: [prompt, response].concat(), response: prompt.len() }.cut(max_len)
    }

    /// The first `max_len` tokens.
    #[must_use]
    pub fn cut(mut self, max_len: usize) -> Self {
        self.tokens.truncate(max_len);
        self.response = self.response.min(self.tokens.len());
        self
    }

    /// Number of response tokens; the first token of a sequence can't be predicted.
    pub fn targets(&self) -> usize {
        self.tokens.len() - self.response.max(1).min(self.tokens.len())
    }
}

/// (B,T) tokens, row-major, padded at the end; attention is causal, so padding needs no mask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    pub rows: usize,
    pub time: usize,
    pub tokens: Vec<u32>,
    /// The next token where it belongs to a response, otherwise [`IGNORED`].
    pub targets: Vec<u32>,
}

impl Batch {
    /// Sequences longer than `time` are cut, missing rows are empty.
    pub fn new(sequences: &[&Sequence], rows: usize, time: usize) -> Self {
        let mut batch =
            Self { rows, time, tokens: vec![0; rows * time], targets: vec![IGNORED; rows * time] };
        for (row, s) in sequences.iter().enumerate().take(rows) {
            let start = row * time;
            for (i, &token) in s.tokens.iter().enumerate().take(time) {
                batch.tokens[start + i] = token;
                if i >= s.response.max(1) {
                    batch.targets[start + i - 1] = token;
                }
            }
        }
        batch
    }

    /// The same batch without the columns after its last target: attention is causal, so they change
    /// nothing, and an engine whose shapes are free need not compute them.
    pub fn trimmed(&self) -> Self {
        let counted = self.targets.iter().enumerate().filter(|(_, t)| **t != IGNORED);
        let time = counted.map(|(i, _)| i % self.time + 1).max().unwrap_or(1);
        let cut = |v: &[u32]| v.chunks_exact(self.time).flat_map(|row| row[..time].to_vec()).collect();
        Self { rows: self.rows, time, tokens: cut(&self.tokens), targets: cut(&self.targets) }
    }

    /// Tokens of each row up to its last target's; 0 where none counts. (B).
    pub fn lengths(&self) -> Vec<u32> {
        let length = |row: &[u32]| row.iter().rposition(|t| *t != IGNORED).map_or(0, |last| last as u32 + 2);
        self.targets.chunks_exact(self.time).map(length).collect()
    }

    /// Number of response tokens.
    pub fn response_tokens(&self) -> usize {
        self.targets.iter().filter(|&&t| t != IGNORED).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_the_next_response_tokens() {
        let s = Sequence::new(&[5, 6], &[7, 8], 10);
        let batch = Batch::new(&[&s], 2, 4);
        assert_eq!(batch.tokens, [5, 6, 7, 8, 0, 0, 0, 0]);
        assert_eq!(batch.targets[..4], [IGNORED, 7, 8, IGNORED]);
        assert_eq!(batch.response_tokens(), s.targets());
        assert_eq!(batch.lengths(), [4, 0]);
        let trimmed = batch.trimmed();
        assert_eq!((trimmed.time, trimmed.targets), (3, vec![IGNORED, 7, 8, IGNORED, IGNORED, IGNORED]));
        assert_eq!(Sequence::new(&[5, 6, 7], &[8], 3).targets(), 0);
    }
}
