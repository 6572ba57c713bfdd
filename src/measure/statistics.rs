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

/// How far two sides are apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// `b - a`, of the means.
    pub mean: f64,
    pub between: Option<Between>,
}

/// What several seeds of each side say of their difference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Between {
    /// Half width of its 95 % interval (Welch).
    pub margin: f64,
    /// How much two seeds of the same side differ on average.
    pub noise: f64,
    /// How probable a difference of at least this size is if there is none (Welch, two-sided).
    pub p: f64,
}

/// With fewer than two seeds on a side there is no more than the difference.
pub fn difference(a: &[f64], b: &[f64]) -> Difference {
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len().max(1) as f64;
    let (ma, mb) = (mean(a), mean(b));
    if a.len() < 2 || b.len() < 2 {
        return Difference { mean: mb - ma, between: None };
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
    let error = (va + vb).sqrt();
    let p = if ma == mb { 1.0 } else { beyond((mb - ma).abs() / error, freedom) };
    Difference {
        mean: mb - ma,
        between: Some(Between { margin: student(freedom) * error, noise: mean(&noise), p }),
    }
}

/// How probable it is that Student's |t| is at least `t`: with t = √f tan θ its density is that of cos^(f-1) θ, which is added up
/// by Simpson's rule.
fn beyond(t: f64, freedom: f64) -> f64 {
    const PARTS: u32 = 2000;
    let density = |angle: f64| angle.cos().max(0.0).powf(freedom - 1.0);
    let area = |from: f64, to: f64| {
        let width = (to - from) / f64::from(PARTS);
        let weight = |i: u32| if i == 0 || i == PARTS { 1.0 } else { f64::from(2 + 2 * (i % 2)) };
        (0..=PARTS).map(|i| weight(i) * density(from + f64::from(i) * width)).sum::<f64>() * width / 3.0
    };
    let quarter = std::f64::consts::FRAC_PI_2;
    area((t / freedom.sqrt()).atan(), quarter) / area(0.0, quarter)
}

/// Holm's adjustment of the probabilities of several comparisons (Scandinavian Journal of Statistics 6, 1979): if those
/// below 5 % count as differences, the chance that any of them is not one is at most 5 %.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut adjusted = vec![0.0; p.len()];
    let mut largest: f64 = 0.0;
    for (done, i) in order.into_iter().enumerate() {
        largest = largest.max(((p.len() - done) as f64 * p[i]).min(1.0));
        adjusted[i] = largest;
    }
    adjusted
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
        let Difference { mean, between } = difference(&a, &b);
        let Between { margin, noise, p } = between.unwrap();
        assert!((mean - 4.333).abs() < 1e-3);
        // s²/n: 1/3 and 6.333/3, f = 2.61.
        assert!((margin / 1.5635 - 3.46).abs() < 0.15, "{margin:?}");
        assert!((noise - (4.0 / 3.0 + 10.0 / 3.0) / 2.0).abs() < 1e-9, "{noise:?}");
        assert!((p - 0.081_071_6).abs() < 1e-6, "{p}"); // ttest_ind(a, b, equal_var=False).pvalue
        assert_eq!(difference(&[1.0], &b).between, None);
        // Seeds that all give the same: nothing is between them, or everything.
        let p = |a: [f64; 2], b: [f64; 2]| difference(&a, &b).between.unwrap().p;
        assert_eq!((p([1.0, 1.0], [1.0, 1.0]), p([1.0, 1.0], [2.0, 2.0])), (1.0, 0.0));
    }

    /// Two-sided tails as SciPy's `2 * t.sf(t, f)` gives them.
    #[test]
    fn tails_are_students() {
        for (freedom, t, want) in [
            (1.3, 0.5, 0.688_507_8),
            (2.61, 2.77, 0.081_387_0),
            (4.0, 2.776, 0.050_022_8),
            (8.0, 5.0, 0.001_052_826),
            (8.0, 0.1, 0.922_804_9),
            (30.0, 10.0, 4.575_251e-11),
        ] {
            let got = beyond(t, freedom);
            assert!((got / want - 1.0).abs() < 1e-4, "{freedom} {t}: {got} {want}");
        }
    }

    /// As R's `p.adjust(p, "holm")` does.
    #[test]
    fn many_comparisons_are_adjusted_for() {
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005, 0.6]);
        for (got, want) in adjusted.iter().zip([0.04, 0.09, 0.09, 0.025, 0.6]) {
            assert!((got - want).abs() < 1e-12, "{adjusted:?}");
        }
        assert!(holm(&[]).is_empty());
    }
}
