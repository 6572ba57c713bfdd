//! What several seeds say about a figure.

use crate::record::Spread;

impl Spread {
    /// Of one value a seed.
    pub fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n.max(1.0);
        let sd = variance(values, mean).sqrt();
        let ci = if values.len() > 1 { student(n - 1.0) * sd / n.sqrt() } else { 0.0 };
        Self { mean: mean as f32, sd: sd as f32, ci: ci as f32 }
    }
}

fn variance(values: &[f64], mean: f64) -> f64 {
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    squares / (values.len() as f64 - 1.0).max(1.0)
}

/// The mean difference `b - a`, the half width of its 95 % interval (Welch), and the noise floor: how much two
/// seeds of the same side differ on average. `None` for the interval with fewer than two seeds on a side.
pub fn difference(a: &[f64], b: &[f64]) -> (f64, Option<f64>, Option<f64>) {
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len().max(1) as f64;
    let (ma, mb) = (mean(a), mean(b));
    if a.len() < 2 || b.len() < 2 {
        return (mb - ma, None, None);
    }
    let part = |v: &[f64], m: f64| variance(v, m) / v.len() as f64;
    let (va, vb) = (part(a, ma), part(b, mb));
    let freedom = match va + vb > 0.0 {
        true => (va + vb).powi(2) / (va.powi(2) / (a.len() - 1) as f64 + vb.powi(2) / (b.len() - 1) as f64),
        false => (a.len() + b.len() - 2) as f64,
    };
    let pairs = |v: &[f64]| -> Vec<f64> {
        (0..v.len()).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| (v[i] - v[j]).abs()).collect()
    };
    let noise = [pairs(a), pairs(b)].concat();
    (mb - ma, Some(student(freedom) * (va + vb).sqrt()), Some(mean(&noise)))
}

/// Two-sided 95 % quantile of Student's t; Cornish and Fisher's expansion beyond the table, exact to 0.1 %.
fn student(freedom: f64) -> f64 {
    const TABLE: [f64; 5] = [12.706, 4.303, 3.182, 2.776, 2.571];
    if freedom < 5.0 {
        // Between whole degrees of freedom linear in 1/f, nearly exact.
        let f = freedom.max(1.0);
        let (low, high) = (f.floor(), f.floor() + 1.0);
        let share = (1.0 / low - 1.0 / f) / (1.0 / low - 1.0 / high);
        let (a, b) = (TABLE[low as usize - 1], TABLE[(high as usize - 1).min(4)]);
        return a + share * (b - a);
    }
    let z: f64 = 1.959_964;
    z + (z.powi(3) + z) / (4.0 * freedom)
        + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * freedom * freedom)
        + (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / (384.0 * freedom.powi(3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_students() {
        let s = Spread::of(&[1.0, 2.0, 3.0]);
        assert_eq!((s.mean, s.sd), (2.0, 1.0));
        assert!((s.ci - 2.484).abs() < 1e-3, "{s:?}");
        for (freedom, want) in [(1.0, 12.706), (4.0, 2.776), (5.0, 2.571), (10.0, 2.228), (30.0, 2.042)] {
            assert!((student(freedom) / want - 1.0).abs() < 2e-3, "{freedom}: {}", student(freedom));
        }
        assert!(student(2.5) < 4.303 && student(2.5) > 3.182);
    }

    /// Welch's test of two samples as SciPy computes it.
    #[test]
    fn difference_is_welchs() {
        let (a, b) = ([1.0, 2.0, 3.0], [4.0, 6.0, 9.0]);
        let (difference, margin, noise) = difference(&a, &b);
        assert!((difference - 4.333).abs() < 1e-3);
        // s²/n: 1/3 and 6.333/3, f = 2.61.
        assert!((margin.unwrap() / 1.5635 - 3.46).abs() < 0.15, "{margin:?}");
        assert!((noise.unwrap() - (4.0 / 3.0 + 10.0 / 3.0) / 2.0).abs() < 1e-9, "{noise:?}");
        assert_eq!(super::difference(&[1.0], &b).1, None);
    }
}
