//! Generation, in one go or in slices.

use super::{DECODE_ROWS, Model, cpu, gpu};
use crate::error::{Error, Result};
use crate::kernels::Draw;
use crate::record::Sampling;

/// What is to be continued: each prompt by at most `max_new` tokens, ended before any of `ends`.
pub(super) struct Wanted {
    pub prompts: Vec<Vec<u32>>,
    pub max_new: usize,
    pub ends: Vec<u32>,
    pub draw: Draw,
}

impl Wanted {
    pub fn longest_prompt(&self) -> usize {
        self.prompts.iter().map(Vec::len).max().unwrap_or(0)
    }
}

/// What a continuation has produced so far.
pub(super) struct Written {
    /// New tokens by row, before an end.
    pub answers: Vec<Vec<u32>>,
    pub is_over: bool,
}

/// A continuation under way. Until it is over, its model can neither continue anything else nor be trained: the
/// model's buffers hold the earlier positions.
pub struct Decoding {
    wanted: Wanted,
    state: State,
    written: Written,
}

enum State {
    Gpu(gpu::Decoding),
    Cpu(Box<cpu::Decoding>),
}

impl Decoding {
    /// The first prompt's new tokens so far, before an end.
    pub fn answer(&self) -> &[u32] {
        self.written.answers.first().map_or(&[], Vec::as_slice)
    }

    pub fn is_over(&self) -> bool {
        self.written.is_over
    }
}

impl Model {
    /// Continuations of at most `max_new` tokens, ended before any of `ends`, greedy or drawn as `sampling` says.
    pub async fn generate(
        &mut self,
        prompts: &[Vec<u32>],
        max_new: usize,
        ends: &[u32],
        sampling: Sampling,
    ) -> Result<Vec<Vec<u32>>> {
        self.check_prompts(prompts, max_new, sampling)?;
        let mut out = Vec::with_capacity(prompts.len());
        for rows in prompts.chunks(DECODE_ROWS) {
            let draw = sampling.draw(out.len());
            let mut decoding =
                self.begin(Wanted { prompts: rows.to_vec(), max_new, ends: ends.to_vec(), draw }).await?;
            self.go_on(&mut decoding, usize::MAX).await?;
            out.extend(decoding.written.answers);
        }
        Ok(out)
    }

    /// Begins what [`Self::generate`] does with one prompt; [`Self::go_on`] does it.
    pub async fn begin_to_generate(
        &mut self,
        prompt: &[u32],
        max_new: usize,
        ends: &[u32],
        sampling: Sampling,
    ) -> Result<Decoding> {
        let prompts = vec![prompt.to_vec()];
        self.check_prompts(&prompts, max_new, sampling)?;
        self.begin(Wanted { prompts, max_new, ends: ends.to_vec(), draw: sampling.draw(0) }).await
    }

    async fn begin(&mut self, wanted: Wanted) -> Result<Decoding> {
        let state = match self {
            Self::Gpu(model) => State::Gpu(model.begin(&wanted).await?),
            Self::Cpu(model) => State::Cpu(Box::new(model.begin(&wanted)?)),
        };
        let answers = vec![Vec::new(); wanted.prompts.len()];
        Ok(Decoding { wanted, state, written: Written { answers, is_over: false } })
    }

    /// Feeds and chooses `positions` more tokens of each row, or as many as are left. A prompt counts as one on the CPU.
    pub async fn go_on(&mut self, decoding: &mut Decoding, positions: usize) -> Result<()> {
        let Decoding { wanted, state, written } = decoding;
        *written = match (self, state) {
            (Self::Gpu(model), State::Gpu(state)) => model.go_on(wanted, state, positions).await?,
            (Self::Cpu(model), State::Cpu(state)) => model.go_on(wanted, state, positions)?,
            _ => {
                let message = "it was begun on another back end".into();
                return Err(Error::Shape { op: "generate", message });
            }
        };
        Ok(())
    }

    fn check_prompts(&self, prompts: &[Vec<u32>], max_new: usize, sampling: Sampling) -> Result<()> {
        sampling.check()?;
        prompts.iter().try_for_each(|prompt| self.check(prompt, prompt.len() + max_new))
    }
}
