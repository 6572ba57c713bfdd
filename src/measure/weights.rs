//! How training changed each matrix: by how much, and in how many directions. Biderman et al. (arXiv 2405.09673)
//! find full tuning's changes of far higher rank than LoRA's.

use nalgebra::DMatrix;

use crate::model::config::LlamaConfig;
use crate::model::weights::{Array, Weights};
use crate::record::MatrixChange;

/// The linear layers' changes from `base` to `tuned`, layer by layer.
pub fn changes(config: &LlamaConfig, base: &Weights, tuned: &Weights) -> Vec<MatrixChange> {
    let linears = config.linears();
    let names = (0..config.num_hidden_layers)
        .flat_map(|i| linears.iter().map(move |(name, _)| format!("model.layers.{i}.{name}")));
    let change = |name: String| {
        let key = format!("{name}.weight");
        let (base, tuned) = (base.get(&key)?, tuned.get(&key)?);
        Some(matrix_change(name, base, tuned))
    };
    names.filter_map(change).collect()
}

fn matrix_change(name: String, base: &Array, tuned: &Array) -> MatrixChange {
    let delta: Vec<f32> = tuned.data.iter().zip(&base.data).map(|(t, b)| t - b).collect();
    let square = |values: &[f32]| values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
    let relative = (square(&delta) / square(&base.data).max(f64::MIN_POSITIVE)).sqrt();
    let (rows, columns) = (base.shape[0], base.shape[1]);
    MatrixChange {
        name,
        relative: relative as f32,
        rank90: rank(&delta, rows, columns, 0.9) as u32,
        of: rows.min(columns) as u32,
    }
}

/// The fewest singular values of a matrix (rows, columns) that hold this share of the sum of their squares; 0
/// for zeros.
fn rank(values: &[f32], rows: usize, columns: usize, share: f64) -> usize {
    let matrix = DMatrix::from_row_slice(rows, columns, values);
    // The squares of the singular values are the eigenvalues of the smaller of the two products.
    let gram = if rows < columns { &matrix * matrix.transpose() } else { matrix.tr_mul(&matrix) };
    let mut squares: Vec<f64> = gram.symmetric_eigenvalues().iter().map(|v| f64::from(*v).max(0.0)).collect();
    squares.sort_by(|a, b| b.total_cmp(a));
    let wanted = share * squares.iter().sum::<f64>();
    let mut sum = 0.0;
    let enough = |square: &f64| {
        sum += square;
        sum >= wanted
    };
    if wanted == 0.0 { 0 } else { squares.iter().position(enough).map_or(0, |i| i + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rank_counts_directions() {
        // Three directions of equal size hold 90 % only together; one far larger one holds it alone.
        let diagonal = |d: [f32; 3]| {
            let mut m = vec![0.0; 3 * 5];
            (0..3).for_each(|i| m[i * 5 + i] = d[i]);
            m
        };
        assert_eq!(rank(&diagonal([1.0, 1.0, 1.0]), 3, 5, 0.9), 3);
        assert_eq!(rank(&diagonal([9.0, 1.0, 1.0]), 3, 5, 0.9), 1);
        assert_eq!(rank(&diagonal([9.0, 1.0, 1.0]), 5, 3, 0.9), 1);
        assert_eq!(rank(&[0.0; 15], 3, 5, 0.9), 0);
    }

    #[test]
    fn change_is_relative_to_the_base() {
        let array = |data: &[f32]| Array::new(vec![2, 2], data.to_vec()).unwrap();
        let change = matrix_change("q".into(), &array(&[3.0, 0.0, 0.0, 4.0]), &array(&[3.0, 0.5, 0.0, 4.0]));
        assert_eq!((change.relative, change.rank90, change.of), (0.1, 1, 2));
    }
}
