//! RMS norm.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor};

use super::{done, floats};
use crate::reference::rows;

/// RMS norm of x (N, C) with weight w (C).
pub fn rms_norm(x: &Tensor, w: &Tensor, eps: f32) -> Result<Tensor> {
    x.contiguous()?.apply_op2(w, RmsNorm { eps })
}

struct RmsNorm {
    eps: f32,
}

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms_norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, w) = (floats(x, x_layout, self.name())?, floats(w, w_layout, self.name())?);
        let mut y = vec![0.0; x.len()];
        rows::rms_norm(x, w, self.eps, &mut y);
        done(y, x_layout.shape())
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _: &Tensor,
        g: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let g = g.contiguous()?;
        let dx = x.apply_op3_no_bwd(w, &g, &RmsNormGradX { eps: self.eps })?;
        let dw = match w.track_op() {
            true => Some(x.apply_op2_no_bwd(&g, &RmsNormGradW { eps: self.eps })?),
            false => None,
        };
        Ok((Some(dx), dw))
    }
}

struct RmsNormGradX {
    eps: f32,
}

impl CustomOp3 for RmsNormGradX {
    fn name(&self) -> &'static str {
        "rms_norm_grad_x"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
        g: &CpuStorage,
        g_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, w) = (floats(x, x_layout, self.name())?, floats(w, w_layout, self.name())?);
        let g = floats(g, g_layout, self.name())?;
        let mut dx = vec![0.0; x.len()];
        rows::rms_norm_grad_x(x, w, g, self.eps, &mut dx);
        done(dx, x_layout.shape())
    }
}

struct RmsNormGradW {
    eps: f32,
}

impl CustomOp2 for RmsNormGradW {
    fn name(&self) -> &'static str {
        "rms_norm_grad_w"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        g: &CpuStorage,
        g_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, g) = (floats(x, x_layout, self.name())?, floats(g, g_layout, self.name())?);
        let width = x_layout.shape().dims().last().copied().unwrap_or(1);
        let mut dw = vec![0.0; width];
        rows::rms_norm_grad_w(x, g, self.eps, &mut dw);
        done(dw, width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::ops::check::{compare, random};

    #[test]
    fn equals_the_composed_formula() {
        let (x, w) = (random((6, 10), 1), random(10, 2));
        compare(
            &[x, w],
            |v| rms_norm(&v[0], &v[1], 1e-5),
            |v| candle_nn::ops::rms_norm_slow(&v[0], &v[1], 1e-5),
        );
    }
}
