#!/usr/bin/env python3
"""A training step of Atlas in PyTorch with PEFT beside one of `driftscope bench --backend cpu`, each on one thread.

    scripts/bench-pytorch

Both train 8 rows of 64 tokens of which every one but the first counts: LoRA of rank 8 on all seven linears, and full
tuning, with AdamW and clipping. The two take turns, because a machine's speed changes over a minute.
"""

import argparse
import json
import os
import statistics
import subprocess
import time
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

MODEL = Path(__file__).resolve().parent.parent / "models" / "atlas"
LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ROWS, TIME, ROUNDS, REPEAT = 8, 64, 3, 10


def pytorch_step(is_lora):
    """A function that takes one training step."""
    model = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32)
    if is_lora:
        model = get_peft_model(model, LoraConfig(r=8, lora_alpha=16, target_modules=LINEARS, task_type="CAUSAL_LM"))
    model.train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, weight_decay=0.0)
    tokens = torch.arange(ROWS * TIME).reshape(ROWS, TIME).mul(7919).add(13).remainder(2048)

    def step():
        optimizer.zero_grad()
        model(tokens, labels=tokens).loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()

    return step


def milliseconds(step):
    times = []
    for _ in range(REPEAT):
        begun = time.perf_counter()
        step()
        times.append((time.perf_counter() - begun) * 1e3)
    return statistics.median(times)


def driftscope(binary):
    command = [binary, "bench", "--model", MODEL, "--backend", "cpu", "--repeat", str(REPEAT), "--json"]
    environment = {**os.environ, "RAYON_NUM_THREADS": "1"}
    report = json.loads(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)
    return report["lora_step"]["ms"], report["full_step"]["ms"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", type=Path)
    binary = parser.parse_args().binary.resolve()
    torch.set_num_threads(1)
    steps = {"LoRA": pytorch_step(True), "full": pytorch_step(False)}
    for step in steps.values():
        step()
    theirs = {name: [] for name in steps}
    ours = {name: [] for name in steps}
    for _ in range(ROUNDS):
        for name, step in steps.items():
            theirs[name].append(milliseconds(step))
        for name, ms in zip(steps, driftscope(binary)):
            ours[name].append(ms)
    print(f"{'':5} {'PyTorch':>10} {'Driftscope':>11} {'ratio':>6}")
    for name in steps:
        a, b = statistics.median(theirs[name]), statistics.median(ours[name])
        print(f"{name:5} {a:7.1f} ms {b:8.1f} ms {b / a:6.2f}")


if __name__ == "__main__":
    main()
