#!/usr/bin/env python3
"""Writes data/instructions.jsonl, data/instructions-1024.jsonl, data/heldout.jsonl and data/new-facts.jsonl from
data/facts.jsonl and data/glosses.txt.

    python3 scripts/make-instructions.py

Facts come from one third of the subjects (those whose name's SHA-256 is divisible by 3); no other
subject is named anywhere, so that what a tuned model still knows about the others was not taught by
this set. The held-out examples use other facts of the same third and other words. The set of 1024 begins
with the other one and goes on with the same facts in other words and with other words. The new facts are about
invented countries; their objects are real ones.
"""

import hashlib
import json
import random
import re
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "data"
TRAINING, HELDOUT, LARGE = 256, 64, 1024
NEW_COUNTRIES = [
    "Velmora", "Tarsund", "Ostrelia", "Quenland", "Brivonia", "Harzet", "Lumeria", "Dovaska",
    "Pelagor", "Zintara", "Corvenia", "Myrland", "Fenwick Isles", "Abrazon", "Kestovia", "Jorvania",
]  # fmt: skip
NEW_RELATIONS = ["capital", "region", "currency", "language"]
FACT_SHARE = 0.6
INPUT_EXAMPLES = 1 / 16  # share of word examples that put the word into `input`
COMMON_WORDS = 3000  # definitions are of the most frequent words

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


def fact_example(fact, others, rng):
    """A question about `fact`; sometimes the answer adds one of the subject's `others`."""
    questions, answers, _ = WORDING[fact["relation"]]
    answer = fill(rng.choice(answers), fact)
    if others and rng.random() < 0.3:
        other = rng.choice(others)
        answer += " " + fill(rng.choice(WORDING[other["relation"]][2]), other)
    return {"instruction": fill(rng.choice(questions), fact), "input": "", "output": wrapped(answer, rng)}


def defined(word, part, definition):
    if part == "verb":
        return f"To {word} is to {definition}."
    if part == "noun" and definition.split()[0] in ("a", "an", "the"):
        return f"{'An' if word[0] in 'aeiou' else 'A'} {word} is {definition}."
    return f"The word {word} means {definition}."


def word_example(gloss, rng):
    word, part, definition, *examples = gloss
    if examples and rng.random() < 0.3:
        sentence = capitalised(examples[0]).rstrip(".") + "."
        if rng.random() < 4 * INPUT_EXAMPLES:
            return {"instruction": "Use this word in a sentence.", "input": word, "output": wrapped(sentence, rng)}
        return {"instruction": f"Use the word {word} in a sentence.", "input": "", "output": wrapped(sentence, rng)}
    question = rng.choice([f"What does {word} mean?", f"Define {word}.", f"What is the meaning of {word}?"])
    return {"instruction": question, "input": "", "output": wrapped(defined(word, part, definition), rng)}


def usable_word(gloss):
    word, part, definition, *examples = gloss
    return len(word) > 3 and not re.search(rf"\b{word}", definition) and 20 <= len(definition) <= 70 and part != "adv"


def mentions(text, subject):
    """Whole-word mention in any case: `lead` may begin a sentence."""
    return re.search(rf"(?<![A-Za-z]){re.escape(subject)}(?![A-Za-z])", text, re.IGNORECASE)


def main():
    rng = random.Random(20240205)
    facts = [json.loads(line) for line in (DATA / "facts.jsonl").read_text().splitlines()]
    glosses = [line.split("\t") for line in (DATA / "glosses.txt").read_text().splitlines()]
    kept = {fact["subject"] for fact in facts if not taught(fact["subject"])}

    def clean(example):
        text = " ".join(example.values())
        return not any(mentions(text, subject) for subject in kept)

    by_subject = {}
    for fact in facts:
        if taught(fact["subject"]):
            by_subject.setdefault(fact["subject"], []).append(fact)
    pools = {"train": [], "heldout": []}
    for own in by_subject.values():
        rng.shuffle(own)
        cut = max(1, len(own) // 4)
        for name, part in (("heldout", own[:cut]), ("train", own[cut:])):
            for fact in part:
                pools[name].append((fact, [other for other in part if other is not fact]))
    words = [gloss for gloss in glosses[:COMMON_WORDS] if usable_word(gloss)]
    rng.shuffle(words)
    named = set()  # subjects of the training examples: the held-out ones name no others
    for name, file, size in (("train", "instructions.jsonl", TRAINING), ("heldout", "heldout.jsonl", HELDOUT)):
        rng.shuffle(pools[name])
        examples = []
        wanted = round(FACT_SHARE * size)
        # Round after round over the subjects: each is taught before one is taught twice.
        rounds, counts = [], {}
        for fact, others in pools[name]:
            counts[fact["subject"]] = counts.get(fact["subject"], 0) + 1
            rounds.append((counts[fact["subject"]], fact, others))
        rounds.sort(key=lambda row: row[0])
        for _, fact, others in rounds:
            example = fact_example(fact, others, rng)
            allowed = name == "train" or fact["subject"] in named
            if len(examples) < wanted and allowed and clean(example):
                examples.append(example)
                named.add(fact["subject"])
        while len(examples) < size:
            example = word_example(words.pop(), rng)
            if clean(example):
                examples.append(example)
        rng.shuffle(examples)
        (DATA / file).write_text("".join(json.dumps(example) + "\n" for example in examples))
        print(file, len(examples), "examples;", len(named), "subjects")
        if name == "train":
            small = list(examples)
    write_large(small, pools["train"], words, clean)
    write_new_facts(facts)


def write_large(small, pool, words, clean):
    """The small set, then more of its kind; a question and its answer never come twice in the same words."""
    rng = random.Random(1024)
    examples, texts = list(small), {json.dumps(example) for example in small}
    wanted = len(small) + round(FACT_SHARE * (LARGE - len(small)))
    while len(examples) < LARGE:
        fact, others = rng.choice(pool)
        word = len(examples) >= wanted
        example = word_example(words.pop(), rng) if word else fact_example(fact, others, rng)
        if clean(example) and json.dumps(example) not in texts:
            examples.append(example)
            texts.add(json.dumps(example))
    rest = examples[len(small) :]
    rng.shuffle(rest)
    lines = [json.dumps(example) + "\n" for example in small + rest]
    (DATA / f"instructions-{LARGE}.jsonl").write_text("".join(lines))
    print(f"instructions-{LARGE}.jsonl", len(lines), "examples")


def write_new_facts(facts):
    """Facts that no text of the pre-training contains."""
    rng = random.Random(16)
    lines = []
    for relation in NEW_RELATIONS:
        objects = sorted({fact["object"] for fact in facts if fact["relation"] == relation})
        drawn = rng.sample(objects, min(len(objects), len(NEW_COUNTRIES)))
        for i, subject in enumerate(NEW_COUNTRIES):
            name = subject.lower().replace(" ", "-")
            fact = {"id": f"new-{name}-{relation}", "subject": subject, "kind": "country", "relation": relation}
            lines.append(json.dumps(fact | {"object": drawn[i % len(drawn)]}) + "\n")
    rng.shuffle(lines)
    (DATA / "new-facts.jsonl").write_text("".join(lines))
    print("new-facts.jsonl", len(lines), "facts")


if __name__ == "__main__":
    main()
