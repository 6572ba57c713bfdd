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

import json
import random
import re
from pathlib import Path

from instruction_wording import WORDING, capitalised, fill, mentions, taught, wrapped

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
