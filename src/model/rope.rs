//! How fast each pair of a head turns: the one source of every rotary table.

use serde_json::Value;

use super::config::LlamaConfig;
use super::config_json::{FILE, invalid, optional_size, positive, refuse};
use crate::error::Result;

/// Llama 3.1's stretching of slow rotations, Hugging Face's `rope_type` "llama3".
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Llama3Scaling {
    /// What long wavelengths are stretched by; positive.
    pub factor: f64,
    /// Wavelengths beyond `original_max_position_embeddings / low_freq_factor` are stretched in full.
    pub low_freq_factor: f64,
    /// Wavelengths below `original_max_position_embeddings / high_freq_factor` are left; more than
    /// `low_freq_factor`.
    pub high_freq_factor: f64,
    /// Positions that the model was pre-trained with.
    pub original_max_position_embeddings: usize,
}

impl Llama3Scaling {
    /// The slowed-down `frequency`, radians per position.
    ///
    /// Source: `_compute_llama3_parameters` of transformers' modeling_rope_utils.py.
    pub fn scale(&self, frequency: f64) -> f64 {
        let wavelength = std::f64::consts::TAU / frequency;
        // How often the wave fits into the original context.
        let turns = self.original_max_position_embeddings as f64 / wavelength;
        let kept = (turns - self.low_freq_factor) / (self.high_freq_factor - self.low_freq_factor);
        let kept = kept.clamp(0.0, 1.0);
        (1.0 - kept) * frequency / self.factor + kept * frequency
    }
}

impl LlamaConfig {
    /// D/2 angles, radians per position: `theta^(-2i/D)`, scaled where the model asks for it.
    pub fn inverse_frequencies(&self) -> Vec<f64> {
        let plain = |i: usize| self.rope_theta.powf(-2.0 * i as f64 / self.head_dim as f64);
        let scaled = |frequency| self.rope_scaling.map_or(frequency, |scaling| scaling.scale(frequency));
        (0..self.head_dim / 2).map(plain).map(scaled).collect()
    }
}

/// Only a scaling of type llama3 is implemented. Transformers 5 writes `rope_parameters`, earlier versions
/// `rope_scaling`, whose type was first called `type`.
pub(super) fn rope_scaling(json: &Value, positions: usize) -> Result<Option<Llama3Scaling>> {
    let mut scaling = None;
    for name in ["rope_scaling", "rope_parameters"] {
        let fields = &json[name];
        if fields.is_null() {
            continue;
        }
        let kind = [&fields["rope_type"], &fields["type"]].into_iter().find(|kind| !kind.is_null());
        match kind.map(|kind| kind.as_str().unwrap_or("of no name")) {
            // What transformers 5 writes for an unscaled model may be the base alone.
            None if fields.is_object() && name == "rope_parameters" => {}
            Some("default") => {}
            Some("llama3") => scaling = Some(llama3(fields, positions)?),
            kind => return Err(refuse(&format!("{name} of type {}", kind.unwrap_or("unknown")))),
        }
        let partial = &fields["partial_rotary_factor"];
        if !partial.is_null() && partial.as_f64() != Some(1.0) {
            return Err(refuse(&format!("{name}: partial_rotary_factor")));
        }
    }
    Ok(scaling)
}

fn llama3(fields: &Value, positions: usize) -> Result<Llama3Scaling> {
    let number = |field: &str| {
        let remedy = "Give the number that the model was trained with";
        positive(fields, field)?.ok_or_else(|| invalid(FILE, field, "missing", remedy))
    };
    let scaling = Llama3Scaling {
        factor: number("factor")?,
        low_freq_factor: number("low_freq_factor")?,
        high_freq_factor: number("high_freq_factor")?,
        original_max_position_embeddings: optional_size(fields, "original_max_position_embeddings")?
            .unwrap_or(positions),
    };
    if scaling.high_freq_factor <= scaling.low_freq_factor {
        let message = format!("{} is not above low_freq_factor", scaling.high_freq_factor);
        return Err(invalid(FILE, "high_freq_factor", &message, "Give a higher number"));
    }
    Ok(scaling)
}

/// Transformers 5 writes the base inside `rope_parameters`, earlier versions beside it.
pub(super) fn rope_theta(json: &Value) -> Result<f64> {
    let nested = positive(&json["rope_parameters"], "rope_theta")?;
    Ok(nested.or(positive(json, "rope_theta")?).unwrap_or(10_000.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(head_dim: usize, rope_theta: f64, rope_scaling: Option<Llama3Scaling>) -> LlamaConfig {
        let json = format!(
            r#"{{"hidden_size":{head_dim},"intermediate_size":2,"num_hidden_layers":1,
            "num_attention_heads":1,"vocab_size":3}}"#
        );
        let config = LlamaConfig::from_json(json.as_bytes()).unwrap();
        LlamaConfig { rope_theta, rope_scaling, ..config }
    }

    fn close(got: &[f64], expected: &[f64]) {
        assert_eq!(got.len(), expected.len());
        for (got, expected) in got.iter().zip(expected) {
            // transformers computes in f32.
            assert!((got - expected).abs() < 2e-6 * expected, "{got} {expected}");
        }
    }

    /// Figures of `ROPE_INIT_FUNCTIONS["llama3"]` and of the default, transformers 5.23, printed with
    /// nine digits. The first is Llama 3.2 1B's; its factors reach all three branches.
    #[test]
    fn frequencies_are_those_of_transformers() {
        close(&config(16, 500_000.0, None).inverse_frequencies(), &PLAIN);
        let scaling = Llama3Scaling {
            factor: 32.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_max_position_embeddings: 8192,
        };
        close(&config(16, 500_000.0, Some(scaling)).inverse_frequencies(), &LLAMA_3_2);
        let scaling = Llama3Scaling {
            factor: 4.0,
            low_freq_factor: 0.5,
            high_freq_factor: 6.0,
            original_max_position_embeddings: 64,
        };
        close(&config(12, 10_000.0, Some(scaling)).inverse_frequencies(), &SHORT);
    }

    const PLAIN: [f64; 8] = [
        1.0,
        0.193922758,
        0.0376060307,
        0.00729266508,
        0.00141421345,
        0.000274248188,
        5.31829573e-05,
        1.03133852e-05,
    ];
    const LLAMA_3_2: [f64; 8] = [
        1.0,
        0.193922758,
        0.0376060307,
        0.00729266508,
        0.000429556705,
        8.57025589e-06,
        1.66196742e-06,
        3.22293289e-07,
    ];
    const SHORT: [f64; 6] = [1.0, 0.103642657, 0.011603971, 0.00249999994, 0.000538608583, 0.000116039737];
}
