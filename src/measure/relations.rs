//! What the checkpoints of an experiment's runs show together: frontiers, fits and best rates.

use std::collections::BTreeMap;

use nalgebra::{DMatrix, DVector};

use crate::record::{Checkpoint, Fit, Frontier, Interval, Metric, Optimum, Spread, SummaryArm};

/// Each arm's frontier of what is learned and kept.
pub fn frontiers(checkpoints: &[Checkpoint], arms: &[SummaryArm], goal: Metric) -> Vec<Frontier> {
    let point = |c: &&Checkpoint| Some((c.learned(goal)?, f64::from(c.recall_cloze)));
    let start = checkpoints.iter().find(|c| c.step == 0).and_then(|c| c.learned(goal));
    let of = |arm: &SummaryArm| {
        let own: Vec<&Checkpoint> = checkpoints.iter().filter(|c| c.arm == arm.id).collect();
        let mut seeds: BTreeMap<u32, Vec<(f64, f64)>> = BTreeMap::new();
        for c in &own {
            seeds.entry(c.seed).or_default().extend(point(c));
        }
        let areas: Vec<f64> = seeds.values().map(|points| area(points, start.unwrap_or(0.0))).collect();
        let all: Vec<(f64, f64)> = own.iter().filter_map(point).collect();
        let corners = corners(&all).into_iter().map(|(x, y)| [goal.learned(x) as f32, y as f32]).collect();
        let seeds = areas.len() as u32;
        (seeds > 0).then(|| Frontier { arm: arm.id.clone(), area: Spread::of(&areas), seeds, corners })
    };
    arms.iter().filter_map(of).collect()
}

/// The points that no other one beats in both coordinates, from the left to the right.
fn corners(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut sorted: Vec<(f64, f64)> =
        points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
    sorted.sort_by(|a, b| (b.0, b.1).partial_cmp(&(a.0, a.1)).unwrap_or(std::cmp::Ordering::Equal));
    let mut highest = f64::NEG_INFINITY;
    sorted.retain(|(_, y)| {
        let is_corner = *y > highest;
        highest = highest.max(*y);
        is_corner
    });
    sorted.reverse();
    sorted
}

/// The area that points dominate, to the right of `from` and above 0: the hypervolume of their frontier.
fn area(points: &[(f64, f64)], from: f64) -> f64 {
    let mut left = from;
    let mut sum = 0.0;
    for (x, y) in corners(points) {
        sum += (x - left).max(0.0) * y;
        left = left.max(x);
    }
    sum
}

/// How facts lost follow from each divergence that was measured, over all checkpoints after the start.
pub fn fits(checkpoints: &[Checkpoint]) -> Vec<Fit> {
    let Some(start) = checkpoints.iter().find(|c| c.step == 0) else { return Vec::new() };
    let fit = |metric| {
        let point = |c: &Checkpoint| {
            let divergence = if metric == Metric::KlTask { c.kl_task? } else { c.kl };
            Some((f64::from(divergence), f64::from(start.recall_cloze - c.recall_cloze)))
        };
        let moved = checkpoints.iter().filter(|c| c.step > 0 && c.strength != Some(0.0));
        let points: Vec<(f64, f64)> =
            moved.filter_map(point).filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
        let (coefficients, r2) = quadratic(&points)?;
        let coefficients = coefficients.map(|c| c as f32);
        Some(Fit { metric, coefficients, r2: r2 as f32, n: points.len() as u32 })
    };
    [Metric::KlTask, Metric::Kl].into_iter().filter_map(fit).collect()
}

/// Least squares of `y = c0 + c1 x + c2 x²`, and R²; none of fewer than four points, or where x or y does not vary.
fn quadratic(points: &[(f64, f64)]) -> Option<([f64; 3], f64)> {
    let n = points.len();
    let mean = points.iter().map(|p| p.1).sum::<f64>() / n as f64;
    let total: f64 = points.iter().map(|p| (p.1 - mean).powi(2)).sum();
    if n < 4 || total == 0.0 {
        return None;
    }
    let x = DMatrix::from_fn(n, 3, |i, power| points[i].0.powi(power as i32));
    let y = DVector::from_iterator(n, points.iter().map(|p| p.1));
    let svd = x.clone().svd(true, true);
    if svd.rank(1e-12 * svd.singular_values.max()) < 3 {
        return None;
    }
    let c = svd.solve(&y, 0.0).ok()?;
    let rest = (&y - x * &c).norm_squared();
    Some(([c[0], c[1], c[2]], 1.0 - rest / total))
}

/// The best rate of each arm by the held-out loss of its last checkpoints; nothing where there are fewer than three rates.
pub fn optima(checkpoints: &[Checkpoint], arms: &[SummaryArm]) -> Vec<Optimum> {
    let ends = ends(checkpoints);
    // By arm and seed: the logarithm of the best rate.
    let best = |arm: &str| -> BTreeMap<u32, f64> {
        let mut seeds: BTreeMap<u32, Vec<(f64, f64)>> = BTreeMap::new();
        for c in ends.iter().filter(|c| c.arm == arm && c.heldout_loss.is_finite()) {
            seeds.entry(c.seed).or_default().push((f64::from(c.lr).ln(), f64::from(c.heldout_loss)));
        }
        seeds.into_iter().filter_map(|(seed, points)| Some((seed, lowest(points)?))).collect()
    };
    let first = arms.first().map(|arm| best(&arm.id)).unwrap_or_default();
    let of = |(i, arm): (usize, &SummaryArm)| {
        let own = best(&arm.id);
        let ratios: Vec<f64> = own.iter().filter_map(|(seed, rate)| Some(first.get(seed)? - rate)).collect();
        let rate = interval(&own.values().copied().collect::<Vec<_>>())?;
        let ratio = if i == 0 { None } else { interval(&ratios) };
        Some(Optimum { arm: arm.id.clone(), rate, ratio, seeds: own.len() as u32 })
    };
    arms.iter().enumerate().filter_map(of).collect()
}

/// The last checkpoint of each course.
fn ends(checkpoints: &[Checkpoint]) -> Vec<&Checkpoint> {
    let mut ends: Vec<&Checkpoint> = Vec::new();
    for c in checkpoints.iter().filter(|c| c.strength.is_none()) {
        let is_its = |e: &&mut &Checkpoint| {
            (&e.condition, e.fairness, &e.arm, e.lr, e.seed)
                == (&c.condition, c.fairness, &c.arm, c.lr, c.seed)
        };
        match ends.iter_mut().find(is_its) {
            Some(end) if end.step < c.step => *end = c,
            Some(_) => {}
            None => ends.push(c),
        }
    }
    ends
}

/// Where a parabola through the lowest point and its neighbours is lowest; the point itself at an end of the range. None of
/// fewer than three points.
fn lowest(mut points: Vec<(f64, f64)>) -> Option<f64> {
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (at, &(x, y)) = points.iter().enumerate().min_by(|a, b| a.1.1.total_cmp(&b.1.1))?;
    if points.len() < 3 {
        return None;
    }
    let (Some(left), Some(right)) = (at.checked_sub(1).map(|i| points[i]), points.get(at + 1)) else {
        return Some(x);
    };
    let ((a, b), (u, v)) = ((x - left.0, x - right.0), (y - left.1, y - right.1));
    let curvature = a * v - b * u;
    Some(if curvature == 0.0 { x } else { x - (a * a * v - b * b * u) / (2.0 * curvature) })
}

/// Of logarithms.
fn interval(logs: &[f64]) -> Option<Interval> {
    let Spread { mean, ci, .. } = (!logs.is_empty()).then(|| Spread::of(logs))?;
    Some(Interval { mean: mean.exp(), low: (mean - ci).exp(), high: (mean + ci).exp() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(arm: &str, lr: f32, seed: u32, step: u32, loss: f32, kept: f32) -> Checkpoint {
        Checkpoint {
            condition: "as they are".into(),
            fairness: None,
            arm: arm.into(),
            lr,
            seed,
            step,
            heldout_loss: loss,
            recall_cloze: kept,
            kl: step as f32 / 100.0,
            kl_task: None,
            recall_new: None,
            strength: None,
        }
    }

    fn arms() -> Vec<SummaryArm> {
        ["lora", "full"].map(|id| SummaryArm { id: id.into(), label: id.into() }).into()
    }

    #[test]
    fn a_frontier_has_what_no_other_beats() {
        let points = [(1.0, 0.5), (0.5, 1.0), (0.4, 0.9), (1.0, 0.4), (2.0, 0.1)];
        assert_eq!(corners(&points), [(0.5, 1.0), (1.0, 0.5), (2.0, 0.1)]);
        // 0.5 x 1 + 0.5 x 0.5 + 1 x 0.1
        assert!((area(&points, 0.0) - 0.85).abs() < 1e-12);
        assert!((area(&points, 0.75) - (0.25 * 0.5 + 0.1)).abs() < 1e-12);
        // Against a count of the cells of a fine grid that some point dominates.
        let cells = (0..400).flat_map(|i| {
            (0..200).map(move |j| ((f64::from(i) + 0.5) / 200.0, (f64::from(j) + 0.5) / 200.0))
        });
        let under = cells.filter(|(x, y)| points.iter().any(|p| p.0 >= *x && p.1 >= *y)).count();
        assert!((under as f64 / 40_000.0 - area(&points, 0.0)).abs() < 1e-2);
    }

    #[test]
    fn each_arm_has_its_frontier_over_its_seeds() {
        let all = [
            checkpoint("lora", 1e-3, 1, 0, 2.0, 1.0),
            checkpoint("lora", 1e-3, 1, 100, 1.0, 0.5),
            checkpoint("lora", 1e-3, 2, 100, 1.0, 0.7),
            checkpoint("lora", 1e-4, 1, 100, 1.5, 0.9),
        ];
        let [frontier] = &frontiers(&all, &arms(), Metric::HeldoutLoss)[..] else { panic!() };
        // Seed 1: 0.5 x 0.9 + 0.5 x 0.5; seed 2: 1 x 0.7.
        assert!((frontier.area.mean - 0.7).abs() < 1e-6 && frontier.seeds == 2, "{frontier:?}");
        assert_eq!(frontier.corners, [[2.0, 1.0], [1.5, 0.9], [1.0, 0.7]]);
        let new = Checkpoint { recall_new: Some(0.8), ..all[1].clone() };
        let frontier = &frontiers(&[new], &arms(), Metric::RecallNew)[0];
        assert!((frontier.area.mean - 0.4).abs() < 1e-6, "{frontier:?}");
    }

    /// `numpy.polyfit(x, y, 2)`.
    #[test]
    fn a_fit_is_least_squares() {
        let (x, y) = ([0.0, 0.1, 0.25, 0.4, 0.7, 1.1], [0.0, 0.02, 0.03, 0.12, 0.31, 0.5]);
        let points: Vec<(f64, f64)> = x.into_iter().zip(y).collect();
        let (c, r2) = quadratic(&points).unwrap();
        for (got, want) in c.iter().zip([-0.017_263_2, 0.301_266_6, 0.163_182_2]) {
            assert!((got - want).abs() < 1e-6, "{c:?}");
        }
        assert!((r2 - 0.983_446_6).abs() < 1e-6, "{r2}");
        assert!(quadratic(&points[..3]).is_none());
        assert!(quadratic(&[(1.0, 0.0), (1.0, 1.0), (1.0, 2.0), (1.0, 3.0)]).is_none());
    }

    #[test]
    fn a_fit_is_of_what_was_lost_since_the_start() {
        let all: Vec<Checkpoint> =
            (0..6).map(|i| checkpoint("full", 1e-3, 1, 100 * i, 1.0, 1.0 - 0.01 * (i * i) as f32)).collect();
        let [fit] = &fits(&all)[..] else { panic!("no divergence on the new task was measured") };
        assert!((fit.coefficients[2] - 0.01).abs() < 1e-5 && fit.r2 > 0.999_9, "{fit:?}");
        assert_eq!((fit.metric, fit.n), (Metric::Kl, 5));
    }

    #[test]
    fn the_best_rate_is_between_the_ones_tried() {
        // numpy.polyfit(log(rates), losses, 2) is lowest at 2.315502554e-4.
        let rates = [1e-4, 3e-4, 1e-3];
        let losses = [0.80, 0.76, 0.89];
        let points: Vec<(f64, f64)> = rates.map(f64::ln).into_iter().zip(losses).collect();
        assert!((lowest(points.clone()).unwrap().exp() / 2.315_502_554e-4 - 1.0).abs() < 1e-9);
        assert_eq!(lowest(points[..2].to_vec()), None);
        let edge = vec![(1.0, 0.1), (2.0, 0.2), (3.0, 0.3)];
        assert_eq!(lowest(edge), Some(1.0));
        // Ten times the rate gives the same losses: the ratio is 10, in every seed.
        let mut all = Vec::new();
        for seed in [1, 2] {
            for (rate, loss) in rates.iter().zip(losses) {
                let loss = loss as f32 + 0.001 * seed as f32;
                all.push(checkpoint("lora", *rate as f32, seed, 200, loss, 1.0));
                all.push(checkpoint("full", *rate as f32 / 10.0, seed, 200, loss, 1.0));
                all.push(checkpoint("full", *rate as f32 / 10.0, seed, 100, 9.0, 1.0));
            }
        }
        let [lora, full] = &optima(&all, &arms())[..] else { panic!() };
        assert_eq!((lora.ratio, lora.seeds), (None, 2));
        let ratio = full.ratio.unwrap();
        assert!((ratio.mean - 10.0).abs() < 1e-3 && (ratio.high - ratio.low).abs() < 1e-2, "{ratio:?}");
        assert!((lora.rate.mean / 2.3155e-4 - 1.0).abs() < 1e-3, "{lora:?}");
    }
}
