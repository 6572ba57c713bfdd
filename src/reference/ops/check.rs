//! Compares a fused operation with candle's composed one, values and gradients.

use candle_core::{Device, Result, Shape, Tensor, Var};
use rand::RngExt;

use crate::data::corpus::Corpus;

/// Numbers between -1.5 and 1.5.
pub fn random(shape: impl Into<Shape>, seed: u64) -> Var {
    let shape = shape.into();
    let mut rng = Corpus::generator(seed, 0);
    let values: Vec<f32> = (0..shape.elem_count()).map(|_| rng.random_range(-1.5..1.5)).collect();
    Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu).unwrap()).unwrap()
}

/// Asserts that two tensors are equal but for rounding.
pub fn close(a: &Tensor, b: &Tensor) {
    assert_eq!(a.dims(), b.dims());
    let values = |x: &Tensor| x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    for (a, b) in values(a).iter().zip(values(b)) {
        assert!((a - b).abs() <= 2e-5 * (1.0 + b.abs()), "{a} {b}");
    }
}

/// Asserts that `fused` and `composed` have the same values and the same gradients.
pub fn compare(
    inputs: &[Var],
    fused: impl Fn(&[Tensor]) -> Result<Tensor>,
    composed: impl Fn(&[Tensor]) -> Result<Tensor>,
) {
    let tensors: Vec<Tensor> = inputs.iter().map(|var| var.as_tensor().clone()).collect();
    let (ours, theirs) = (fused(&tensors).unwrap(), composed(&tensors).unwrap());
    close(&ours, &theirs);
    // A weighted sum, so that every element's gradient is another number.
    let weights = random(ours.shape().clone(), 99);
    let gradients = |y: &Tensor| (y * weights.as_tensor()).unwrap().sum_all().unwrap().backward().unwrap();
    let (ours, theirs) = (gradients(&ours), gradients(&theirs));
    for var in inputs {
        close(ours.get(var).unwrap(), theirs.get(var).unwrap());
    }
}
