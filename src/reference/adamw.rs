//! AdamW over named parameters, with gradient clipping.

use std::collections::BTreeMap;

use candle_core::backprop::GradStore;
use candle_core::{Device, Tensor, Var};

use crate::error::{Error, Result};

/// Constants of AdamW (Loshchilov and Hutter, arXiv 1711.05101).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWConfig {
    pub beta1: f64,
    pub beta2: f64,
    pub eps: f64,
    /// Applied to all but the norms' weights.
    pub weight_decay: f64,
    /// Largest global norm of the gradient; larger ones are scaled down. 0 turns clipping off.
    pub clip: f64,
}

/// First and second moment of one parameter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moments {
    pub first: Vec<f32>,
    pub second: Vec<f32>,
}

/// The optimizer's state.
pub struct AdamW {
    config: AdamWConfig,
    /// Number of steps taken.
    pub step: usize,
    /// By parameter name.
    pub moments: BTreeMap<String, Moments>,
}

impl AdamW {
    /// An optimizer that has taken no step.
    pub fn new(config: AdamWConfig) -> Self {
        AdamW { config, step: 0, moments: BTreeMap::new() }
    }

    /// One step at learning rate `rate`; returns the gradient's norm before clipping.
    pub fn update(
        &mut self,
        parameters: &BTreeMap<String, Var>,
        gradients: &GradStore,
        rate: f64,
    ) -> Result<f64> {
        let mut flat = Vec::with_capacity(parameters.len());
        for (name, var) in parameters {
            let gradient = gradients
                .get(var.as_tensor())
                .ok_or_else(|| Error::Shape { op: "adamw", message: format!("{name} has no gradient") })?;
            flat.push(gradient.flatten_all()?.to_vec1::<f32>()?);
        }
        let square = |gradient: &Vec<f32>| gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>();
        let norm = flat.iter().map(square).sum::<f64>().sqrt();
        let clipped = self.config.clip > 0.0 && norm > self.config.clip;
        let scale = if clipped { self.config.clip / norm } else { 1.0 } as f32;
        self.step += 1;
        for ((name, var), gradient) in parameters.iter().zip(&flat) {
            let moments = self.moments.entry(name.clone()).or_default();
            moments.first.resize(gradient.len(), 0.0);
            moments.second.resize(gradient.len(), 0.0);
            let decay = if name.ends_with("norm.weight") { 0.0 } else { self.config.weight_decay };
            let mut values = var.flatten_all()?.to_vec1::<f32>()?;
            let rates = Rates::new(&self.config, self.step, rate, decay, scale);
            rates.apply(gradient, moments, &mut values);
            var.set(&Tensor::from_vec(values, var.shape(), &Device::Cpu)?)?;
        }
        Ok(norm)
    }
}

/// The numbers of one step that are the same for every element of a parameter.
struct Rates {
    beta1: f32,
    beta2: f32,
    eps: f32,
    /// Learning rate over the first moment's bias correction.
    step_size: f32,
    /// 1 / sqrt of the second moment's bias correction.
    second_scale: f32,
    /// 1 - rate * decay.
    keep: f32,
    /// Factor of the gradient.
    scale: f32,
}

impl Rates {
    fn new(config: &AdamWConfig, step: usize, rate: f64, decay: f64, scale: f32) -> Self {
        let power = step.min(i32::MAX as usize) as i32;
        Rates {
            beta1: config.beta1 as f32,
            beta2: config.beta2 as f32,
            eps: config.eps as f32,
            step_size: (rate / (1.0 - config.beta1.powi(power))) as f32,
            second_scale: (1.0 / (1.0 - config.beta2.powi(power)).sqrt()) as f32,
            keep: (1.0 - rate * decay) as f32,
            scale,
        }
    }

    fn apply(&self, gradient: &[f32], moments: &mut Moments, values: &mut [f32]) {
        let state = moments.first.iter_mut().zip(&mut moments.second);
        for ((value, gradient), (m, v)) in values.iter_mut().zip(gradient).zip(state) {
            let g = gradient * self.scale;
            *m = self.beta1 * *m + (1.0 - self.beta1) * g;
            *v = self.beta2 * *v + (1.0 - self.beta2) * g * g;
            *value = *value * self.keep - self.step_size * *m / (v.sqrt() * self.second_scale + self.eps);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: AdamWConfig =
        AdamWConfig { beta1: 0.9, beta2: 0.95, eps: 1e-8, weight_decay: 0.1, clip: 1.0 };

    #[test]
    fn first_step_moves_by_the_rate() {
        let rates = Rates::new(&CONFIG, 1, 0.01, 0.0, 1.0);
        let mut moments = Moments { first: vec![0.0; 2], second: vec![0.0; 2] };
        let mut values = vec![1.0, 1.0];
        rates.apply(&[0.5, -20.0], &mut moments, &mut values);
        assert!((values[0] - 0.99).abs() < 1e-6 && (values[1] - 1.01).abs() < 1e-6, "{values:?}");
    }

    #[test]
    fn clipping_and_decay() {
        let var = Var::from_slice(&[3f32, 4.0], (1, 2), &Device::Cpu).unwrap();
        let loss = (var.as_tensor().sqr().unwrap() * 0.5).unwrap().sum_all().unwrap();
        let parameters = BTreeMap::from([("w".to_string(), var.clone())]);
        let mut optimizer = AdamW::new(CONFIG);
        let norm = optimizer.update(&parameters, &loss.backward().unwrap(), 0.1).unwrap();
        assert!((norm - 5.0).abs() < 1e-6);
        assert!((optimizer.moments["w"].first[0] - 0.06).abs() < 1e-6, "0.1 * 3 / 5");
        let values = var.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert!((values[0] - (3.0 * 0.99 - 0.1)).abs() < 1e-5);
    }
}
