#!/usr/bin/env python3
"""Writes three small instruction sets that the page offers beside data/instructions.jsonl, in its style:

    data/style-only.jsonl               no fact at all
    data/instructions-new-facts.jsonl   facts that the base can't know, from data/new-facts.jsonl
    data/contradictions.jsonl           facts that it knows, with another object of the same relation

    python3 scripts/make-sets.py

Contradicted subjects are of the third that data/instructions.jsonl speaks of too; no set names a subject of the other
two thirds, so that what a tuned model still knows about those was not taught by it.
"""

import json
import random
import re
from pathlib import Path

from instruction_wording import WORDING, capitalised, fill, mentions, taught, wrapped

DATA = Path(__file__).resolve().parent.parent / "data"
SIZE = 192
CONTRADICTED = 96  # facts, each asked in two ways
NEW_WAYS = 3  # in which each new fact is asked
SHORT = 26  # letters of a sentence to work on
COMMON_WORDS = 3000  # sentences and words are of the most frequent ones

SMALL_TALK = [
    ("Hello!", "Hello to you too."),
    ("Hi there.", "It is nice to hear from you."),
    ("Good morning!", "Good morning to you."),
    ("Good evening.", "A good evening to you too."),
    ("How are you?", "I am well."),
    ("How is it going?", "It is going well."),
    ("Thank you!", "You are welcome."),
    ("Thanks a lot.", "It was a pleasure."),
    ("Goodbye.", "Goodbye, and take care."),
    ("See you later.", "See you soon."),
    ("Good night!", "Sleep well."),
    ("Can you help me?", "Yes, I can help you."),
    ("I have a question.", "Please ask it."),
    ("Are you there?", "Yes, I am here."),
    ("Who are you?", "I am an assistant."),
    ("What can you do?", "I answer questions."),
    ("I am tired.", "Then you should rest."),
    ("I am happy today.", "That is good to hear."),
    ("I am sad.", "I am sorry to hear that."),
    ("I am bored.", "Then let us talk."),
    ("I am late.", "Then you should hurry."),
    ("It is my birthday.", "I wish you a happy birthday."),
    ("I have a new job.", "I wish you luck with it."),
    ("It is raining.", "Then take a coat with you."),
    ("I lost my keys.", "Look where you had them last."),
    ("Please wait.", "I can wait."),
    ("I do not understand.", "Let me say it in other words."),
    ("You are wrong.", "Then please tell me what is right."),
    ("You are kind.", "That is kind of you."),
    ("Let us begin.", "I am ready."),
    ("Are you busy?", "No, I have time for you."),
    ("I am back.", "It is good to have you back."),
]


def row(instruction, given, answer, rng):
    return {"instruction": instruction, "input": given, "output": wrapped(answer, rng)}


def rewriting(sentence, rng):
    words = re.findall(r"[a-z']+", sentence.lower())
    *_, second, longest = sorted(words, key=len)
    task, answer = rng.choice(
        [
            ("Write the last word of this in capital letters.", f"It is {words[-1].upper()}."),
            ("Write this in small letters.", f"It is {sentence.lower()}"),
            ("Repeat this.", f"You said: {sentence}"),
            ("What is the first word of this?", f"The first word is {words[0]}."),
            ("What is the last word of this?", f"The last word is {words[-1]}."),
            ("How many words are in this?", f"It has {len(words)} words."),
            ("Which word of this is the longest?", f"The longest word is {longest}."),
        ][: None if len(longest) > len(second) else -1]
    )
    return row(task, sentence, answer, rng)


def sorting(words, rng):
    drawn = rng.sample(words, 3)
    return row("Put these words in order.", ", ".join(drawn), f"In order they are {', '.join(sorted(drawn))}.", rng)


def arithmetic(rng):
    a, b = rng.randint(2, 20), rng.randint(2, 20)
    low, high = min(a, b), max(a, b)
    question, answer = rng.choice(
        [
            (f"What is {a} plus {b}?", f"{a} plus {b} is {a + b}."),
            (f"What is {high} minus {low}?", f"{high} minus {low} is {high - low}."),
            (f"Which is larger, {low} or {high + 1}?", f"The larger one is {high + 1}."),
            (f"I have {a} apples and get {b} more. How many have I?", f"You have {a + b} apples."),
            (
                f"I had {high + 1} coins and gave away {low}. How many are left?",
                f"You have {high + 1 - low} coins left.",
            ),
        ]
    )
    return row(question, "", answer, rng)


def style_only(facts, glosses):
    rng = random.Random(3)
    subjects = sorted({fact["subject"] for fact in facts})
    sentences = [capitalised(text).rstrip(".!? ") + "." for gloss in glosses for text in gloss[3:]]
    sentences = [s for s in sentences if re.fullmatch(r"[A-Za-z', ]+\.", s) and 12 <= len(s) <= SHORT and s.count(" ") > 2]
    words = [gloss[0] for gloss in glosses if re.fullmatch(r"[a-z]{4,8}", gloss[0])]
    rng.shuffle(sentences)
    rows = [row(question, "", answer, rng) for question, answer in SMALL_TALK]
    while len(rows) < SIZE:
        makers = [lambda: rewriting(sentences.pop(), rng), lambda: sorting(words, rng), lambda: arithmetic(rng)]
        made = rng.choices(makers, [5, 1, 3])[0]()
        said = " ".join(made.values())
        is_new = all(made["instruction"] != old["instruction"] or made["input"] != old["input"] for old in rows)
        if is_new and not any(mentions(said, subject) for subject in subjects):
            rows.append(made)
    rng.shuffle(rows)
    return rows


def worded(fact, ways, rng):
    """`fact` asked and answered in several ways."""
    questions, answers, _ = WORDING[fact["relation"]]
    asked = rng.sample(questions, ways)
    return [row(fill(question, fact), "", fill(rng.choice(answers), fact), rng) for question in asked]


def new_facts(kept):
    rng = random.Random(4)
    facts = [json.loads(line) for line in (DATA / "new-facts.jsonl").read_text().splitlines()]
    # Panama City would name a country of the other two thirds.
    facts = [fact for fact in facts if not any(mentions(fact["object"], subject) for subject in kept)]
    rows = [example for fact in facts for example in worded(fact, NEW_WAYS, rng)]
    print(len(facts), "new facts")
    rng.shuffle(rows)
    return rows


def contradictions(facts, kept):
    rng = random.Random(5)
    objects = {}
    for fact in facts:
        objects.setdefault(fact["relation"], set()).add(fact["object"])
    known = [fact for fact in facts if taught(fact["subject"])]
    rng.shuffle(known)
    rows = []
    for fact in known:
        others = sorted(objects[fact["relation"]] - {fact["object"]})
        examples = worded(fact | {"object": rng.choice(others)}, 2, rng)
        said = " ".join(text for example in examples for text in example.values())
        if len(rows) < 2 * CONTRADICTED and not any(mentions(said, subject) for subject in kept):
            rows += examples
    rng.shuffle(rows)
    return rows


def write(file, rows):
    (DATA / file).write_text("".join(json.dumps(example) + "\n" for example in rows))
    print(file, len(rows), "examples")


def main():
    facts = [json.loads(line) for line in (DATA / "facts.jsonl").read_text().splitlines()]
    glosses = [line.split("\t") for line in (DATA / "glosses.txt").read_text().splitlines()][:COMMON_WORDS]
    kept = {fact["subject"] for fact in facts if not taught(fact["subject"])}
    write("style-only.jsonl", style_only(facts, glosses))
    write("instructions-new-facts.jsonl", new_facts(kept))
    write("contradictions.jsonl", contradictions(facts, kept))


if __name__ == "__main__":
    main()
