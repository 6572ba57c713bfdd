//! Adapters that are held beside the base, for arms to start from.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::engine::Tuning;
use crate::error::{Error, Result};
use crate::model::config::LlamaConfig;
use crate::model::lora::{AdapterStart, Lora};
use crate::model::peft::{self, Adapter};
use crate::model::weights::Weights;
use crate::record::{AdapterInfo, ArmSpec, LoraSpec, MOST_RANK, Method, Settings, is_id};

/// Most adapters that are held.
const MOST: usize = 24;

struct Held {
    info: AdapterInfo,
    tensors: Rc<Weights>,
}

/// Adapters of one base, by name.
#[derive(Default)]
pub struct Adapters(BTreeMap<String, Held>);

impl Adapters {
    /// Reads an adapter for `model` from PEFT's two files and holds it, replacing any of the same name.
    ///
    /// # Errors
    /// An invalid name, or what is wrong with the files; nothing has changed then.
    pub fn read(&mut self, name: &str, config: &[u8], weights: &[u8], model: &LlamaConfig) -> Result<()> {
        self.check(name)?;
        let Adapter { lora, dropout, tensors, is_unified } = peft::read(config, weights, model)?;
        if lora.rank > MOST_RANK as usize {
            return Err(Error::Format {
                file: peft::CONFIG_FILE.into(),
                field: "r".into(),
                message: format!("{} is out of range", lora.rank),
                remedy: format!("Use an adapter of rank 1 to {MOST_RANK}"),
            });
        }
        let unified = "its linears differ in rank or alpha: they are padded to one, which computes the same";
        let dropout = (dropout > 0.0).then(|| format!("lora_dropout {dropout} is not used in training here"));
        let notes = is_unified.then(|| unified.to_string()).into_iter().chain(dropout).collect();
        self.hold(name, &lora, tensors, notes);
        Ok(())
    }

    /// Holds the tensors of an arm with this adapter.
    ///
    /// # Errors
    /// An invalid name.
    pub(super) fn keep(&mut self, name: &str, lora: &Lora, tensors: Weights) -> Result<()> {
        self.check(name)?;
        self.hold(name, lora, tensors, Vec::new());
        Ok(())
    }

    /// Forgets one; runs that began from it keep theirs.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    pub fn infos(&self) -> Vec<AdapterInfo> {
        self.0.values().map(|held| held.info.clone()).collect()
    }

    fn check(&self, name: &str) -> Result<()> {
        let refuse = |message: String, remedy: &str| {
            Err(Error::Setting { field: "adapter", message, remedy: remedy.into() })
        };
        if !is_id(name) {
            return refuse(
                format!("an adapter can't be called {name:?}"),
                "Use 1 to 24 lower-case letters, digits and hyphens",
            );
        }
        if self.0.len() >= MOST && !self.0.contains_key(name) {
            return refuse(format!("{MOST} adapters are held"), "Remove one first");
        }
        Ok(())
    }

    fn hold(&mut self, name: &str, lora: &Lora, tensors: Weights, notes: Vec<String>) {
        let spec = LoraSpec {
            rank: lora.rank as u32,
            alpha: lora.alpha,
            rslora: lora.rank_stabilised,
            dora: lora.dora,
            targets: lora.targets.clone(),
            start: name.into(),
        };
        let parameters = tensors.values().map(|array| array.data.len() as u64).sum();
        let info = AdapterInfo { name: name.into(), spec, parameters, notes };
        self.0.insert(name.into(), Held { info, tensors: Rc::new(tensors) });
    }

    /// These settings, with each arm given the shape of the adapter that it starts from.
    ///
    /// # Errors
    /// [`Error::Setting`] for an adapter that is not held.
    pub(super) fn complete(&self, settings: &Settings) -> Result<Settings> {
        let mut settings = settings.clone();
        for arm in &mut settings.arms {
            if let Some(name) = arm.start() {
                let spec = self.find(name, arm)?.info.spec.clone();
                arm.method = Method::Lora(spec);
            }
        }
        Ok(settings)
    }

    /// What an arm trains, and where it starts.
    pub(super) fn tuning(&self, arm: &ArmSpec, seed: u64) -> Result<Tuning> {
        let mut tuning = Tuning::of(arm, seed);
        if let (Some(name), Tuning::Lora { start, .. }) = (arm.start(), &mut tuning) {
            *start = AdapterStart::Tensors(self.find(name, arm)?.tensors.clone());
        }
        Ok(tuning)
    }

    fn find(&self, name: &str, arm: &ArmSpec) -> Result<&Held> {
        self.0.get(name).ok_or_else(|| {
            let names: Vec<&str> = self.0.keys().map(String::as_str).collect();
            let held = if names.is_empty() { "none".into() } else { names.join(", ") };
            Error::Setting {
                field: "arms.method.start",
                message: format!(
                    "{} starts from the adapter {name}, which is not here (there is {held})",
                    arm.label
                ),
                remedy: "Add it under Adapters, or let the arm start fresh".into(),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> LlamaConfig {
        let json = br#"{"hidden_size":4,"intermediate_size":6,"num_hidden_layers":2,"num_attention_heads":2,
            "num_key_value_heads":1,"vocab_size":5,"tie_word_embeddings":true}"#;
        LlamaConfig::from_json(json).unwrap()
    }

    fn files(rank: usize) -> (Vec<u8>, Vec<u8>) {
        let lora = Lora { rank, ..Lora::of(&LoraSpec::default()) };
        let mut files = peft::files(&lora, &lora.initial(&model(), 1), "base").unwrap();
        (files.remove(1).1, files.remove(0).1)
    }

    fn from(name: &str) -> Settings {
        let spec = LoraSpec { start: name.into(), ..LoraSpec::default() };
        Settings::default().with_arms(vec![ArmSpec { method: Method::Lora(spec), ..ArmSpec::lora(1e-3) }])
    }

    #[test]
    fn an_arm_has_the_shape_of_its_start() {
        let mut adapters = Adapters::default();
        let (config, weights) = files(3);
        adapters.read("mine", &config, &weights, &model()).unwrap();
        let completed = adapters.complete(&from("mine")).unwrap();
        assert!(
            matches!(&completed.arms[0].method, Method::Lora(spec) if spec.rank == 3 && spec.start == "mine")
        );
        let tuning = adapters.tuning(&completed.arms[0], 1).unwrap();
        assert!(matches!(tuning, Tuning::Lora { start: AdapterStart::Tensors(_), .. }));
        let error = adapters.complete(&from("theirs")).unwrap_err().to_string();
        assert!(error.contains("theirs") && error.contains("mine"), "{error}");
        adapters.remove("mine");
        assert!(adapters.complete(&from("mine")).unwrap_err().to_string().contains("there is none"));
    }

    #[test]
    fn what_cannot_be_held_is_refused_and_changes_nothing() {
        let mut adapters = Adapters::default();
        let (config, weights) = files(2);
        for name in ["", "Mine", "../mine", "a-name-of-more-than-24-characters"] {
            let error = adapters.read(name, &config, &weights, &model()).unwrap_err().to_string();
            assert!(error.contains("can't be called"), "{error}");
        }
        let (config, weights) = files(MOST_RANK as usize + 1);
        let error = adapters.read("wide", &config, &weights, &model()).unwrap_err().to_string();
        assert!(error.contains("adapter_config.json: r: 257"), "{error}");
        assert!(adapters.infos().is_empty());
        let (config, weights) = files(2);
        assert!((weights.len() as u64) < peft::most_bytes(&model()));
        for n in 0..MOST {
            adapters.read(&format!("a-{n}"), &config, &weights, &model()).unwrap();
        }
        assert!(
            adapters
                .read("more", &config, &weights, &model())
                .unwrap_err()
                .to_string()
                .contains("Remove one")
        );
        adapters.read("a-1", &config, &weights, &model()).unwrap();
    }

    #[test]
    fn the_widest_adapter_is_within_the_bound() {
        let lora = Lora { dora: true, ..Lora::of(&LoraSpec { rank: MOST_RANK, ..LoraSpec::default() }) };
        let files = peft::files(&lora, &lora.initial(&model(), 1), "base").unwrap();
        assert!(files[0].1.len() as u64 <= peft::most_bytes(&model()));
    }
}
