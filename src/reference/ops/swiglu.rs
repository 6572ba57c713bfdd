//! The gate of the feed-forward layer.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor};

use super::{done, floats};
use crate::reference::rows;

/// silu(a) * b, element by element.
pub fn swiglu(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    a.contiguous()?.apply_op2(&b.contiguous()?, SwiGlu)
}

struct SwiGlu;

impl CustomOp2 for SwiGlu {
    fn name(&self) -> &'static str {
        "swiglu"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (a, b) = (floats(a, a_layout, self.name())?, floats(b, b_layout, self.name())?);
        let mut y = vec![0.0; a.len()];
        rows::swiglu(a, b, &mut y);
        done(y, a_layout.shape())
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        _: &Tensor,
        g: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let g = g.contiguous()?;
        let da = a.apply_op3_no_bwd(b, &g, &SwiGluGradA)?;
        // d(silu(a) b)/db is silu(a): the forward loop with the gradient in place of b.
        let db = a.apply_op2_no_bwd(&g, &SwiGlu)?;
        Ok((Some(da), Some(db)))
    }
}

struct SwiGluGradA;

impl CustomOp3 for SwiGluGradA {
    fn name(&self) -> &'static str {
        "swiglu_grad_a"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
        g: &CpuStorage,
        g_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (a, b) = (floats(a, a_layout, self.name())?, floats(b, b_layout, self.name())?);
        let mut da = vec![0.0; a.len()];
        rows::swiglu_grad_a(a, b, floats(g, g_layout, self.name())?, &mut da);
        done(da, a_layout.shape())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::ops::check::{compare, random};

    #[test]
    fn equals_silu_times_up() {
        let (a, b) = (random((7, 9), 7), random((7, 9), 8));
        compare(&[a, b], |v| swiglu(&v[0], &v[1]), |v| v[0].silu()? * &v[1]);
    }
}
