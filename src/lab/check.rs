//! Did the instruction set cause a borrowed answer? Its source rows are given another object, the arm is trained
//! again from the same start in the same order, and the answer is looked at once more. Half of the borrowed
//! objects are swapped; the answers that borrowed the others are the control.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::run::Run;
use crate::data::facts::candidates;
use crate::record::{ArmId, Counterfactual, Fates, Measure, Settings, Swap, SwappedAnswer};

/// A training run that tests borrowed answers, and which ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    pub arm: ArmId,
    /// The run's settings with the swaps, for this arm alone.
    pub settings: Settings,
    /// Cells whose borrowed object was swapped in all of its source rows: the old and the new object.
    swapped: Vec<(u32, String, String)>,
    /// Cells whose borrowed object stayed in the set.
    control: Vec<(u32, String)>,
}

/// Answers that a record lists.
const EXAMPLES: usize = 6;

impl Check {
    /// The check of an arm's borrowed answers as it was last measured; nothing if there are none.
    pub fn of(run: &Run, arm: &str) -> Option<Self> {
        let spec = run.settings.arm(arm)?.clone();
        let measure = run.last.get(arm)?;
        let borrowed = || measure.wrong.iter().filter(|w| !w.sources.is_empty());
        let mut objects: Vec<(String, usize)> = Vec::new(); // with the first cell that borrowed it
        for wrong in borrowed() {
            let (answer, cell) = (wrong.answer.clone(), wrong.cell as usize);
            let relation = &run.probes.facts[cell].relation;
            let same = |(a, c): &(String, usize)| *a == answer && run.probes.facts[*c].relation == *relation;
            if !objects.iter().any(same) {
                objects.push((answer, cell));
            }
        }
        let mut check = Self {
            arm: arm.into(),
            settings: Settings {
                arms: vec![spec],
                measure_every: run.settings.steps,
                ..run.settings.clone()
            },
            swapped: Vec::new(),
            control: Vec::new(),
        };
        let (mut rows, mut used) = (BTreeSet::new(), BTreeSet::new());
        for (i, (from, cell)) in objects.iter().enumerate() {
            let relation = &run.probes.facts[*cell].relation;
            let cells = borrowed()
                .filter(|w| w.answer == *from && run.probes.facts[w.cell as usize].relation == *relation);
            let to = (i % 2 == 0).then(|| unused(run, *cell, from, &used)).flatten();
            match to {
                Some(to) => {
                    used.insert(to.clone());
                    for wrong in cells {
                        check.swapped.push((wrong.cell, from.clone(), to.clone()));
                        // Rows that the settings added come after the set's; only the set's can be swapped.
                        for &row in wrong.sources.iter().filter(|row| **row < run.set_rows) {
                            if rows.insert((row, from.clone())) {
                                check.settings.swaps.push(Swap { row, from: from.clone(), to: to.clone() });
                            }
                        }
                    }
                }
                None => check.control.extend(cells.map(|wrong| (wrong.cell, from.clone()))),
            }
        }
        (!check.settings.swaps.is_empty()).then_some(check)
    }
}

/// A candidate for the fact in `cell` that no row states for another subject and no swap uses yet.
fn unused(run: &Run, cell: usize, from: &str, used: &BTreeSet<String>) -> Option<String> {
    let fact = &run.probes.facts[cell];
    let free = |object: &String| {
        *object != fact.object
            && object != from
            && !used.contains(object)
            && run.rows.sources(object, fact).is_empty()
    };
    candidates(&run.facts, &fact.relation).into_iter().find(free)
}

impl Check {
    /// What became of the answers; `after` is the last measure of the run with [`Self::settings`].
    pub fn compare(&self, after: &Measure) -> Counterfactual {
        let answer = |cell: u32| after.wrong.iter().find(|w| w.cell == cell).map(|w| w.answer.as_str());
        let count = |fates: &mut Fates, cell: u32, from: &str, to: Option<&str>| {
            fates.n += 1;
            match answer(cell) {
                None => fates.right += 1,
                Some(a) if Some(a) == to => fates.followed += 1,
                Some(a) if a == from => fates.unchanged += 1,
                Some(_) => fates.other += 1,
            }
        };
        let (mut swapped, mut control) = (Fates::default(), Fates::default());
        for (cell, from, to) in &self.swapped {
            count(&mut swapped, *cell, from, Some(to));
        }
        for (cell, from) in &self.control {
            count(&mut control, *cell, from, None);
        }
        let example = |(cell, from, to): &(u32, String, String)| SwappedAnswer {
            cell: *cell,
            from: from.clone(),
            to: to.clone(),
            after: answer(*cell).unwrap_or("(the right answer)").into(),
        };
        let examples = self.swapped.iter().take(EXAMPLES).map(example).collect();
        Counterfactual { arm: self.arm.clone(), runs: 1, swapped, control, examples }
    }
}

impl Fates {
    fn add(&mut self, more: Self) {
        self.n += more.n;
        self.followed += more.followed;
        self.unchanged += more.unchanged;
        self.right += more.right;
        self.other += more.other;
    }
}

impl Counterfactual {
    /// Adds the check of another run of the same arm.
    pub fn add(&mut self, more: &Self) {
        self.runs += more.runs;
        self.swapped.add(more.swapped);
        self.control.add(more.control);
        self.examples.extend(more.examples.iter().cloned());
        self.examples.truncate(EXAMPLES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::WrongAnswer;

    #[test]
    fn fates_are_distinguished() {
        let check = Check {
            arm: "full".into(),
            settings: Settings::default(),
            swapped: [(1, "a", "b"), (2, "a", "b"), (3, "a", "b"), (4, "c", "d")]
                .map(|(cell, from, to)| (cell, from.to_string(), to.to_string()))
                .into(),
            control: vec![(5, "e".into()), (6, "e".into())],
        };
        let wrong =
            |cell, answer: &str| WrongAnswer { cell, answer: answer.into(), sources: vec![], logprob: None };
        let after = Measure {
            wrong: vec![wrong(1, "b"), wrong(2, "a"), wrong(4, "x"), wrong(5, "e"), wrong(6, "y")],
            ..Measure::empty("full")
        };
        let mut found = check.compare(&after);
        assert_eq!(found.swapped, Fates { n: 4, followed: 1, unchanged: 1, right: 1, other: 1 });
        assert_eq!(found.control, Fates { n: 2, unchanged: 1, other: 1, ..Fates::default() });
        found.add(&found.clone());
        assert_eq!((found.runs, found.swapped.n, found.examples.len()), (2, 8, EXAMPLES));
    }
}
