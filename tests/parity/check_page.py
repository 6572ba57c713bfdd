#!/usr/bin/env python3
"""Checks what the page saved against PEFT and transformers.

    python3 tests/parity/check_page.py test-artifacts/adapters/cpu
    python3 tests/parity/check_page.py test-artifacts/adapters/smollm2 MODEL.gguf

tests/browser/adapters.spec.js and model.spec.js leave files there: lora.zip, full.zip, and run.json, the run they were saved from. Its
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


def load(base, read=AutoModelForCausalLM, **options):
    """From a folder, or from a GGUF file."""
    if base.suffix == ".gguf":
        return read.from_pretrained(base.parent, gguf_file=base.name, **options)
    return read.from_pretrained(base, **options)


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
    base = Path(sys.argv[2]) if len(sys.argv) > 2 else ATLAS
    events = json.loads((saved / "run.json").read_text())["events"]
    failed = False
    with tempfile.TemporaryDirectory() as made:
        for arm in [arm for arm in ["lora", "full"] if (saved / f"{arm}.zip").exists()]:
            folder = Path(made) / arm
            zipfile.ZipFile(saved / f"{arm}.zip").extractall(folder)
            start = base if arm == "lora" else folder
            model = load(start, dtype=torch.float32)
            if arm == "lora":
                model = PeftModel.from_pretrained(model, folder)
            tokenizer = load(start, AutoTokenizer)
            worst, count = largest_difference(model.eval(), tokenizer, last_answer(events, arm))
            passed = count > 0 and worst <= TOLERANCE
            failed |= not passed
            print(f"{'ok  ' if passed else 'FAIL'} {arm}.zip: {worst:.1e} nats over {count} tokens (at most {TOLERANCE:.0e})")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
