//! Decoding with a key/value cache. All rows of a batch are at the same position, prompts are fed
//! token by token, and the next token is chosen on the GPU, so that one static plan is replayed and nothing
//! is read back before the end of a slice.

use super::activations::Activations;
use super::form::Shape;
use super::net::{Cache, Net};
use crate::engine::decoding::{Wanted, Written};
use crate::error::Result;
use crate::gpu::{Gpu, Plan, PlanBuilder, Slice};
use crate::kernels::{Advance, Draw, IGNORED, Select, Share};

/// Positions between two looks at whether every row has ended.
const LOOK_EVERY: usize = 16;

/// Positions per submit, on hardware and on software. On hardware, encoding and submitting take as long as one
/// position of a small model; on software, a browser would freeze for all of them.
const AT_ONCE: [usize; 2] = [LOOK_EVERY, 1];

/// How far a decoder has come; the decoder itself holds the rest of the state.
pub struct Decoding {
    pub(super) shape: Shape,
    /// Positions that are done.
    pub(super) step: usize,
}

pub struct Decoder {
    rows: usize,
    time: usize,
    /// Prompt tokens by row and position, [`IGNORED`] where the model chooses. (B,T).
    forced: Slice,
    /// What was fed and chosen, (B,T).
    tokens: Slice,
    /// The token each row is at, (B).
    current: Slice,
    position: Slice,
    /// What has to be up to date before the first position.
    begin: Plan,
    /// A [`Draw`].
    draw: Slice,
    plan: Plan,
}

impl Decoder {
    /// Decodes up to `rows` sequences of up to `time` tokens.
    pub async fn new(gpu: &Gpu, net: &Net<'_>, rows: usize, time: usize) -> Result<Self> {
        let c = net.config;
        let shape = Shape { rows, time: 1 };
        let kv = 2 * c.num_key_value_heads * c.head_dim;
        let caches = (0..c.num_hidden_layers).map(|_| gpu.buffer("kv cache", rows * time * kv));
        let cache = Cache { layers: caches.collect::<Result<_>>()?, time };
        let acts = Activations::new(gpu, net.form(), shape, false)?;
        let logits = gpu.buffer("logits", rows * c.vocab_size)?;
        let forced = gpu.buffer("forced", rows * time)?;
        let tokens = gpu.buffer("tokens", rows * time)?;
        let current = gpu.buffer("current", rows)?;
        let position = gpu.buffer("position", 1)?;
        let mut begin = PlanBuilder::new(gpu);
        net.measure_rows(&mut begin);
        let begin = begin.finish("begin decoding");
        let draw = gpu.buffer("draw", Draw::WORDS)?;
        let mut plan = PlanBuilder::new(gpu);
        net.forward(&mut plan, shape, &acts, &current, &position, Some(&cache));
        net.logits(&mut plan, &acts.normed, &logits);
        let select = Select { batch: rows as u32, kv_time: time as u32, vocab: c.vocab_size as u32 };
        select.record(&mut plan, &logits, &forced, &position, &draw, &tokens, &current);
        Advance { by: 1 }.record(&mut plan, &position);
        let plan = plan.finish_with_pauses("decode").await;
        Ok(Self { rows, time, forced, tokens, current, position, begin, draw, plan })
    }

    /// Puts the prompts in the place of what was decoded before.
    pub fn begin(&self, gpu: &Gpu, wanted: &Wanted) {
        let mut forced = vec![IGNORED; self.rows * self.time];
        let mut current = vec![0; self.rows];
        for (row, prompt) in wanted.prompts.iter().enumerate() {
            forced[row * self.time..][..prompt.len()].copy_from_slice(prompt);
            current[row] = prompt.first().copied().unwrap_or_default();
        }
        gpu.write(&self.forced, &forced);
        gpu.write(&self.current, &current);
        gpu.write(&self.position, &[0u32]);
        gpu.write(&self.draw, wanted.draw.words());
        self.begin.submit(gpu);
    }

    /// Goes on from position `step` by at most `positions`.
    pub async fn go_on(
        &self,
        gpu: &Gpu,
        wanted: &Wanted,
        step: &mut usize,
        positions: usize,
    ) -> Result<Written> {
        let longest = wanted.longest_prompt();
        let steps = (longest + wanted.max_new).saturating_sub(1);
        let answer = |tokens: &[u32], row: usize, upto: usize| -> (Vec<u32>, bool) {
            let from = wanted.prompts[row].len().max(1);
            let new = &tokens[row * self.time..][from..upto.clamp(from, from + wanted.max_new)];
            let stop = new.iter().position(|t| wanted.ends.contains(t));
            (new[..stop.unwrap_or(new.len())].to_vec(), stop.is_some() || new.len() == wanted.max_new)
        };
        let at_once = AT_ONCE[usize::from(gpu.choices().share == Share::Tiles)];
        let slice_end = step.saturating_add(positions).min(steps);
        let mut written =
            Written { answers: vec![Vec::new(); wanted.prompts.len()], is_over: slice_end == steps };
        while *step < slice_end {
            // Through the prompts without a look, then only up to the next look.
            let until =
                if *step < longest { longest + LOOK_EVERY } else { *step + LOOK_EVERY }.min(slice_end);
            while *step < until {
                let times = at_once.min(until - *step);
                self.plan.submit_times(gpu, times);
                *step += times;
            }
            let tokens = gpu.read::<u32>(&self.tokens).await?;
            let now: Vec<_> = (0..wanted.prompts.len()).map(|row| answer(&tokens, row, *step + 1)).collect();
            let has_ended = now.iter().all(|(_, ended)| *ended);
            written.answers = now.into_iter().map(|(tokens, _)| tokens).collect();
            if has_ended {
                written.is_over = true;
                break;
            }
        }
        Ok(written)
    }
}
