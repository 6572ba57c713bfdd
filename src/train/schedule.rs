//! Learning rates over the steps of a run.

use crate::record::{ArmSpec, ScheduleKind};

/// How the learning rate goes on after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decay {
    /// It stays at its peak.
    Constant,
    /// It falls in a straight line to `floor` times the peak.
    Linear { floor: f64 },
    /// It falls along half a cosine to `floor` times the peak.
    Cosine { floor: f64 },
}

/// Linear warm-up from 0 to `peak`, then `decay`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// The highest learning rate.
    pub peak: f64,
    /// Number of steps in which the rate rises; step `warmup` is the first at the peak.
    pub warmup: usize,
    /// Number of steps of the run.
    pub steps: usize,
    pub decay: Decay,
}

impl Schedule {
    /// An arm's rates over a run of `steps` steps.
    pub fn of(arm: &ArmSpec, steps: u32) -> Self {
        let decay = match arm.schedule {
            ScheduleKind::Constant => Decay::Constant,
            ScheduleKind::Linear => Decay::Linear { floor: 0.0 },
            ScheduleKind::Cosine => Decay::Cosine { floor: 0.0 },
        };
        Self { peak: f64::from(arm.lr), warmup: arm.warmup as usize, steps: steps as usize, decay }
    }

    /// The learning rate of `step`, counted from 0, exactly as Hugging Face's
    /// `get_{constant,linear,cosine}_schedule_with_warmup` give it: the first step of a warm-up has
    /// rate 0, and the fall would reach its floor at step `steps`.
    pub fn rate(&self, step: usize) -> f64 {
        if step < self.warmup {
            return self.peak * step as f64 / self.warmup as f64;
        }
        let span = self.steps.saturating_sub(self.warmup).max(1);
        let progress = ((step - self.warmup) as f64 / span as f64).min(1.0);
        let factor = match self.decay {
            Decay::Constant => 1.0,
            Decay::Linear { floor } => 1.0 - (1.0 - floor) * progress,
            Decay::Cosine { floor } => {
                floor + (1.0 - floor) * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
            }
        };
        self.peak * factor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_then_falls_to_its_floor() {
        let schedule = Schedule { peak: 2.0, warmup: 10, steps: 110, decay: Decay::Cosine { floor: 0.05 } };
        assert_eq!(schedule.rate(0), 0.0);
        assert!((schedule.rate(5) - 1.0).abs() < 1e-12);
        assert!((schedule.rate(10) - 2.0).abs() < 1e-12);
        assert!((schedule.rate(60) - 1.05).abs() < 1e-12);
        assert!((schedule.rate(500) - 0.1).abs() < 1e-12);
    }

    #[test]
    fn constant_and_linear() {
        let constant = Schedule { peak: 1.0, warmup: 0, steps: 5, decay: Decay::Constant };
        assert_eq!(constant.rate(0), 1.0);
        assert_eq!(constant.rate(4), 1.0);
        let linear = Schedule { peak: 1.0, warmup: 1, steps: 5, decay: Decay::Linear { floor: 0.0 } };
        assert_eq!(linear.rate(1), 1.0);
        assert!((linear.rate(3) - 0.5).abs() < 1e-12);
        assert_eq!(linear.rate(5), 0.0);
    }

    #[test]
    fn a_run_shorter_than_its_warmup_does_not_divide_by_zero() {
        let schedule = Schedule { peak: 1.0, warmup: 3, steps: 2, decay: Decay::Linear { floor: 0.0 } };
        assert!((0..4).all(|step| schedule.rate(step).is_finite()));
    }
}
