//! Softmax over the past.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};

use super::{done, floats};
use crate::reference::rows;

/// softmax(scale * s) over the columns up to the row's own time; s is (.., T, T) with any number of
/// query groups stacked in the rows: row r belongs to time r mod T.
pub fn causal_softmax(s: &Tensor, scale: f32) -> Result<Tensor> {
    let time = s.dim(candle_core::D::Minus1)?;
    s.contiguous()?.apply_op1(CausalSoftmax { time, scale })
}

struct CausalSoftmax {
    time: usize,
    scale: f32,
}

impl CustomOp1 for CausalSoftmax {
    fn name(&self) -> &'static str {
        "causal_softmax"
    }

    fn cpu_fwd(&self, s: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let s = floats(s, layout, self.name())?;
        let mut p = vec![0.0; s.len()];
        rows::causal_softmax(s, self.time, self.scale, &mut p);
        done(p, layout.shape())
    }

    fn bwd(&self, _: &Tensor, p: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        let backward = CausalSoftmaxGrad { time: self.time, scale: self.scale };
        Ok(Some(p.apply_op2_no_bwd(&g.contiguous()?, &backward)?))
    }
}

struct CausalSoftmaxGrad {
    time: usize,
    scale: f32,
}

impl CustomOp2 for CausalSoftmaxGrad {
    fn name(&self) -> &'static str {
        "causal_softmax_grad"
    }

    fn cpu_fwd(
        &self,
        p: &CpuStorage,
        p_layout: &Layout,
        g: &CpuStorage,
        g_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (p, g) = (floats(p, p_layout, self.name())?, floats(g, g_layout, self.name())?);
        let mut ds = vec![0.0; p.len()];
        rows::causal_softmax_grad(p, g, self.time, self.scale, &mut ds);
        done(ds, p_layout.shape())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::ops::check::{compare, random};
    use candle_core::Device;

    #[test]
    fn equals_masking_with_minus_infinity() {
        // Two query groups share the keys: rows 0..5 and 5..10 are both times 0..5.
        let (time, groups) = (5, 2);
        let future = |i: usize| {
            if i % time > i / time % time { f32::NEG_INFINITY } else { 0.0 }
        };
        let mask: Vec<f32> = (0..groups * time * time).map(future).collect();
        let mask = Tensor::from_vec(mask, (1, groups * time, time), &Device::Cpu).unwrap();
        compare(
            &[random((3, groups * time, time), 6)],
            |v| causal_softmax(&v[0], 0.7),
            |v| candle_nn::ops::softmax(&(&v[0] * 0.7)?.broadcast_add(&mask)?, 2),
        );
    }
}
