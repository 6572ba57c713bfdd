"""Writes tests/fixtures/smollm2.json: what transformers makes of SmolLM2-135M-Instruct's Q4_1 GGUF.

Usage: make_smollm2.py MODEL.gguf FILE
"""

import json
import pathlib
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

QUESTIONS = ["What is the capital of France?", "Name three colours."]


def main(path, file):
    folder = {"pretrained_model_name_or_path": path.parent, "gguf_file": path.name}
    model = AutoModelForCausalLM.from_pretrained(**folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(**folder)
    cases = []
    for question in QUESTIONS:
        turns = [{"role": "user", "content": question}]
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        prompt = tokenizer(text, add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            logits = model(torch.tensor([prompt])).logits[0, -1, :64].tolist()
            answer = model.generate(torch.tensor([prompt]), max_new_tokens=24, do_sample=False)[0, len(prompt) :]
        answer = tokenizer.decode(answer, skip_special_tokens=True)
        cases.append({"question": question, "prompt": prompt, "logits": logits, "answer": answer})
    with open(file, "w", encoding="utf-8") as out:
        json.dump(cases, out)
        out.write("\n")
    print(f"smollm2: {[case['answer'] for case in cases]}")


main(pathlib.Path(sys.argv[1]), sys.argv[2])
