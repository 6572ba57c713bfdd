//! What a fact says about its subject.

/// The relation of a subject to an object. Those that the base model was pre-trained on come first, in the order in which tables
/// show them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Relation {
    Capital,
    Region,
    Currency,
    Language,
    CallingCode,
    Symbol,
    Number,
    Category,
    Year,
    /// One that a visitor names.
    Own(String),
    /// The one shared by all questions and sentences of a file that name no relation.
    Unnamed,
}

impl Relation {
    /// Those with wordings of their own, which data/facts.jsonl has.
    pub const BUILT_IN: [Self; 9] = [
        Self::Capital,
        Self::Region,
        Self::Currency,
        Self::Language,
        Self::CallingCode,
        Self::Symbol,
        Self::Number,
        Self::Category,
        Self::Year,
    ];

    /// The built-in relation that data/facts.jsonl calls so.
    pub fn built_in(key: &str) -> Option<Self> {
        Self::BUILT_IN.into_iter().find(|relation| relation.key() == Some(key))
    }

    /// What data/facts.jsonl calls a built-in relation.
    fn key(&self) -> Option<&'static str> {
        match self {
            Self::Capital => Some("capital"),
            Self::Region => Some("region"),
            Self::Currency => Some("currency"),
            Self::Language => Some("language"),
            Self::CallingCode => Some("calling_code"),
            Self::Symbol => Some("symbol"),
            Self::Number => Some("number"),
            Self::Category => Some("category"),
            Self::Year => Some("year"),
            Self::Own(_) | Self::Unnamed => None,
        }
    }

    /// The relation as a reader names it.
    pub fn label(&self) -> &str {
        match self {
            Self::CallingCode => "calling code",
            Self::Number => "atomic number",
            Self::Year => "year of discovery",
            Self::Own(name) => name,
            Self::Unnamed => "answer",
            built_in => built_in.key().unwrap_or_default(),
        }
    }
}
