//! Which examples make up a batch: shuffled anew for every epoch, a function of the seed alone, so that
//! both arms see the same batches.

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

/// The order of `len` examples.
#[derive(Clone, Debug)]
pub struct Order {
    len: usize,
    /// `None` keeps the file's order.
    seed: Option<u64>,
}

impl Order {
    pub fn shuffled(len: usize, seed: u64) -> Self {
        Self { len, seed: Some(seed) }
    }

    pub fn unshuffled(len: usize) -> Self {
        Self { len, seed: None }
    }

    /// The examples of batch `step` (from 0). A batch may reach into the next epoch.
    pub fn batch(&self, step: usize, size: usize) -> Vec<usize> {
        let mut batch = Vec::with_capacity(size);
        let mut at = step * size;
        while batch.len() < size && self.len > 0 {
            let epoch = self.epoch(at / self.len);
            let rest = &epoch[at % self.len..];
            let take = rest.len().min(size - batch.len());
            batch.extend_from_slice(&rest[..take]);
            at += take;
        }
        batch
    }

    fn epoch(&self, epoch: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.len).collect();
        if let Some(seed) = self.seed {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(epoch as u64);
            order.shuffle(&mut rng);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_has_every_example_once() {
        let order = Order::shuffled(10, 3);
        let mut seen: Vec<usize> = (0..5).flat_map(|step| order.batch(step, 4)).collect();
        let second = seen.split_off(10);
        assert_ne!(seen, second);
        for mut epoch in [seen, second] {
            epoch.sort_unstable();
            assert_eq!(epoch, (0..10).collect::<Vec<_>>());
        }
        assert_eq!(order.batch(1, 4), Order::shuffled(10, 3).batch(1, 4));
        assert_ne!(order.batch(0, 10), Order::shuffled(10, 4).batch(0, 10));
        assert_eq!(Order::unshuffled(3).batch(1, 2), [2, 0]);
    }
}
