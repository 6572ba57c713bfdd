//! How much of a long work is done in one go, so that whoever drives it stays free for other work.

use web_time::Instant;

/// The amount of work in a turn, doubled or halved (a GPU has a plan for each power of two) until a turn takes `ms`.
pub(super) struct Pace {
    /// What the next turn does.
    pub amount: usize,
    most: usize,
    /// How long a turn should take at least and at most, milliseconds.
    ms: [f32; 2],
}

impl Pace {
    pub fn new(first: usize, most: usize, ms: [f32; 2]) -> Self {
        Self { amount: first, most, ms }
    }

    /// Adjusts the amount after a turn that began at `begun`.
    pub fn took(&mut self, begun: Instant) {
        let ms = begun.elapsed().as_secs_f32() * 1e3;
        let [least, most] = self.ms;
        self.amount = match () {
            () if ms < least => (self.amount * 2).min(self.most),
            () if ms > most => (self.amount / 2).max(1),
            () => self.amount,
        };
    }
}
