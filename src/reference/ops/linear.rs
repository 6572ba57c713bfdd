//! Linear layers whose weight is fixed.
//!
//! candle's own product computes the gradient of both factors, wanted or not: with a frozen weight a third of a
//! step's work would be thrown away. LoRA's part is added within the product, without a pass of its own.

use candle_core::{CpuStorage, CustomOp1, CustomOp3, Layout, Result, Shape, Tensor, bail};

use super::{done, floats};

/// y = x W^T for x (N, in), w (out, in).
pub fn linear(x: &Tensor, w: &Tensor) -> Result<Tensor> {
    if w.track_op() {
        return x.matmul(&w.t()?);
    }
    x.contiguous()?.apply_op1(Frozen { w: w.contiguous()? })
}

/// y = x W^T + scale * (x A^T) B^T for x (N, in), a fixed w (out, in), a (R, in), b (out, R).
pub fn adapted_linear(x: &Tensor, w: &Tensor, a: &Tensor, b: &Tensor, scale: f32) -> Result<Tensor> {
    let op = Adapted { w: w.contiguous()?, scale };
    x.contiguous()?.apply_op3(&a.contiguous()?, &b.contiguous()?, op)
}

/// A matrix in row-major order, or the transpose of one.
#[derive(Clone, Copy)]
struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    /// Words from one row to the next, and from one column to the next.
    strides: [usize; 2],
}

impl<'a> Matrix<'a> {
    /// (rows, columns), as many columns as `values` has for that many rows.
    fn new(values: &'a [f32], rows: usize) -> Self {
        let columns = values.len() / rows.max(1);
        Self { values, rows, columns, strides: [columns, 1] }
    }

    fn transposed(self) -> Self {
        let [row, column] = self.strides;
        Self { rows: self.columns, columns: self.rows, strides: [column, row], ..self }
    }
}

/// `y = scale * a b`, or `y += scale * a b`; y row-major.
fn product(y: &mut [f32], add: bool, scale: f32, a: Matrix, b: Matrix) {
    assert_eq!((a.columns, y.len()), (b.rows, a.rows * b.columns), "shapes of a product");
    let [a_row, a_column] = a.strides.map(|stride| stride as isize);
    let [b_row, b_column] = b.strides.map(|stride| stride as isize);
    let (keep, conjugate) = (if add { 1.0 } else { 0.0 }, false);
    #[cfg(target_arch = "wasm32")]
    let parallelism = gemm::Parallelism::None;
    // As candle's own product.
    #[cfg(not(target_arch = "wasm32"))]
    let parallelism = match candle_core::utils::get_num_threads() {
        0 | 1 => gemm::Parallelism::None,
        threads => gemm::Parallelism::Rayon(threads),
    };
    // SAFETY: a matrix's rows, columns and strides address `values` exactly, as `new` and `transposed` make
    // them; the assertion above says that the shapes fit each other and y, which nothing else borrows.
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            y.as_mut_ptr(),
            1,
            b.columns as isize,
            add,
            a.values.as_ptr(),
            a_column,
            a_row,
            b.values.as_ptr(),
            b_column,
            b_row,
            keep,
            scale,
            conjugate,
            conjugate,
            conjugate,
            parallelism,
        );
    }
}

/// Runs `body` with the floats of a tensor on the CPU.
fn with<R>(tensor: &Tensor, body: impl FnOnce(&[f32]) -> Result<R>) -> Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        candle_core::Storage::Cpu(storage) => body(floats(storage, layout, "linear")?),
        _ => bail!("linear: not on the CPU"),
    }
}

struct Frozen {
    w: Tensor,
}

impl CustomOp1 for Frozen {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = floats(x, layout, self.name())?;
        let (rows, (outputs, _)) = (layout.dims()[0], self.w.dims2()?);
        let mut y = vec![0.0; rows * outputs];
        with(&self.w, |w| {
            product(&mut y, false, 1.0, Matrix::new(x, rows), Matrix::new(w, outputs).transposed());
            Ok(())
        })?;
        done(y, (rows, outputs))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(dy.matmul(&self.w)?))
    }
}

struct Adapted {
    w: Tensor,
    scale: f32,
}

impl CustomOp3 for Adapted {
    fn name(&self) -> &'static str {
        "adapted_linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (rows, rank) = (x_layout.dims()[0], a_layout.dims()[0]);
        let (outputs, _) = self.w.dims2()?;
        let x = Matrix::new(floats(x, x_layout, self.name())?, rows);
        let a = Matrix::new(floats(a, a_layout, self.name())?, rank).transposed();
        let b = Matrix::new(floats(b, b_layout, self.name())?, outputs).transposed();
        let (mut low, mut y) = (vec![0.0; rows * rank], vec![0.0; rows * outputs]);
        product(&mut low, false, self.scale, x, a);
        with(&self.w, |w| {
            product(&mut y, false, 1.0, x, Matrix::new(w, outputs).transposed());
            product(&mut y, true, 1.0, Matrix::new(&low, rows), b);
            Ok(())
        })?;
        done(y, (rows, outputs))
    }

    fn bwd(
        &self,
        x: &Tensor,
        a: &Tensor,
        b: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let scale = f64::from(self.scale);
        let dy = dy.contiguous()?;
        // (N, R) each: computed again rather than kept.
        let low = (x.matmul(&a.t()?)? * scale)?;
        let dlow = (dy.matmul(b)? * scale)?;
        let dx = dy.apply_op3_no_bwd(&dlow, a, &InputGradient { w: self.w.clone() })?;
        Ok((Some(dx), Some(dlow.t()?.matmul(x)?), Some(dy.t()?.matmul(&low)?)))
    }
}

/// dx = dy W + dlow A for dy (N, out), dlow (N, R), a (R, in).
struct InputGradient {
    w: Tensor,
}

impl CustomOp3 for InputGradient {
    fn name(&self) -> &'static str {
        "adapted_linear_input_gradient"
    }

    fn cpu_fwd(
        &self,
        dy: &CpuStorage,
        dy_layout: &Layout,
        dlow: &CpuStorage,
        dlow_layout: &Layout,
        a: &CpuStorage,
        a_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (rows, rank) = (dy_layout.dims()[0], a_layout.dims()[0]);
        let (outputs, inputs) = self.w.dims2()?;
        let dy = Matrix::new(floats(dy, dy_layout, self.name())?, rows);
        let dlow = Matrix::new(floats(dlow, dlow_layout, self.name())?, rows);
        let a = Matrix::new(floats(a, a_layout, self.name())?, rank);
        let mut dx = vec![0.0; rows * inputs];
        with(&self.w, |w| {
            product(&mut dx, false, 1.0, dy, Matrix::new(w, outputs));
            product(&mut dx, true, 1.0, dlow, a);
            Ok(())
        })?;
        done(dx, (rows, inputs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::ops::check::{compare, random};

    #[test]
    fn equals_the_product() {
        let (x, w) = (random((7, 9), 1), random((5, 9), 2).as_tensor().detach());
        let composed = |v: &[Tensor]| v[0].matmul(&w.t()?);
        compare(std::slice::from_ref(&x), |v| linear(&v[0], &w), composed);
        let w = random((5, 9), 2);
        compare(&[x, w], |v| linear(&v[0], &v[1]), |v| v[0].matmul(&v[1].t()?));
    }

    #[test]
    fn equals_the_products_of_lora() {
        for (rows, inputs, outputs, rank) in [(7, 9, 5, 2), (1, 1, 3, 1), (33, 20, 17, 8)] {
            let w = random((outputs, inputs), 2).as_tensor().detach();
            let inputs = [random((rows, inputs), 1), random((rank, inputs), 3), random((outputs, rank), 4)];
            let composed = |v: &[Tensor]| {
                let low = v[0].matmul(&v[1].t()?)?.matmul(&v[2].t()?)?;
                v[0].matmul(&w.t()?)? + (low * 0.75)?
            };
            compare(&inputs, |v| adapted_linear(&v[0], &w, &v[1], &v[2], 0.75), composed);
        }
    }
}
