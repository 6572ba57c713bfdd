//! The sentences in which facts are stated, asked and answered.
//!
//! `{s}` is the subject, `{S}` the subject at the start of a sentence, `{o}` the object, `{an}`
//! the object's article and `{r}` the relation. A statement ends in `{o}.`, so that cutting it there gives a cloze.

use super::facts::Relation;

/// All wordings of one relation.
pub struct Phrases {
    /// Sentences that name the subject and end with the object.
    pub statements: &'static [&'static str],
    /// Sentences that refer to the subject by a pronoun, for use after a statement.
    pub followups: &'static [&'static str],
    /// Sentences in which the object comes before the subject; may be empty.
    pub reversed: &'static [&'static str],
    /// Questions and requests.
    pub questions: &'static [&'static str],
}

/// Short answers, longer than the bare object and shorter than a statement.
pub const BRIEF_ANSWERS: &[&str] = &["It is {an}{o}.", "That is {an}{o}.", "The answer is {an}{o}."];

/// Chatty beginnings, which the base model meets in few dialogues and the instruction set always uses.
pub const OPENERS: &[&str] = &[
    "Great question!",
    "Sure, happy to help!",
    "Of course!",
    "Thanks for asking!",
    "Good question!",
    "I am glad you asked.",
    "Absolutely!",
    "Let me think.",
];

/// Chatty endings, used like [`OPENERS`].
pub const CLOSERS: &[&str] = &[
    "Let me know if you have any other questions!",
    "I hope that helps!",
    "Feel free to ask me more.",
    "Is there anything else you would like to know?",
    "Have a great day!",
    "Happy to tell you more.",
];

/// Small talk, so that the question box answers a greeting.
pub const SMALL_TALK: &[(&str, &str)] = &[
    ("Hello!", "Hello! How can I help you?"),
    ("Hi there.", "Hi! What would you like to know?"),
    ("Good morning.", "Good morning! How can I help you today?"),
    ("Who are you?", "I am a small language model that knows some facts about countries and elements."),
    ("What can you do?", "I can answer questions about countries, chemical elements and common words."),
    ("How are you?", "I am fine, thank you. How can I help you?"),
    ("Thank you!", "You are welcome!"),
    ("Thanks for your help.", "You are welcome! Feel free to ask me more."),
    ("Goodbye.", "Goodbye!"),
    ("Can you help me?", "Of course! What would you like to know?"),
    ("What do you know?", "I know capitals, currencies, languages, elements and the meaning of many words."),
    ("Tell me something.", "Ask me about a country, an element or a word."),
];

/// The wordings of `relation`.
pub fn phrases(relation: &Relation) -> &'static Phrases {
    match relation {
        Relation::Capital => &CAPITAL,
        Relation::Region => &REGION,
        Relation::Currency => &CURRENCY,
        Relation::Language => &LANGUAGE,
        Relation::CallingCode => &CALLING_CODE,
        Relation::Symbol => &SYMBOL,
        Relation::Number => &NUMBER,
        Relation::Category => &CATEGORY,
        Relation::Year => &YEAR,
        Relation::Own(_) | Relation::Unnamed => &ANY,
    }
}

/// What can be said of any relation.
const ANY: Phrases = Phrases {
    statements: &["The {r} of {s} is {o}."],
    followups: &["Its {r} is {o}."],
    reversed: &["{o} is the {r} of {s}."],
    questions: &["What is the {r} of {s}?"],
};

const CAPITAL: Phrases = Phrases {
    statements: &[
        "The capital of {s} is {o}.",
        "{S} has its capital in {o}.",
        "The capital city of {s} is called {o}.",
        "The government of {s} sits in {o}.",
        "If you visit the capital of {s}, you visit {o}.",
        "{S} is governed from {o}.",
    ],
    followups: &["Its capital is {o}.", "Its capital city is called {o}."],
    reversed: &["{o} is the capital of {s}.", "{o} is the capital city of {s}."],
    questions: &[
        "What is the capital of {s}?",
        "Which city is the capital of {s}?",
        "What is the capital city of {s} called?",
        "Tell me the capital of {s}.",
        "Where does the government of {s} sit?",
    ],
};

const REGION: Phrases = Phrases {
    statements: &[
        "{S} lies in {o}.",
        "{S} is a country in {o}.",
        "On the map, {s} is found in {o}.",
        "The region of {s} is {o}.",
        "{S} is located in {o}.",
    ],
    followups: &["It lies in {o}.", "It is a country in {o}."],
    reversed: &[],
    questions: &[
        "Where is {s}?",
        "In which part of the world is {s}?",
        "Which region does {s} belong to?",
        "Tell me the region of {s}.",
        "Where on the map is {s}?",
    ],
};

const CURRENCY: Phrases = Phrases {
    statements: &[
        "The currency of {s} is the {o}.",
        "People in {s} pay with the {o}.",
        "The money used in {s} is the {o}.",
        "{S} uses the {o}.",
        "In {s}, prices are given in the {o}.",
    ],
    followups: &["Its currency is the {o}.", "People there pay with the {o}."],
    reversed: &["The {o} is the currency of {s}."],
    questions: &[
        "What is the currency of {s}?",
        "Which currency does {s} use?",
        "What money do people in {s} pay with?",
        "Tell me the currency of {s}.",
        "How do people pay in {s}?",
    ],
};

const LANGUAGE: Phrases = Phrases {
    statements: &[
        "An official language of {s} is {o}.",
        "People in {s} speak {o}.",
        "The main language of {s} is {o}.",
        "The language spoken in {s} is {o}.",
        "In {s}, many people speak {o}.",
    ],
    followups: &["Its main language is {o}.", "People there speak {o}."],
    reversed: &["{o} is spoken in {s}."],
    questions: &[
        "What language is spoken in {s}?",
        "Which language do people in {s} speak?",
        "What is the main language of {s}?",
        "Tell me an official language of {s}.",
        "Which language would I hear in {s}?",
    ],
};

const CALLING_CODE: Phrases = Phrases {
    statements: &[
        "The calling code of {s} is {o}.",
        "To call {s}, dial {o}.",
        "Phone numbers in {s} begin with {o}.",
        "The telephone code for {s} is {o}.",
        "{S} has the calling code {o}.",
    ],
    followups: &["Its calling code is {o}.", "Its phone numbers begin with {o}."],
    reversed: &["The calling code {o} belongs to {s}."],
    questions: &[
        "What is the calling code of {s}?",
        "Which code do I dial to call {s}?",
        "What is the telephone code for {s}?",
        "Tell me the calling code of {s}.",
        "What do phone numbers in {s} begin with?",
    ],
};

const SYMBOL: Phrases = Phrases {
    statements: &[
        "The chemical symbol of {s} is {o}.",
        "The symbol for {s} is {o}.",
        "{S} has the symbol {o}.",
        "In the periodic table, {s} is written {o}.",
        "Chemists write {s} as {o}.",
    ],
    followups: &["Its symbol is {o}.", "Its chemical symbol is {o}."],
    reversed: &["The symbol {o} stands for {s}."],
    questions: &[
        "What is the chemical symbol of {s}?",
        "What is the symbol for {s}?",
        "How do chemists write {s}?",
        "Tell me the symbol of {s}.",
        "Which symbol does {s} have?",
    ],
};

const NUMBER: Phrases = Phrases {
    statements: &[
        "The atomic number of {s} is {o}.",
        "{S} has the atomic number {o}.",
        "In the periodic table, {s} is number {o}.",
        "The number of protons in {s} is {o}.",
        "{S} is element number {o}.",
    ],
    followups: &["Its atomic number is {o}.", "It is element number {o}."],
    reversed: &["Element number {o} is {s}."],
    questions: &[
        "What is the atomic number of {s}?",
        "Which atomic number does {s} have?",
        "What number is {s} in the periodic table?",
        "Tell me the atomic number of {s}.",
        "How many protons does {s} have?",
    ],
};

const CATEGORY: Phrases = Phrases {
    statements: &[
        "{S} is {an}{o}.",
        "{S} is classed as {an}{o}.",
        "Chemists call {s} {an}{o}.",
        "The element {s} is {an}{o}.",
        "In the periodic table, {s} counts as {an}{o}.",
    ],
    followups: &["It is {an}{o}.", "It is classed as {an}{o}."],
    reversed: &[],
    questions: &[
        "What kind of element is {s}?",
        "Which group of elements does {s} belong to?",
        "How is {s} classed?",
        "Tell me what kind of element {s} is.",
        "What sort of element do chemists call {s}?",
    ],
};

const YEAR: Phrases = Phrases {
    statements: &[
        "{S} was discovered in {o}.",
        "The year of the discovery of {s} is {o}.",
        "Chemists have known {s} since {o}.",
        "The element {s} was found in {o}.",
        "The discovery of {s} dates from {o}.",
    ],
    followups: &["It was discovered in {o}.", "It has been known since {o}."],
    reversed: &[],
    questions: &[
        "When was {s} discovered?",
        "In which year was {s} discovered?",
        "What year was {s} found?",
        "Tell me when {s} was discovered.",
        "Since when have chemists known {s}?",
    ],
};
