//! Cross-entropy over the vocabulary.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::{done, floats};
use crate::reference::rows;

/// A target that takes no part in the loss.
pub const IGNORED: u32 = u32::MAX;

/// Mean over the targets that are not [`IGNORED`] of -log softmax(x)[target]; x is (N, V), in nats.
pub fn cross_entropy(x: &Tensor, targets: &[u32]) -> Result<Tensor> {
    x.contiguous()?.apply_op1(CrossEntropy { targets: targets.into() })
}

struct CrossEntropy {
    targets: Arc<[u32]>,
}

impl CrossEntropy {
    fn count(&self) -> usize {
        self.targets.iter().filter(|target| **target != IGNORED).count()
    }

    /// The rows that count, with their targets.
    fn check(&self, layout: &Layout) -> Result<usize> {
        let (n, v) = layout.shape().dims2()?;
        let fits = |target: &u32| *target == IGNORED || (*target as usize) < v;
        if n != self.targets.len() || !self.targets.iter().all(fits) {
            bail!("cross_entropy: {} targets for logits ({n}, {v}), or one beyond V", self.targets.len());
        }
        Ok(v)
    }
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let v = self.check(layout)?;
        let rows = floats(x, layout, self.name())?.chunks_exact(v).zip(self.targets.iter());
        let sum: f64 = rows
            .filter(|(_, target)| **target != IGNORED)
            .map(|(row, target)| f64::from(rows::log_sum_exp(row) - row[*target as usize]))
            .sum();
        done(vec![(sum / self.count().max(1) as f64) as f32], ())
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        let scale = g.to_scalar::<f32>()? / self.count().max(1) as f32;
        let backward = CrossEntropyGrad { targets: self.targets.clone(), scale };
        Ok(Some(x.apply_op1_no_bwd(&backward)?))
    }
}

struct CrossEntropyGrad {
    targets: Arc<[u32]>,
    scale: f32,
}

impl CustomOp1 for CrossEntropyGrad {
    fn name(&self) -> &'static str {
        "cross_entropy_grad"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, v) = layout.shape().dims2()?;
        let x = floats(x, layout, self.name())?;
        let mut dx = vec![0.0; x.len()];
        let pairs = x.chunks_exact(v).zip(dx.chunks_exact_mut(v)).zip(self.targets.iter());
        for ((x, dx), target) in pairs.filter(|(_, target)| **target != IGNORED) {
            rows::cross_entropy_grad(x, *target as usize, self.scale, dx);
        }
        done(dx, layout.shape())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::ops::check::{compare, random};
    use candle_core::Device;

    #[test]
    fn equals_candles_over_the_counted_rows() {
        let targets = [3, IGNORED, 0, 10, IGNORED];
        let rows = Tensor::new(&[0u32, 2, 3], &Device::Cpu).unwrap();
        let counted = Tensor::new(&[3u32, 0, 10], &Device::Cpu).unwrap();
        compare(
            &[random((5, 11), 9)],
            |v| cross_entropy(&v[0], &targets),
            |v| candle_nn::loss::cross_entropy(&v[0].index_select(&rows, 0)?, &counted),
        );
    }

    #[test]
    fn a_target_beyond_the_vocabulary_is_an_error() {
        let x = random((1, 4), 10);
        assert!(cross_entropy(x.as_tensor(), &[4]).is_err());
        assert!(cross_entropy(x.as_tensor(), &[0, 1]).is_err());
    }

    #[test]
    fn nothing_to_learn_is_zero() {
        let loss = cross_entropy(random((2, 4), 11).as_tensor(), &[IGNORED; 2]).unwrap();
        assert_eq!(loss.to_scalar::<f32>().unwrap(), 0.0);
    }
}
