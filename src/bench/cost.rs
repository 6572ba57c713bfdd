//! Operations of matrix products by formula: for the CPU engine and for decoding. A training step on WebGPU
//! counts its own (`gpu::PlanReport`).

use crate::model::config::LlamaConfig;

/// What a batch of `rows` rows of `time` tokens costs.
pub struct Cost<'a> {
    pub config: &'a LlamaConfig,
    pub rows: usize,
    pub time: usize,
    /// Tokens with a target.
    pub counted: usize,
    pub rank: usize,
}

impl Cost<'_> {
    fn tokens(&self) -> f64 {
        (self.rows * self.time) as f64
    }

    fn layers(&self) -> f64 {
        self.config.num_hidden_layers as f64
    }

    /// Weights of the linear layers of all layers.
    fn linears(&self) -> f64 {
        let layer: usize = self.config.linears().iter().map(|(_, [output, input])| output * input).sum();
        layer as f64 * self.layers()
    }

    fn head(&self) -> f64 {
        (self.config.vocab_size * self.config.hidden_size) as f64
    }

    /// A forward pass: the head's part only for tokens with a target.
    fn weights(&self) -> f64 {
        2.0 * (self.tokens() * self.linears() + self.counted as f64 * self.head())
    }

    /// q·k and p·v of one query and one key, in all heads and layers.
    fn pair(&self) -> f64 {
        (4 * self.config.num_attention_heads * self.config.head_dim) as f64 * self.layers()
    }

    /// The CPU engine multiplies whole (T,T) squares.
    fn attention(&self) -> f64 {
        self.pair() * self.tokens() * self.time as f64
    }

    pub fn forward(&self) -> f64 {
        self.weights() + self.attention()
    }

    /// Forwards once, backwards twice: for inputs and for weights.
    pub fn full_step(&self) -> f64 {
        3.0 * (self.weights() + self.attention())
    }

    /// Backwards no weights' gradients, and no input's of the first layer's q, k and v; of the adapters both.
    pub fn lora_step(&self) -> f64 {
        let c = self.config;
        let shapes = c.linears();
        let widths: usize = shapes.iter().map(|(_, [output, input])| output + input).sum();
        let first: usize = shapes[..3].iter().map(|(_, [output, input])| output * input).sum();
        let adapters = 6.0 * self.tokens() * (widths * self.rank) as f64 * self.layers();
        2.0 * self.weights() - 2.0 * self.tokens() * first as f64 + 3.0 * self.attention() + adapters
    }

    /// Decoding with a cache after a prompt: the last token chosen is not fed.
    pub fn generation(&self, prompt: usize, new: usize) -> f64 {
        let positions = (prompt + new - 1) as f64;
        let pairs = positions * (positions + 1.0) / 2.0;
        let weights = 2.0 * (self.linears() + self.head()) * positions;
        self.rows as f64 * (weights + self.pair() * pairs)
    }
}
