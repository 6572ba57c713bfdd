//! How training changed each matrix: by how much, in how many directions (Biderman et al., arXiv 2405.09673, find full
//! tuning's changes of far higher rank than LoRA's), and whether its largest singular vectors are new ones.

use super::spectrum::{Intruders, Svd, rank};
use crate::model::config::LlamaConfig;
use crate::model::weights::Array;
use crate::record::{MatrixChange, Spectrum};

/// Share of the variance of a change that its [`MatrixChange::rank90`] directions hold.
const SHARE: f64 = 0.9;

/// The linear layers whose weights are looked at, layer by layer.
pub fn linears(config: &LlamaConfig) -> Vec<String> {
    let names = config.linears().map(|(name, _)| name);
    let of = |layer| names.map(|name| format!("model.layers.{layer}.{name}"));
    (0..config.num_hidden_layers).flat_map(of).collect()
}

/// What training did to one weight (out, in): the record's figures, and its intruder dimensions, of which a weight that is not
/// finite has none. `svd` is the base's, whole.
pub fn look(name: &str, base: &Array, svd: &Svd, tuned: &Array) -> (MatrixChange, Option<Intruders>) {
    let delta: Vec<f32> = tuned.data.iter().zip(&base.data).map(|(t, b)| t - b).collect();
    let square = |values: &[f32]| values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
    let relative = (square(&delta) / square(&base.data).max(f64::MIN_POSITIVE)).sqrt();
    let delta = Array { shape: base.shape.clone(), data: delta };
    let mut change = MatrixChange {
        name: name.into(),
        relative: relative as f32,
        rank90: 0,
        of: base.shape[0].min(base.shape[1]) as u32,
        intruders: None,
        spectrum: None,
    };
    if !relative.is_finite() {
        return (change, None);
    }
    change.rank90 = rank(&delta, SHARE) as u32;
    let largest = Svd::of(tuned, Spectrum::LARGEST);
    let nearest = largest.nearest(svd);
    let intruders = largest.intruders(&nearest);
    let short = |values: &[f64]| values.iter().take(Spectrum::LARGEST).map(|v| *v as f32).collect();
    change.intruders = Some(intruders.count() as u32);
    change.spectrum =
        Some(Spectrum { base: short(&svd.values), tuned: short(&largest.values), nearest: short(&nearest) });
    (change, Some(intruders))
}

/// Mean number of intruder dimensions of these matrices; nothing where a matrix was not looked at for them.
pub fn mean_intruders(matrices: &[MatrixChange]) -> Option<f32> {
    let sum = matrices.iter().map(|matrix| matrix.intruders).sum::<Option<u32>>()?;
    (!matrices.is_empty()).then(|| sum as f32 / matrices.len() as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn change_is_relative_to_the_base() {
        let array = |data: &[f32]| Array::new(vec![2, 2], data.to_vec()).unwrap();
        let base = array(&[3.0, 0.0, 0.0, 4.0]);
        let svd = Svd::of(&base, 2);
        let (change, _) = look("q", &base, &svd, &array(&[3.0, 0.5, 0.0, 4.0]));
        assert_eq!((change.relative, change.rank90, change.of), (0.1, 1, 2));
        let (change, intruders) = look("q", &base, &svd, &array(&[3.0, f32::NAN, 0.0, 4.0]));
        assert!(change.relative.is_nan() && change.intruders.is_none() && intruders.is_none());
    }

    #[test]
    fn intruders_are_counted_a_matrix() {
        let of = |intruders: Option<u32>| MatrixChange { intruders, ..MatrixChange::default() };
        assert_eq!(mean_intruders(&[of(Some(1)), of(Some(2))]), Some(1.5));
        assert_eq!(mean_intruders(&[of(Some(1)), of(None)]), None);
        assert_eq!(mean_intruders(&[]), None);
    }
}
