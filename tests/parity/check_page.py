#!/usr/bin/env python3
"""Checks what the page saved against PEFT and transformers.

    python3 tests/parity/check_page.py test-artifacts/adapters/cpu

tests/browser/adapters.spec.js leaves three files there: lora.zip, full.zip, and run.json, the run they were saved from. Its
last answer of each arm has, at each token, the ten likeliest tokens and their log-probabilities as the page measured
them; the unpacked folders must give the same. One line is printed per check; the exit status tells whether all passed.
"""

import json
import sys
import tempfile
import warnings
import zipfile
from pathlib import Path

import torch
import transformers
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

ATLAS = Path(__file__).resolve().parents[2] / "models" / "atlas"
TOLERANCE = 1e-4  # nats


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


def last_answer(events, arm):
    return [event for event in events if event["type"] == "text" and event["arm"] == arm][-1]


def largest_difference(model, tokenizer, answer):
    """Between the log-probabilities of the record and the model's, over the answer's tokens; and how many were compared."""
    turns = [{"role": "user", "content": answer["question"]}]
    prompt = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    tokens = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    texts = {}
    for token in range(len(tokenizer)):
        texts.setdefault(tokenizer.decode([token]), []).append(token)
    worst = 0.0
    for recorded in answer["tokens"]:
        with torch.no_grad():
            found = model(torch.tensor([tokens])).logits[0, -1].log_softmax(-1)
        own = min(texts[recorded["text"]], key=lambda token: abs(found[token] - recorded["logprob"]))
        expected = torch.tensor([logprob for _, logprob in recorded["top"]])
        differences = torch.cat([(found.topk(len(expected)).values - expected), (found[own] - recorded["logprob"])[None]])
        worst = max(worst, differences.abs().max().item())
        tokens.append(own)
    return worst, len(answer["tokens"])


def main():
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    saved = Path(sys.argv[1])
    events = json.loads((saved / "run.json").read_text())["events"]
    failed = False
    with tempfile.TemporaryDirectory() as made:
        for arm in ["lora", "full"]:
            folder = Path(made) / arm
            zipfile.ZipFile(saved / f"{arm}.zip").extractall(folder)
            model = PeftModel.from_pretrained(load(ATLAS), folder) if arm == "lora" else load(folder)
            tokenizer = AutoTokenizer.from_pretrained(ATLAS if arm == "lora" else folder)
            worst, count = largest_difference(model.eval(), tokenizer, last_answer(events, arm))
            passed = count > 0 and worst <= TOLERANCE
            failed |= not passed
            print(f"{'ok  ' if passed else 'FAIL'} {arm}.zip: {worst:.1e} nats over {count} tokens (at most {TOLERANCE:.0e})")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
