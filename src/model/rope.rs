//! How fast each pair of a head turns: the one source of every rotary table.

use super::config::LlamaConfig;

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
