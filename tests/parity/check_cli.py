#!/usr/bin/env python3
"""Checks `driftscope tune` and `driftscope logits` against PyTorch, transformers and PEFT.

    python3 tests/parity/check_cli.py target/release/driftscope [--backends cpu,gpu]

Atlas is tuned on the first lines of data/instructions.jsonl by both: with each kind of adapter, from one that PEFT
saved, in full, and with both kept near the base. The curves must agree, and what Driftscope saved must load in PEFT or transformers and compute
what Driftscope computes. One line is printed per check; the exit status tells whether all passed.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import torch
import transformers
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

import llamas
import training
from training import Settings

ROOT = Path(__file__).resolve().parents[2]
ATLAS = ROOT / "models" / "atlas"
INSTRUCTIONS = ROOT / "data" / "instructions.jsonl"
LINES, BATCH, SEED = 24, 4, 1
MAX_LEN = 48  # cuts a few of the examples

# The decay is strong, so that its absence would show.
COMMON = dict(steps=20, schedule="cosine", warmup=3, weight_decay=1.0)
HELD = dict(COMMON, steps=50, kl_to_base=0.3)
SETTINGS = {
    "full": Settings(lr=3e-4, clip=1.5, **COMMON),
    "lora": Settings(lr=3e-3, clip=0.4, **COMMON),
    "rslora": Settings(lr=3e-3, clip=0.4, **COMMON),
    "dora": Settings(lr=3e-3, clip=0.4, **COMMON),
    "full-kl": Settings(lr=3e-4, clip=1.5, **HELD),
    "lora-kl": Settings(lr=3e-3, clip=0.4, **HELD),
}
# Largest relative differences.
TOLERANCES = {"loss": 1e-3, "lr": 1e-6, "grad_norm": 1e-2, "tokens": 0.0}
LOGITS_TOLERANCE = 1e-4  # of the largest logit


class Checks:
    """Prints a line per check and remembers failures."""

    def __init__(self):
        self.failed = 0

    def __call__(self, what, value, tolerance):
        passed = value <= tolerance  # a NaN fails
        self.failed += not passed
        print(f"{'ok  ' if passed else 'FAIL'} {what}: {value:.1e} (at most {tolerance:.0e})", flush=True)

    def failure(self, what, error):
        self.failed += 1
        print(f"FAIL {what}: {error}", flush=True)


# The reference


def read_rows(tokenizer, path):
    """Prompt and answer as the chat template renders them; the end token belongs to the answer."""
    rows = []
    for line in path.read_text().splitlines():
        example = json.loads(line)
        question = example["instruction"] + ("\n" + example["input"] if example["input"] else "")
        turns = [{"role": "user", "content": question}]
        answered = [*turns, {"role": "assistant", "content": example["output"]}]
        prompt = encode(tokenizer, tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
        tokens = encode(tokenizer, tokenizer.apply_chat_template(answered, tokenize=False))
        assert tokens[: len(prompt)] == prompt and tokens[-1] == tokenizer.eos_token_id, line
        rows.append({"tokens": tokens[:MAX_LEN], "response": len(prompt)})
    return rows


def encode(tokenizer, text):
    return tokenizer(text, add_special_tokens=False).input_ids


def in_file_order(rows, steps):
    """Batches of consecutive rows that begin again at the end, each a step of one micro-batch."""
    return [[[rows[(step * BATCH + i) % len(rows)] for i in range(BATCH)]] for step in range(steps)]


def load_base(folder=ATLAS):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


def load(method, adapter):
    return llamas.load_adapter(load_base(), adapter) if llamas.METHODS[method] else load_base()


# Driftscope


def driftscope(binary, *arguments):
    done = subprocess.run([binary, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"driftscope {arguments[0]} exited with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def adapter_options(method, adapter):
    if not llamas.METHODS[method]:
        return ["--method", "full"]
    config = llamas.ADAPTERS[llamas.METHODS[method]]
    return [
        "--method", "lora", "--adapter", adapter,
        "--rank", config["r"], "--alpha", config["lora_alpha"], "--targets", ",".join(config["target_modules"]),
        *(["--rslora"] if config.get("use_rslora") else []), *(["--dora"] if config.get("use_dora") else []),
    ]  # fmt: skip


def tune(binary, backend, method, data, adapter, save, accumulate):
    """Runs the command line and returns its log as training.train returns a curve."""
    settings, log = SETTINGS[method], save.with_suffix(".jsonl")
    driftscope(
        binary, "tune", "--model", ATLAS, "--data", data, *adapter_options(method, adapter),
        "--lr", settings.lr, "--steps", settings.steps, "--warmup", settings.warmup, "--schedule", settings.schedule,
        "--weight-decay", settings.weight_decay, "--clip", settings.clip, "--max-len", MAX_LEN,
        "--kl-to-base", settings.kl_to_base,
        "--batch", BATCH // accumulate, "--accumulate", accumulate, "--no-shuffle", "--seed", SEED,
        "--backend", backend, "--save", save, "--log", log,
    )  # fmt: skip
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    if [line["step"] for line in lines] != list(range(1, settings.steps + 1)):
        raise RuntimeError(f"the log's steps are not 1 to {settings.steps}")
    return {key: [line[key] for line in lines] for key in TOLERANCES}


def driftscope_logits(binary, backend, tokens, *options):
    listed = ",".join(map(str, tokens))
    output = driftscope(binary, "logits", *options, "--backend", backend, "--tokens", listed, "--json")
    return torch.tensor(json.loads(output)["logits"])


# The checks


def logits_difference(found, expected):
    if found.shape != expected.shape:
        raise RuntimeError(f"logits have the shape {tuple(found.shape)}, not {tuple(expected.shape)}")
    return float((found - expected).abs().max() / expected.abs().max())


def check_curve(check, name, curve, expected):
    for key, tolerance in TOLERANCES.items():
        check(f"{name}: {key}", training.largest_relative(curve[key], expected[key]), tolerance)


def check_saved(check, name, binary, backend, method, save, tokens):
    """What was saved loads in PEFT or transformers and computes the same."""
    if not llamas.METHODS[method]:
        model, options = load_base(save), ["--model", save]
        same = AutoTokenizer.from_pretrained(save).decode(tokens) == AutoTokenizer.from_pretrained(ATLAS).decode(tokens)
        check(f"{name}: saved tokenizer", 0.0 if same else 1.0, 0.0)
    else:
        model, options = PeftModel.from_pretrained(load_base(), save), ["--model", ATLAS, "--adapter", save]
    expected = training.logits(model.eval(), tokens)
    found = driftscope_logits(binary, backend, tokens, *options)
    check(f"{name}: logits of what was saved", logits_difference(found, expected), LOGITS_TOLERANCE)


def check_method(check, binary, backends, method, data, rows, folder):
    adapter = folder / f"start-{method}"
    if llamas.METHODS[method]:
        llamas.save_adapter(load_base(), adapter, llamas.ADAPTERS[llamas.METHODS[method]], SEED, spread=0.05)
    tokens = rows[0]["tokens"]
    model = load(method, adapter)
    start = training.logits(model, tokens)
    settings = SETTINGS[method]
    base = load_base().eval() if settings.kl_to_base else None
    expected = training.train(model, in_file_order(rows, settings.steps), settings, base)
    first, last = expected["loss"][0], expected["loss"][-1]
    print(f"     {method}: PyTorch's loss goes from {first:.4f} to {last:.4f}", flush=True)

    start_options = ["--model", ATLAS, *(["--adapter", adapter] if llamas.METHODS[method] else [])]
    for backend in backends:
        name = f"{method}, {backend}"
        try:
            found = driftscope_logits(binary, backend, tokens, *start_options)
            check(f"{name}: logits at the start", logits_difference(found, start), LOGITS_TOLERANCE)
            save = folder / f"{method}-{backend}"
            check_curve(check, name, tune(binary, backend, method, data, adapter, save, 1), expected)
            check_saved(check, name, binary, backend, method, save, tokens)
            if method == "lora":
                # Halves of a batch give the gradient of the whole: the loss is over all their tokens.
                halves = tune(binary, backend, method, data, adapter, folder / f"halves-{backend}", 2)
                check_curve(check, f"{name}, two halves", halves, expected)
        except Exception as error:  # a folder that can't be loaded must not end the other checks
            check.failure(name, repr(error))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", type=Path)
    parser.add_argument("--backends", default="cpu", help="cpu, gpu or cpu,gpu")
    arguments = parser.parse_args()
    binary, backends = arguments.binary.resolve(), arguments.backends.split(",")
    transformers.utils.logging.disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning)

    check = Checks()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = folder / "data.jsonl"
        data.write_text("".join(INSTRUCTIONS.read_text().splitlines(keepends=True)[:LINES]))
        rows = read_rows(AutoTokenizer.from_pretrained(ATLAS), data)
        for method in SETTINGS:
            check_method(check, binary, backends, method, data, rows, folder)
    print(f"command line: {check.failed} failed" if check.failed else "command line: all checks passed")
    sys.exit(1 if check.failed else 0)


if __name__ == "__main__":
    main()
