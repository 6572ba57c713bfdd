//! How far a distribution over the vocabulary is from a fixed one.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::{done, floats};
use crate::reference::rows;

/// Mean over the rows of KL(softmax(base) || softmax(x)), in nats; both (N, V). No gradient reaches the base.
pub fn kl(x: &Tensor, base: &Tensor) -> Result<Tensor> {
    if x.dims() != base.dims() {
        bail!("kl: logits {:?}, the base's {:?}", x.dims(), base.dims());
    }
    x.contiguous()?.apply_op1(Kl { base: base.detach().contiguous()? })
}

struct Kl {
    base: Tensor,
}

/// The gradient of [`Kl`], times a number.
struct KlGrad {
    base: Tensor,
    scale: f32,
}

impl CustomOp1 for Kl {
    fn name(&self) -> &'static str {
        "kl"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (n, v) = layout.shape().dims2()?;
        let x = floats(x, layout, self.name())?;
        let base = self.base.flatten_all()?.to_vec1::<f32>()?;
        let pairs = x.chunks_exact(v).zip(base.chunks_exact(v));
        let sum: f64 = pairs.map(|(x, base)| rows::kl(base, x)).sum();
        done(vec![(sum / n.max(1) as f64) as f32], ())
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        let scale = g.to_scalar::<f32>()? / x.dim(0)?.max(1) as f32;
        Ok(Some(x.apply_op1_no_bwd(&KlGrad { base: self.base.clone(), scale })?))
    }
}

impl CustomOp1 for KlGrad {
    fn name(&self) -> &'static str {
        "kl_grad"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, v) = layout.shape().dims2()?;
        let x = floats(x, layout, self.name())?;
        let base = self.base.flatten_all()?.to_vec1::<f32>()?;
        let mut dx = vec![0.0; x.len()];
        let pairs = x.chunks_exact(v).zip(base.chunks_exact(v));
        for ((x, base), dx) in pairs.zip(dx.chunks_exact_mut(v)) {
            rows::kl_grad(base, x, self.scale, dx);
        }
        done(dx, layout.shape())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::ops::check::{compare, random};
    use candle_nn::ops::log_softmax;

    #[test]
    fn equals_candles_composition() {
        let base = random((5, 11), 12).as_detached_tensor();
        compare(
            &[random((5, 11), 9)],
            |v| kl(&v[0], &base),
            |v| {
                let (p, q) = (log_softmax(&v[0], 1)?, log_softmax(&base, 1)?);
                (q.exp()? * (q - p)?)?.sum_all()? / 5.0
            },
        );
    }

    #[test]
    fn of_equal_logits_is_zero() {
        let x = random((3, 7), 4);
        assert_eq!(kl(x.as_tensor(), x.as_tensor()).unwrap().to_scalar::<f32>().unwrap(), 0.0);
    }

    #[test]
    fn other_shapes_are_errors() {
        assert!(kl(random((2, 4), 1).as_tensor(), random((2, 5), 1).as_tensor()).is_err());
    }
}
