//! The one error type of the library. Every variant has a stable [`Error::name`] that the page turns
//! into help text; messages name the file, the field and the remedy.

/// What can go wrong, from a broken file to a lost device.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or one of its fields is not what the format asks for.
    #[error("{file}: {field}: {message}. {remedy}")]
    Format { file: String, field: String, message: String, remedy: String },
    /// A setting is outside what can be run.
    #[error("setting {field}: {message}. {remedy}")]
    Setting { field: &'static str, message: String, remedy: String },
    /// The model or the file asks for something Driftscope does not implement.
    #[error("{feature} is not supported. {remedy}")]
    Unsupported { feature: String, remedy: String },
    /// Operands of an operation do not fit each other.
    #[error("{op}: {message}")]
    Shape { op: &'static str, message: String },
    /// No adapter, a refused limit, a validation error or a lost device.
    #[error("WebGPU: {0}")]
    Gpu(String),
    /// The device was lost; what was not read back is gone.
    #[error("the GPU device was lost: {0}")]
    DeviceLost(String),
    /// The plan needs more memory than this adapter has.
    #[error("the buffer {buffer:?} needs {} of GPU memory, the adapter allows {}. {remedy}", megabytes(*needed), megabytes(*limit))]
    OutOfMemory { buffer: String, needed: u64, limit: u64, remedy: String },
    /// A model, or all arms of a run together, would need more memory than is free.
    #[error("{what} needs {} of memory, {} are free. {remedy}", megabytes(*needed), megabytes(*available))]
    Memory { what: &'static str, needed: u64, available: u64, remedy: String },
    /// The device ran out of memory; what the run held there must not be used.
    #[error("the GPU device has no memory left: {0}")]
    DeviceFull(String),
    #[error("tokenizer: {0}")]
    Tokenizer(String),
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

/// "1.5 MB".
pub fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

impl Error {
    /// A name that never changes, for help texts and tests.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Format { .. } => "format",
            Self::Setting { .. } => "setting",
            Self::Unsupported { .. } => "unsupported",
            Self::Shape { .. } => "shape",
            Self::Gpu(_) => "gpu",
            Self::DeviceLost(_) => "device-lost",
            Self::OutOfMemory { .. } | Self::Memory { .. } | Self::DeviceFull(_) => "out-of-memory",
            Self::Tokenizer(_) => "tokenizer",
            Self::Candle(_) => "cpu-engine",
        }
    }
}

/// What a visitor can do, by [`Error::name`].
pub const HELP: &[(&str, &str)] = &[
    (
        "format",
        "A file or a line of the instruction set is not in the form it should have. Correct the place that is named \
         below and press Reset.",
    ),
    ("setting", "A setting can't be run. Change the one that is named below and press Reset."),
    ("unsupported", "The model or the file asks for something Driftscope can't do."),
    (
        "shape",
        "Two parts of the model do not fit together. The model's files may be damaged or from different versions: \
         reload the page.",
    ),
    (
        "gpu",
        "The graphics device refused a request. Choose “CPU” under This machine: slower, the same results.",
    ),
    (
        "device-lost",
        "The graphics device went away; this happens after sleep or when a driver restarts. The engine is \
         restarting, and the run will resume from its last measurement.",
    ),
    (
        "out-of-memory",
        "There is too little memory for this run. Fewer arms, a smaller batch or shorter examples need less.",
    ),
    ("tokenizer", "A text could not be turned into tokens."),
    ("cpu-engine", "The CPU engine could not do a computation. Reset to start again from the same seed."),
];

pub type Result<T, E = Error> = std::result::Result<T, E>;
