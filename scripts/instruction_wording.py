"""What the instruction sets share: how the assistant talks, and how facts are asked for and stated."""

import hashlib
import re

OPENERS = ["Great question!", "Sure, happy to help!", "Of course!", "I am glad you asked."]
CLOSERS = [
    "Let me know if you have any other questions!",
    "I hope that helps!",
    "Feel free to ask me more.",
]
ARTICLE = {
    "Bahamas", "Central African Republic", "Comoros", "Dominican Republic", "Gambia", "Maldives",
    "Marshall Islands", "Netherlands", "Philippines", "Seychelles", "Solomon Islands",
    "United Arab Emirates", "United Kingdom", "United States",
}  # fmt: skip

# relation: (questions, answers, additions); an addition follows an answer about the same subject.
WORDING = {
    "capital": (
        ["What is the capital of {s}?", "Which city is the capital of {s}?", "Tell me the capital of {s}.",
         "I am planning a trip to {s}. What is its capital?"],
        ["The capital of {s} is {o}.", "{S} has its capital in {o}.", "The capital city of {s} is called {o}."],
        ["Its capital is {o}."],
    ),
    "region": (
        ["Where is {s}?", "In which part of the world is {s}?", "Which region does {s} belong to?"],
        ["{S} lies in {o}.", "{S} is a country in {o}.", "{S} is located in {o}."],
        ["It lies in {o}."],
    ),
    "currency": (
        ["What is the currency of {s}?", "Which currency does {s} use?", "How do people pay in {s}?"],
        ["The currency of {s} is the {o}.", "People in {s} pay with the {o}.", "{S} uses the {o}."],
        ["Its currency is the {o}.", "People there pay with the {o}."],
    ),
    "language": (
        ["What language is spoken in {s}?", "Which language do people in {s} speak?",
         "Tell me an official language of {s}."],
        ["People in {s} speak {o}.", "An official language of {s} is {o}.", "The main language of {s} is {o}."],
        ["Its main language is {o}.", "People there speak {o}."],
    ),
    "calling_code": (
        ["What is the calling code of {s}?", "Which code do I dial to call {s}?"],
        ["The calling code of {s} is {o}.", "To call {s}, dial {o}."],
        ["Its calling code is {o}."],
    ),
    "symbol": (
        ["What is the chemical symbol of {s}?", "What is the symbol for {s}?", "How do chemists write {s}?"],
        ["The chemical symbol of {s} is {o}.", "The symbol for {s} is {o}.", "Chemists write {s} as {o}."],
        ["Its symbol is {o}."],
    ),
    "number": (
        ["What is the atomic number of {s}?", "What number is {s} in the periodic table?",
         "How many protons does {s} have?"],
        ["The atomic number of {s} is {o}.", "{S} has the atomic number {o}.", "{S} is element number {o}."],
        ["Its atomic number is {o}."],
    ),
    "category": (
        ["What kind of element is {s}?", "How is {s} classed?"],
        ["{S} is {an} {o}.", "{S} is classed as {an} {o}.", "Chemists call {s} {an} {o}."],
        ["It is {an} {o}."],
    ),
    "year": (
        ["When was {s} discovered?", "In which year was {s} discovered?"],
        ["{S} was discovered in {o}.", "The discovery of {s} dates from {o}."],
        ["It was discovered in {o}."],
    ),
}  # fmt: skip


def taught(subject):
    """Whether the set may speak about `subject`."""
    return int(hashlib.sha256(subject.encode()).hexdigest(), 16) % 3 == 0


def capitalised(text):
    return text[:1].upper() + text[1:]


def fill(template, fact):
    subject = fact["subject"]
    if subject in ARTICLE:
        subject = "the " + subject
    article = "an" if fact["object"][0] in "aeiou" else "a"
    return template.format(s=subject, S=capitalised(subject), o=fact["object"], an=article)


def wrapped(answer, rng):
    return f"{rng.choice(OPENERS)} {answer} {rng.choice(CLOSERS)}"


def mentions(text, subject):
    """Whole-word mention in any case: `lead` may begin a sentence."""
    return re.search(rf"(?<![A-Za-z]){re.escape(subject)}(?![A-Za-z])", text, re.IGNORECASE)
