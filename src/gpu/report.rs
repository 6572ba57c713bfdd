//! What a plan consists of, for `driftscope bench` and tests.

use super::plan::Plan;
use super::product::Product;

/// Dispatches and operations of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanReport {
    pub dispatches: usize,
    /// Of one layer's forward pass: from its first norm to that of the next layer.
    pub layer_forward: usize,
    /// Of one layer's backward pass; 0 where the plan has none, or where one layer cannot be distinguished from the rest.
    pub layer_backward: usize,
    /// Operations of matrix products, attention's and LoRA's included.
    pub flop: f64,
    /// Each distinct product of the general kernels, and how often it occurs.
    pub products: Vec<(Product, usize)>,
}

impl PlanReport {
    /// Of plans that run in sequence.
    pub fn of(plans: &[&Plan]) -> Self {
        let mut products: Vec<(Product, usize)> = Vec::new();
        for product in plans.iter().flat_map(|p| p.work()).filter_map(|w| w.product) {
            match products.iter_mut().find(|(p, _)| *p == product) {
                Some((_, count)) => *count += 1,
                None => products.push((product, 1)),
            }
        }
        let labels: Vec<&str> = plans.iter().flat_map(|p| p.labels()).collect();
        Self {
            dispatches: labels.len(),
            // Two norms a layer.
            layer_forward: distance(&labels, "rmsnorm_forward", 2),
            layer_backward: distance(&labels, "swiglu_backward", 1),
            flop: plans.iter().flat_map(|p| p.work()).map(|w| w.flop).sum(),
            products,
        }
    }
}

/// Dispatches between the first of `label` and the `nth` after it.
fn distance(labels: &[&str], label: &str, nth: usize) -> usize {
    let mut at = labels.iter().enumerate().filter(|(_, l)| **l == label).map(|(i, _)| i);
    match (at.next(), at.nth(nth - 1)) {
        (Some(first), Some(later)) => later - first,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_repeat() {
        let labels = ["embed", "norm", "a", "norm", "b", "b", "norm", "head"];
        assert_eq!(distance(&labels, "norm", 2), 5);
        assert_eq!(distance(&labels, "head", 1), 0);
        assert_eq!(distance(&labels, "none", 1), 0);
    }
}
