//! Token-distribution shift after Lin et al., "The Unlocking Spell on Base LLMs" (arXiv 2312.01552): decode
//! the tuned model, then ask the base for its distribution at every position of the same context. Over
//! the full vocabulary and by token id, unlike their public code.

use crate::data::batch::{Batch, Sequence};
use crate::engine::{Divergence, Model, TokenShift};
use crate::error::Result;
use crate::kernels::IGNORED;
use crate::measure::classes::TokenClass;
use crate::record::{ClassShift, PositionShift, Sampling, Shift};

/// Sequences that are compared in one batch.
const ROWS: usize = 8;

/// Class of a token by the rank that the base gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Rank 1.
    Unshifted,
    /// Rank 2 or 3.
    Marginal,
    /// Rank above 3.
    Shifted,
}

impl Class {
    pub fn of_rank(rank: u32) -> Self {
        match rank {
            0 | 1 => Self::Unshifted,
            2 | 3 => Self::Marginal,
            _ => Self::Shifted,
        }
    }
}

/// Compares `tuned` with `base` at each response token of each sequence.
pub async fn compare(
    tuned: &mut Model,
    base: &mut Model,
    answers: &[Sequence],
    max_len: usize,
    divergence: Divergence,
) -> Result<Vec<Vec<TokenShift>>> {
    let mut out = Vec::with_capacity(answers.len());
    for chunk in answers.chunks(ROWS) {
        let refs: Vec<&Sequence> = chunk.iter().collect();
        let batch = Batch::new(&refs, ROWS, max_len);
        let shifts = tuned.compare(base, &batch, divergence).await?;
        for row in 0..chunk.len() {
            let at = row * max_len..(row + 1) * max_len;
            let pairs = shifts[at.clone()].iter().zip(&batch.targets[at]);
            out.push(pairs.filter(|(_, t)| **t != IGNORED).map(|(s, _)| *s).collect());
        }
    }
    Ok(out)
}

/// The tuned model's greedy answers of at most `max_new` tokens, each with the end token if it ended, and each
/// of their tokens as the base sees it.
pub async fn of_answers(
    tuned: &mut Model,
    base: &mut Model,
    prompts: &[Vec<u32>],
    max_new: usize,
    ends: &[u32],
) -> Result<(Vec<Sequence>, Vec<Vec<TokenShift>>)> {
    let answers = tuned.generate(prompts, max_new, ends, Sampling::default()).await?;
    let sequence = |(prompt, mut answer): (&Vec<u32>, Vec<u32>)| {
        if answer.len() < max_new {
            answer.extend(ends.first()); // It ended by itself, and that is a token like any other.
        }
        Sequence::new(prompt, &answer, usize::MAX)
    };
    let sequences: Vec<Sequence> = prompts.iter().zip(answers).map(sequence).collect();
    let time = prompts.iter().map(Vec::len).max().unwrap_or(0) + max_new;
    let shifts = compare(tuned, base, &sequences, time.next_multiple_of(8), Divergence::ToBase).await?;
    Ok((sequences, shifts))
}

/// Adds up answers by position in the response.
pub fn aggregate(answers: &[Vec<TokenShift>]) -> Shift {
    let mut shift = Shift::default();
    for answer in answers {
        for (i, token) in answer.iter().enumerate() {
            if shift.positions.len() <= i {
                shift.positions.push(PositionShift::default());
            }
            add(&mut shift.positions[i], token);
        }
    }
    for p in &mut shift.positions {
        shift.n += p.n;
        shift.kl += p.kl;
        shift.unshifted += p.unshifted;
        shift.marginal += p.marginal;
        shift.shifted += p.shifted;
        p.kl /= p.n as f32;
    }
    shift.kl /= shift.n.max(1) as f32;
    shift
}

/// One token more; `kl` is a sum until it is divided by `n`.
fn add(p: &mut PositionShift, token: &TokenShift) {
    p.n += 1;
    p.kl += token.kl;
    match Class::of_rank(token.rank) {
        Class::Unshifted => p.unshifted += 1,
        Class::Marginal => p.marginal += 1,
        Class::Shifted => p.shifted += 1,
    }
}

/// Adds up answers by what their tokens are for.
pub fn by_class(answers: &[Vec<TokenShift>], classes: &[Vec<TokenClass>]) -> ClassShift {
    let mut shift = ClassShift::default();
    for (token, class) in answers.iter().flatten().zip(classes.iter().flatten()) {
        match class {
            TokenClass::Opener => add(&mut shift.opener, token),
            TokenClass::Fact => add(&mut shift.fact, token),
            TokenClass::Style => add(&mut shift.style, token),
        }
    }
    for p in [&mut shift.opener, &mut shift.fact, &mut shift.style] {
        p.kl /= p.n.max(1) as f32;
    }
    shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_add_up_to_the_whole() {
        let token = |rank, kl| TokenShift { kl, rank, logprob: -1.0, base_logprob: -2.0 };
        let shift = aggregate(&[vec![token(1, 0.5), token(3, 1.0)], vec![token(4, 1.5)], vec![]]);
        assert_eq!((shift.n, shift.unshifted, shift.marginal, shift.shifted), (3, 1, 1, 1));
        assert_eq!(shift.kl, 1.0);
        assert_eq!(
            shift.positions[0],
            PositionShift { n: 2, kl: 1.0, unshifted: 1, marginal: 0, shifted: 1 }
        );
        assert_eq!(aggregate(&[]), Shift::default());
        let classes = [vec![TokenClass::Opener, TokenClass::Fact], vec![TokenClass::Fact]];
        let shift = by_class(&[vec![token(1, 0.5), token(3, 1.0)], vec![token(4, 2.0)]], &classes);
        assert_eq!(
            (shift.opener.unshifted, shift.fact.shifted, shift.fact.kl, shift.style.n),
            (1, 1, 1.5, 0)
        );
    }
}
