//! What all runs of a session share.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::adapters::Adapters;
use super::looking;
use crate::data::facts::{Fact, objects};
use crate::engine::{Backend, Model, Storage};
use crate::error::Result;
use crate::measure::recall::{self, AnswerKind, Probe};
use crate::measure::spectrum::Svd;
use crate::model::folder::SmallFiles;
use crate::model::tokenizer::Tokenizer;
use crate::model::weights::{Array, Weights};

/// A base model and what it was pre-trained to know.
pub struct Subject {
    /// The model's name and size, for the record.
    pub title: String,
    pub tokenizer: Tokenizer,
    /// The built-in facts, which runs are tested with where a visitor brings none.
    pub facts: Rc<Vec<Fact>>,
    /// Held once, however many arms start from it.
    pub base: Model,
    /// Where the base runs.
    pub backend: Backend,
    /// How the base's matrices are held, and what arms keep of their activations.
    pub storage: Storage,
    /// The base's own files beside its weights, for models that are made from it.
    pub small: SmallFiles,
    /// What arms can start from, beside the base itself.
    pub adapters: Adapters,
    /// Bytes that the base and all arms may take together; unknown where there is none.
    pub memory_limit: Option<u64>,
    /// The base's weights, once they were asked for.
    weights: Option<Rc<Weights>>,
    /// The singular values and vectors of a small base's linear layers, once they were asked for.
    svds: BTreeMap<String, Rc<Svd>>,
    known: Option<Known>,
}

/// The facts that the base was last asked for, and which of them it completes correctly.
struct Known {
    facts: Rc<Vec<Fact>>,
    right: Rc<Vec<bool>>,
}

impl Subject {
    /// `base` runs on `backend`.
    pub fn new(title: String, tokenizer: Tokenizer, facts: Vec<Fact>, base: Model, backend: Backend) -> Self {
        let memory_limit = super::memory::available(&backend);
        let facts = Rc::new(facts);
        Self {
            title,
            tokenizer,
            facts,
            base,
            backend,
            storage: Storage::default(),
            small: SmallFiles::default(),
            adapters: Adapters::default(),
            memory_limit,
            weights: None,
            svds: BTreeMap::new(),
            known: None,
        }
    }

    /// Which of these facts the base completes correctly by cloze.
    pub(super) async fn known(&mut self, facts: &Rc<Vec<Fact>>) -> Result<Rc<Vec<bool>>> {
        if let Some(known) = self.known.as_ref().filter(|known| known.facts == *facts) {
            return Ok(known.right.clone());
        }
        let lists = objects(facts);
        let probe = |fact: &Fact| Probe::of(fact, lists[&fact.relation].clone(), &self.tokenizer);
        let probes: Vec<Probe> = facts.iter().map(probe).collect::<Result<_>>()?;
        // It knows nothing of what is too long for it.
        let fits = recall::fitting(&probes, 0, self.base.config().max_position_embeddings);
        let asked: Vec<Probe> =
            probes.into_iter().zip(&fits).filter(|(_, fits)| **fits).map(|(probe, _)| probe).collect();
        let answers = recall::cloze(&mut self.base, &asked, &self.tokenizer).await?;
        let mut right = answers.iter().map(|answer| answer.kind == AnswerKind::Right);
        let known = fits.iter().map(|fits| *fits && right.next().unwrap_or(false)).collect();
        Ok(self.remember_known(facts, known))
    }

    /// Keeps which of these facts the base completes correctly.
    pub(super) fn remember_known(&mut self, facts: &Rc<Vec<Fact>>, known: Vec<bool>) -> Rc<Vec<bool>> {
        let right = Rc::new(known);
        self.known = Some(Known { facts: facts.clone(), right: right.clone() });
        right
    }

    pub(super) async fn weights(&mut self) -> Result<Rc<Weights>> {
        if let Some(weights) = &self.weights {
            return Ok(weights.clone());
        }
        let weights = Rc::new(self.base.weights().await?);
        self.weights = Some(weights.clone());
        Ok(weights)
    }

    /// All singular values and vectors of one of the base's linear layers, whose weight this is. Those of a large base would take
    /// more memory than its weights do: they are made anew.
    pub(super) fn svd(&mut self, name: &str, weight: &Array) -> Rc<Svd> {
        if let Some(svd) = self.svds.get(name) {
            return svd.clone();
        }
        let svd = Rc::new(Svd::of(weight, usize::MAX));
        if looking::is_with_measures(self.base.config()) {
            self.svds.insert(name.into(), svd.clone());
        }
        svd
    }
}
