//! How much of a run is done in one go, and what that is.

/// How much of a run is done in one go.
#[derive(Clone, Copy, Debug)]
pub struct Slice<'a> {
    /// Steps go on for about this long, milliseconds; there is at least one.
    pub ms: f32,
    /// Most steps of an arm. 0 does what needs no step: the start is measured, kernels are compiled.
    pub steps: u32,
    /// This arm alone.
    pub only: Option<&'a str>,
    /// An arm waits once it has taken this many steps.
    pub until: u32,
}

impl Slice<'_> {
    /// As much as there is until the next measurement.
    pub const WHOLE: Self = Self { ms: f32::INFINITY, steps: u32::MAX, only: None, until: u32::MAX };
    /// What needs no step.
    pub const NO_STEP: Self = Self { ms: 0.0, steps: 0, ..Self::WHOLE };
}

/// What [`Session::advance`](super::Session::advance) does next. Arms are named by their place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// `steps` steps of each of these arms.
    Train {
        arms: Vec<usize>,
        steps: u32,
    },
    /// The start, which is the base for every arm.
    MeasureStart,
    Measure {
        arm: usize,
    },
    /// Compiles what the first step of an arm runs.
    Prepare {
        arm: usize,
    },
    Finish,
}
