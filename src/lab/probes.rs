//! Which facts a run tests: a fixed, even draw over relations, most of them *kept*.

use std::collections::BTreeMap;
use std::rc::Rc;

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use crate::data::facts::{Fact, Relation, candidates};
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

impl Probes {
    /// `is_known`: which of the facts may be drawn. `new` are facts that only the set states: all of them get a cell and are
    /// asked.
    ///
    /// # Errors
    /// When the base knows none of the facts.
    pub fn draw(
        known: &[Fact],
        is_known: Option<&[bool]>,
        new: &[Fact],
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
        let all: Vec<Fact> = known.iter().chain(new).cloned().collect();
        let facts = &all[..];
        cells.extend((known.len()..facts.len()).map(|i| (i, Split::New)));
        asked.extend(known.len()..facts.len());
        cells.sort_by_key(|&(i, split)| (facts[i].relation, split != Split::Kept, i));
        let asked = (0..cells.len()).filter(|&c| asked.contains(&cells[c].0)).collect();
        let lists: BTreeMap<Relation, Rc<Vec<String>>> =
            Relation::ALL.iter().map(|&r| (r, Rc::new(candidates(known, r)))).collect();
        let probe = |&(i, _): &(usize, Split)| {
            let fact = &facts[i];
            Probe::of(fact, lists[&fact.relation].clone(), tokenizer)
        };
        let wall = cells.iter().map(probe).collect::<Result<_>>()?;
        let facts: Vec<Fact> = cells.iter().map(|&(i, _)| facts[i].clone()).collect();
        let chance = facts.iter().map(|fact| rows.chance(fact, &lists[&fact.relation])).collect();
        let splits = cells.iter().map(|c| c.1).collect();
        Ok(Self { splits, wall, facts, chance, asked, known: is_known.map(count) })
    }

    /// The cells as the record lists them.
    pub fn cells(&self) -> Vec<WallFact> {
        let cell = |(fact, &split): (&Fact, &Split)| WallFact {
            subject: fact.subject.clone(),
            relation: fact.relation.label().into(),
            object: fact.object.clone(),
            cloze: fact.cloze().prompt,
            split,
        };
        self.facts.iter().zip(&self.splits).map(cell).collect()
    }
}

/// `n` of these facts, the relations in turn, the same ones for the same facts whatever the seed, so that
/// runs can be compared.
fn spread(facts: &[Fact], mut from: Vec<usize>, n: usize) -> Vec<usize> {
    from.shuffle(&mut ChaCha8Rng::seed_from_u64(0));
    let mut by_relation: BTreeMap<Relation, Vec<usize>> = BTreeMap::new();
    for i in from {
        by_relation.entry(facts[i].relation).or_default().push(i);
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
