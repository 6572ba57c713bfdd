//! The one error type of the library; the command line and the browser layer translate it once.

/// Why an operation failed, with what the reader can do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file's content does not have the promised form.
    #[error("{file}: {field}: {message} ({remedy})")]
    Format {
        /// The file's name as the reader knows it.
        file: String,
        /// The field, line or tensor inside it.
        field: String,
        /// What is wrong.
        message: String,
        /// What to do about it.
        remedy: String,
    },
    /// Tensors whose shapes do not fit the operation.
    #[error("{op}: {message}")]
    Shape {
        /// The operation.
        op: &'static str,
        /// The shapes met and expected.
        message: String,
    },
    /// A valid input that this program does not implement.
    #[error("{feature} is not supported ({remedy})")]
    Unsupported {
        /// What was asked for.
        feature: String,
        /// What to use instead.
        remedy: String,
    },
    /// The tensor library failed.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
    /// The tokenizer or its chat template failed.
    #[error("tokenizer: {0}")]
    Tokenizer(String),
    /// The graphics device failed.
    #[error("GPU: {0}")]
    Gpu(String),
}

impl Error {
    /// A stable name that callers in JavaScript can test.
    pub fn name(&self) -> &'static str {
        match self {
            Error::Format { .. } => "FormatError",
            Error::Shape { .. } => "ShapeError",
            Error::Unsupported { .. } => "UnsupportedError",
            Error::Candle(_) => "TensorError",
            Error::Tokenizer(_) => "TokenizerError",
            Error::Gpu(_) => "GpuError",
        }
    }
}

/// The library's result.
pub type Result<T> = std::result::Result<T, Error>;
