//! What trials found out about adapters, to be remembered from start to start.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::gpu::Gpu;
use crate::kernels::Variant;

/// Changes when the kernels change so that old trials say nothing about them.
const FORMAT: u32 = 3;

/// What was found on some adapters.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Found {
    format: u32,
    /// By the adapter's name and driver.
    adapters: BTreeMap<String, Known>,
}

/// What is known about one adapter.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Known {
    /// Measured only for a software adapter, which runs on the CPU.
    speeds: Option<Speeds>,
    /// The fastest by kind of product.
    variants: BTreeMap<String, Variant>,
}

/// Operations per second of an adapter and of the CPU engine beside it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Speeds {
    pub adapter: f64,
    pub cpu: f64,
}

impl Default for Found {
    fn default() -> Self {
        Self { format: FORMAT, adapters: BTreeMap::new() }
    }
}

impl Found {
    /// Parses what [`Self::json`] wrote; empty if the text is anything else, or in another format.
    pub fn parse(json: &str) -> Self {
        let found: Option<Self> = serde_json::from_str(json).ok();
        found.filter(|f| f.format == FORMAT).unwrap_or_default()
    }

    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(super) fn variants(&mut self, gpu: &Gpu) -> &mut BTreeMap<String, Variant> {
        &mut self.adapter(gpu).variants
    }

    pub(super) fn speeds(&mut self, gpu: &Gpu) -> &mut Option<Speeds> {
        &mut self.adapter(gpu).speeds
    }

    fn adapter(&mut self, gpu: &Gpu) -> &mut Known {
        let name = format!("{}, {} {}", gpu.name(), gpu.info.driver, gpu.info.driver_info);
        self.adapters.entry(name).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_comes_back_and_nothing_else_is_believed() {
        let adapter = Known {
            speeds: Some(Speeds { adapter: 1e9, cpu: 2.5e9 }),
            variants: [("Nt 9 9 8".into(), Variant::Register)].into(),
        };
        let found = Found { adapters: [("a".into(), adapter)].into(), ..Found::default() };
        assert_eq!(Found::parse(&found.json()), found);
        let older = found.json().replace("\"format\":3", "\"format\":2");
        let text = "{\"format\":3,\"adapters\":{\"a\":{\"variants\":{\"b\":\"C\"}}}}";
        for text in ["", "{", "[]", "{\"format\":3}", &older, text] {
            assert_eq!(Found::parse(text), Found::default(), "{text}");
        }
    }
}
