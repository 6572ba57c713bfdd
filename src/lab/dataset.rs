//! The training examples of a run: the instruction set as its settings change it.

use crate::data::batch::Sequence;
use crate::data::facts::{self, Fact};
use crate::data::instructions::Example;
use crate::data::variants::{Style, with_object};
use crate::engine::Model;
use crate::error::{Error, Result};
use crate::measure::loss;
use crate::model::tokenizer::Tokenizer;
use crate::record::{Filter, Settings};

/// What a run trains on.
pub struct Dataset {
    pub examples: Vec<Example>,
    /// The row of each example in the instruction set; those that were added follow its last row.
    pub rows: Vec<u32>,
    /// Facts that only the added rows state.
    pub new_facts: Vec<Fact>,
    /// How the answers begin and end.
    pub style: Style,
    /// Rows of the instruction set.
    pub total: usize,
}

impl Dataset {
    /// `set` with the settings' swaps, filter and additions; the base judges what it finds likely.
    ///
    /// # Errors
    /// [`Error::Setting`] when a swap names a row or an object that is not there, or when there are more new
    /// facts than the set has room for.
    pub async fn new(
        mut set: Vec<Example>,
        settings: &Settings,
        base: &mut Model,
        tokenizer: &Tokenizer,
    ) -> Result<Self> {
        let error = |field, message, remedy: &str| Error::Setting { field, message, remedy: remedy.into() };
        for swap in &settings.swaps {
            let row = set.get_mut(swap.row as usize);
            let swapped = row.as_ref().map(|row| with_object(row, &swap.from, &swap.to));
            match (row, swapped) {
                (Some(row), Some(swapped)) if *row != swapped => *row = swapped,
                _ => {
                    let message = format!("row {} does not name {}", swap.row, swap.from);
                    return Err(error("swaps", message, "Swap what a row of this set states"));
                }
            }
        }
        let mut style = Style::of(&set);
        if settings.simplified {
            set = set.iter().map(|example| style.simplified(example)).collect();
            style = Style::of(&set);
        }
        let total = set.len();
        let order = order(&set, settings, base, tokenizer).await?;
        let mut rows: Vec<u32> = order.iter().map(|&i| i as u32).collect();
        let mut examples: Vec<Example> = order.into_iter().map(|i| set[i].clone()).collect();
        let mut new_facts = facts::new()?;
        new_facts.truncate(settings.new_facts as usize);
        let room = rows.len().checked_sub(2 * new_facts.len());
        let Some(kept) = room else {
            let message =
                format!("{} new facts take two rows each, the set has {}", new_facts.len(), rows.len());
            return Err(error("new_facts", message, "Use fewer new facts or more examples"));
        };
        rows.truncate(kept);
        examples.truncate(kept);
        for (i, fact) in new_facts.iter().enumerate() {
            for example in style.teach(fact, i) {
                rows.push((total + examples.len() - kept) as u32);
                examples.push(example);
            }
        }
        Ok(Self { examples, rows, new_facts, style, total })
    }

    /// Question and answer of each added row.
    pub fn added(&self) -> Vec<(String, String)> {
        let added = self.rows.iter().zip(&self.examples).filter(|(row, _)| **row as usize >= self.total);
        added.map(|(_, e)| (e.question().to_string(), e.answer.clone())).collect()
    }
}

/// Which of the set's examples are used, in the set's own order.
async fn order(
    set: &[Example],
    settings: &Settings,
    base: &mut Model,
    tokenizer: &Tokenizer,
) -> Result<Vec<usize>> {
    let mut order: Vec<usize> = (0..set.len()).collect();
    let wanted = if settings.examples == 0 { set.len() } else { settings.examples as usize };
    if settings.filter != Filter::First && wanted < set.len() {
        let tokenize = |e: &Example| e.tokenize(tokenizer, settings.max_len as usize);
        let sequences: Vec<Sequence> = set.iter().map(tokenize).collect::<Result<_>>()?;
        let lengths = || sequences.iter().map(|s| s.targets() as f32);
        let keys: Vec<f32> = match settings.filter {
            Filter::First | Filter::Shortest => lengths().collect(),
            Filter::Longest => lengths().map(|length| -length).collect(),
            Filter::Confident => loss::each(base, &sequences).await?,
        };
        order.sort_by(|&a, &b| keys[a].total_cmp(&keys[b]));
    }
    order.truncate(wanted);
    order.sort_unstable();
    Ok(order)
}
