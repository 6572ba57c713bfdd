#!/usr/bin/env python3
"""Writes tests/fixtures/atlas_logits.json: what Hugging Face's transformers computes for models/atlas.

    pip install torch transformers
    python3 scripts/make-logits-fixture.py

The Rust test `transformers_agrees` compares tokenizer, chat template and logits with it.
"""

import json
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = Path(__file__).resolve().parent.parent
QUESTIONS = ["What is the capital of France?", "Tell me the symbol of gold.", "What does whole mean?"]


def main():
    folder = ROOT / "models" / "atlas"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    rows = []
    for question in QUESTIONS:
        messages = [{"role": "user", "content": question}]
        prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        ids = tokenizer(prompt, return_tensors="pt").input_ids
        with torch.no_grad():
            logits = model(ids).logits[0, -1]
            answer = model.generate(ids, max_new_tokens=32, do_sample=False)[0, ids.shape[1] :]
        rows.append(
            {
                "question": question,
                "prompt": prompt,
                "ids": ids[0].tolist(),
                # Every 16th logit of the last position.
                "logits": [round(value, 5) for value in logits[::16].tolist()],
                "answer": tokenizer.decode(answer),
            }
        )
        print(rows[-1]["answer"])
    fixture = ROOT / "tests" / "fixtures" / "atlas_logits.json"
    fixture.parent.mkdir(parents=True, exist_ok=True)
    fixture.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
