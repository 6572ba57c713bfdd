//! Singular values and vectors of weights, and which of a tuned weight's are new: intruder dimensions (Shuttleworth et al.,
//! arXiv 2410.21228, and PEFT's `tuners/lora/intruders.py`).
//!
//! All of them are computed, in f64, as the eigenvectors of the smaller of W W^T and W^T W. That takes no longer than a
//! randomised method where a page can train: 12 ms for 192 x 192, 0.4 s for 576 x 576 in WebAssembly.

use std::cmp::Ordering;

use nalgebra::DMatrix;

use crate::model::weights::Array;
use crate::record::Spectrum;

/// Part of a weight W (M,N) = U diag(s) V^T; K is the smaller of M and N.
pub struct Svd {
    /// All K singular values, falling.
    pub values: Vec<f64>,
    /// The left singular vectors of the largest of them, (M, at most K).
    left: DMatrix<f64>,
}

impl Svd {
    /// The values and the first `most` vectors. The weight must be finite.
    pub fn of(weight: &Array, most: usize) -> Self {
        let w = matrix(weight);
        let eigen = gram(&w).symmetric_eigen();
        let mut order: Vec<usize> = (0..eigen.eigenvalues.len()).collect();
        order.sort_by(|&a, &b| falling(eigen.eigenvalues[a], eigen.eigenvalues[b]));
        let values = order.iter().map(|&i| eigen.eigenvalues[i].max(0.0).sqrt()).collect();
        order.truncate(most);
        let vectors = eigen.eigenvectors.select_columns(&order);
        if is_wide(&w) {
            return Self { values, left: vectors };
        }
        let mut left = &w * vectors;
        left.column_iter_mut().for_each(|mut u| {
            u.try_normalize_mut(f64::MIN_POSITIVE);
        });
        Self { values, left }
    }

    /// For each of these vectors the largest |cos| of its angle to any of `base`'s.
    pub fn nearest(&self, base: &Self) -> Vec<f64> {
        base.left.tr_mul(&self.left).column_iter().map(|cosines| cosines.amax()).collect()
    }

    /// Those of these vectors that are intruders, by what [`Self::nearest`] gave.
    pub fn intruders(&self, nearest: &[f64]) -> Intruders {
        let new = |(i, cosine): (usize, &f64)| (*cosine < Spectrum::INTRUDER).then_some(i);
        let columns: Vec<usize> = nearest.iter().enumerate().filter_map(new).collect();
        Intruders(self.left.select_columns(&columns))
    }
}

/// The left singular vectors of a tuned weight (M,N) that are intruders, (M,n).
pub struct Intruders(DMatrix<f64>);

impl Intruders {
    pub fn count(&self) -> usize {
        self.0.ncols()
    }

    /// Leaves `share` of each in the weight that they are of: `W - (1 - share) sum_j s_j u_j v_j^T`, where
    /// `s_j v_j^T = u_j^T W`.
    pub fn scale(&self, weight: &mut Array, share: f64) {
        let w = matrix(weight);
        let scaled = &w - &self.0 * self.0.tr_mul(&w) * (1.0 - share);
        // nalgebra's matrices lie column by column.
        let rows = scaled.transpose();
        weight.data.iter_mut().zip(rows.iter()).for_each(|(value, new)| *value = *new as f32);
    }
}

/// The fewest singular values that hold this share of the sum of their squares; 0 for zeros. The weight must be finite.
pub fn rank(weight: &Array, share: f64) -> usize {
    let eigenvalues = gram(&matrix(weight)).symmetric_eigenvalues();
    let mut squares: Vec<f64> = eigenvalues.iter().map(|v| v.max(0.0)).collect();
    squares.sort_by(|a, b| falling(*a, *b));
    let wanted = share * squares.iter().sum::<f64>();
    let mut sum = 0.0;
    let enough = |square: &f64| {
        sum += square;
        sum >= wanted
    };
    if wanted == 0.0 { 0 } else { squares.iter().position(enough).map_or(0, |i| i + 1) }
}

fn is_wide(w: &DMatrix<f64>) -> bool {
    w.nrows() <= w.ncols()
}

/// The smaller of W W^T and W^T W: its eigenvalues are the squares of W's singular values.
fn gram(w: &DMatrix<f64>) -> DMatrix<f64> {
    if is_wide(w) { w * w.transpose() } else { w.transpose() * w }
}

fn matrix(weight: &Array) -> DMatrix<f64> {
    DMatrix::from_row_iterator(weight.shape[0], weight.shape[1], weight.data.iter().map(|v| f64::from(*v)))
}

fn falling(a: f64, b: f64) -> Ordering {
    b.total_cmp(&a)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// diag(m, m-1, …) in the first columns of zeros: its left singular vectors are the unit vectors.
    fn diagonal(rows: usize, columns: usize) -> Array {
        let mut weight = Array { shape: vec![rows, columns], data: vec![0.0; rows * columns] };
        for i in 0..rows.min(columns) {
            weight.data[i * columns + i] = (rows.min(columns) - i) as f32;
        }
        weight
    }

    /// `weight` and `size` u v^T.
    fn with(weight: &Array, size: f32, u: &[f32], v: &[f32]) -> Array {
        let mut sum = weight.clone();
        for (row, u) in sum.data.chunks_mut(v.len()).zip(u) {
            row.iter_mut().zip(v).for_each(|(w, v)| *w += size * u * v);
        }
        sum
    }

    /// Equal parts of the first `of` of `n` unit vectors.
    fn mixed(of: usize, n: usize) -> Vec<f32> {
        (0..n).map(|i| if i < of { (of as f32).sqrt().recip() } else { 0.0 }).collect()
    }

    fn intruders(base: &Array, tuned: &Array) -> (Intruders, Vec<f64>) {
        let largest = Svd::of(tuned, Spectrum::LARGEST);
        let nearest = largest.nearest(&Svd::of(base, usize::MAX));
        (largest.intruders(&nearest), nearest)
    }

    /// A direction of its own row and column, which no singular vector of the base has any part in.
    #[test]
    fn a_large_new_direction_is_an_intruder_and_is_all_that_scaling_changes() {
        let mut base = Array { shape: vec![16, 13], data: vec![0.0; 16 * 13] };
        (0..12).for_each(|i| base.data[i * 13 + i] = (12 - i) as f32);
        let (mut u, mut v) = (vec![0.0; 16], vec![0.0; 13]);
        (u[14], v[12]) = (1.0, 1.0);
        let tuned = with(&base, 50.0, &u, &v);
        let (found, nearest) = intruders(&base, &tuned);
        assert!(nearest[0] < 1e-9 && nearest[1..].iter().all(|cosine| *cosine > 0.999), "{nearest:?}");
        assert_eq!(found.count(), 1);
        for share in [0.0, 0.7, 1.0] {
            let mut scaled = tuned.clone();
            found.scale(&mut scaled, share);
            let want = with(&base, 50.0 * share as f32, &u, &v);
            let pairs = scaled.data.iter().zip(&want.data);
            pairs.for_each(|(got, want)| assert!((got - want).abs() < 1e-5, "{got}, not {want}"));
        }
    }

    /// Three known directions in equal parts are 1/sqrt(3) = 0.58 near to each, five 0.45.
    #[test]
    fn a_mixture_of_few_known_directions_is_none() {
        for (rows, columns) in [(24, 24), (24, 40), (40, 24)] {
            let base = diagonal(rows, columns);
            for (of, count) in [(1, 0), (3, 0), (5, 1)] {
                let tuned = with(&base, 1e4, &mixed(of, rows), &mixed(of, columns));
                let (found, nearest) = intruders(&base, &tuned);
                assert!((nearest[0] - (of as f64).sqrt().recip()).abs() < 1e-2, "{of}: {nearest:?}");
                assert_eq!(usize::from(nearest[0] < Spectrum::INTRUDER), count, "{of}");
                assert!(found.count() >= count);
            }
            let (found, nearest) = intruders(&base, &base);
            assert!(nearest.iter().all(|cosine| (cosine - 1.0).abs() < 1e-9), "{nearest:?}");
            assert_eq!(found.count(), 0);
        }
    }

    #[test]
    fn values_are_all_there_and_fall() {
        for (rows, columns) in [(3, 5), (5, 3), (4, 4)] {
            let svd = Svd::of(&diagonal(rows, columns), 2);
            let want: Vec<f64> = (1..=rows.min(columns)).rev().map(|value| value as f64).collect();
            assert!(
                svd.values.iter().zip(&want).all(|(got, want)| (got - want).abs() < 1e-9),
                "{:?}",
                svd.values
            );
            assert_eq!((svd.values.len(), svd.left.shape()), (want.len(), (rows, 2)));
        }
    }

    #[test]
    fn rank_counts_directions() {
        // Three directions of equal size hold 90 % only together; one far larger one holds it alone.
        let of = |values: [f32; 3], shape: [usize; 2]| {
            let mut data = vec![0.0; 15];
            (0..3).for_each(|i| data[i * shape[1] + i] = values[i]);
            rank(&Array { shape: shape.to_vec(), data }, 0.9)
        };
        assert_eq!(of([1.0, 1.0, 1.0], [3, 5]), 3);
        assert_eq!(of([9.0, 1.0, 1.0], [3, 5]), 1);
        assert_eq!(of([9.0, 1.0, 1.0], [5, 3]), 1);
        assert_eq!(of([0.0; 3], [3, 5]), 0);
    }
}
