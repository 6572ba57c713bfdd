//! How much of a long work is done in one go, so that whoever drives it stays free for other work.

use web_time::Instant;

/// An amount that is doubled and halved, since a GPU has a plan for each power of two, until it takes about so long.
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

    /// A turn that began then is over.
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
