//! Which facts a run tests: a fixed, even draw over relations, most of them *kept*.

use std::collections::BTreeMap;
use std::rc::Rc;

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use crate::data::facts::{Fact, Relation, objects};
use crate::error::{Error, Result};
use crate::measure::borrowed::Rows;
use crate::measure::recall::Probe;
use crate::model::tokenizer::Tokenizer;
use crate::record::{Settings, Split, WallFact};

/// Three of four wall facts are kept ones.
const KEPT_OF_FOUR: usize = 3;

/// The facts of a run's walls, in cell order, and those that are also asked.
pub struct Probes {
    pub wall: Vec<Probe>,
    /// The facts that the wall's probes test.
    pub facts: Vec<Fact>,
    pub splits: Vec<Split>,
    /// The chance that a wrong candidate is a borrowed one, by cell.
    pub chance: Vec<f32>,
    /// Cells that are asked in the chat template.
    pub asked: Vec<usize>,
    /// How many facts the base knows, and of how many, where the others were set aside.
    pub known: Option<[u32; 2]>,
}

/// Facts that only the set states, and the facts whose objects are the candidates for theirs.
#[derive(Clone, Copy)]
pub struct New<'a> {
    pub facts: &'a [Fact],
    pub objects: &'a [Fact],
}

impl New<'_> {
    /// The objects of each relation; none where there are no new facts.
    fn objects(&self) -> BTreeMap<Relation, Rc<Vec<String>>> {
        if self.facts.is_empty() { BTreeMap::new() } else { objects(self.objects) }
    }
}

impl Probes {
    /// `is_known`: which of the facts may be drawn. All new facts get a cell and are asked.
    ///
    /// # Errors
    /// When the base knows none of the facts.
    pub fn draw(
        known: &[Fact],
        is_known: Option<&[bool]>,
        new: New<'_>,
        rows: &Rows,
        settings: &Settings,
        tokenizer: &Tokenizer,
    ) -> Result<Self> {
        let facts = known;
        let is_drawn = |i: &usize| is_known.is_none_or(|known| known[*i]);
        let count = |known: &[bool]| [known.iter().filter(|k| **k).count() as u32, known.len() as u32];
        if is_known.map(count).is_some_and(|[known, _]| known == 0) {
            return Err(Error::Setting {
                field: "known_only",
                message: format!("the base completes none of the {} facts", facts.len()),
                remedy: "Use facts that it knows, or measure all of them".into(),
            });
        }
        let (kept, seen): (Vec<usize>, Vec<usize>) =
            (0..facts.len()).filter(is_drawn).partition(|&i| !rows.mention(&facts[i]));
        let wanted = settings.probes as usize;
        let take_kept = (wanted * KEPT_OF_FOUR).div_ceil(4).max(wanted.saturating_sub(seen.len()));
        let mut cells: Vec<(usize, Split)> = Vec::new();
        cells.extend(spread(facts, kept, take_kept).into_iter().map(|i| (i, Split::Kept)));
        let rest = wanted.saturating_sub(cells.len());
        cells.extend(spread(facts, seen, rest).into_iter().map(|i| (i, Split::Seen)));
        let mut asked = ask(&cells, settings.asked as usize);
        let all: Vec<Fact> = known.iter().chain(new.facts).cloned().collect();
        let facts = &all[..];
        cells.extend((known.len()..facts.len()).map(|i| (i, Split::New)));
        asked.extend(known.len()..facts.len());
        cells.sort_by_key(|&(i, split)| (&facts[i].relation, split != Split::Kept, i));
        let asked = (0..cells.len()).filter(|&c| asked.contains(&cells[c].0)).collect();
        let (lists, new_lists) = (objects(known), new.objects());
        let list = |i: usize| {
            let lists = if i < known.len() { &lists } else { &new_lists };
            lists.get(&facts[i].relation).cloned().unwrap_or_default()
        };
        let probe = |&(i, _): &(usize, Split)| Probe::of(&facts[i], list(i), tokenizer);
        let wall = cells.iter().map(probe).collect::<Result<_>>()?;
        let chance = cells.iter().map(|&(i, _)| rows.chance(&facts[i], &list(i))).collect();
        let facts: Vec<Fact> = cells.iter().map(|&(i, _)| facts[i].clone()).collect();
        let splits = cells.iter().map(|c| c.1).collect();
        Ok(Self { splits, wall, facts, chance, asked, known: is_known.map(count) })
    }

    /// Refuses what is too long for a model of `positions` positions.
    ///
    /// # Errors
    /// [`Error::Format`] that names the fact.
    pub fn check(&self, answer_len: usize, positions: usize) -> Result<()> {
        let longest = self.wall.iter().map(Probe::object_tokens).max().unwrap_or(0);
        let is_asked = |cell: usize| self.asked.contains(&cell);
        let taken = |cell: usize, probe: &Probe| {
            probe.positions(longest, if is_asked(cell) { answer_len } else { 0 })
        };
        let mut all = self.wall.iter().enumerate().map(|(cell, probe)| (cell, taken(cell, probe)));
        match all.find(|(_, taken)| *taken > positions) {
            None => Ok(()),
            Some((cell, taken)) => Err(Error::Format {
                file: super::OWN_PROBES.into(),
                field: self.facts[cell].id.clone(),
                message: format!("it takes {taken} tokens with its answer, the model reads {positions}"),
                remedy: "Shorten its wording, or the longest object".into(),
            }),
        }
    }

    /// The cells as the record lists them.
    pub fn cells(&self) -> Vec<WallFact> {
        let cell = |(fact, &split): (&Fact, &Split)| WallFact {
            subject: fact.subject.clone(),
            relation: fact.relation.label().into(),
            object: fact.object.clone(),
            cloze: fact.cloze().prompt,
            asked: fact.asked().prompt,
            split,
        };
        self.facts.iter().zip(&self.splits).map(cell).collect()
    }
}

/// `n` of these facts, the relations in turn, the same ones for the same facts whatever the seed, so that
/// runs can be compared.
fn spread(facts: &[Fact], mut from: Vec<usize>, n: usize) -> Vec<usize> {
    from.shuffle(&mut ChaCha8Rng::seed_from_u64(0));
    let mut by_relation: BTreeMap<&Relation, Vec<usize>> = BTreeMap::new();
    for i in from {
        by_relation.entry(&facts[i].relation).or_default().push(i);
    }
    let longest = by_relation.values().map(Vec::len).max().unwrap_or(0);
    let rounds = (0..longest).flat_map(|round| by_relation.values().filter_map(move |v| v.get(round)));
    rounds.copied().take(n).collect()
}

/// The first cells of each split, in the same proportion as on the wall.
fn ask(cells: &[(usize, Split)], n: usize) -> Vec<usize> {
    let kept = (n * KEPT_OF_FOUR).div_ceil(4);
    let of = |split: Split, n: usize| cells.iter().filter(move |c| c.1 == split).take(n).map(|c| c.0);
    of(Split::Kept, kept).chain(of(Split::Seen, n - kept)).collect()
}
