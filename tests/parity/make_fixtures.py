#!/usr/bin/env python3
"""Writes tests/fixtures/parity: what PyTorch, transformers and PEFT compute for three tiny random Llamas.

    python3 tests/parity/make_fixtures.py FOLDER

Beside each model (config.json, model.safetensors) lie

  adapter-{lora,rslora,dora}/     adapters to start from, as PEFT saves them
  batches.json                    steps of micro-batches of rows {"tokens", "response"}, which training.py explains
  cases.json                      {"tokens": the sequence of the logits}
  logits.safetensors              (T,V): "base", "<adapter>.start", "<method>.trained" after the last step
  gradients-<method>.safetensors  of the mean loss over the very first micro-batch, unclipped, under saved names
  spectra.safetensors             of one model's linear layers with a stronger adapter-lora, as spectra.py explains
  curves.json                     by method: {"settings": {...}, "loss", "grad_norm", "lr", "tokens": a value per step}

where a method is full, one of the adapters, or full-kl and lora-kl, which are kept near the base. A step's loss is taken before its update, its gradient norm before
clipping; its tokens are the response tokens of all its micro-batches.

Each training run is repeated in float64. If rounding alone changed a loss by more than LARGEST_DRIFT, a comparison
with another implementation would mean little, and this program fails.
"""

import argparse
import json
import random
import warnings
from dataclasses import asdict
from pathlib import Path

import torch
import torch.nn.functional as F
import transformers
from safetensors.torch import save_file
from transformers.models.llama.modeling_llama import LlamaRMSNorm

import llamas
import training
import spectra

LARGEST_DRIFT = 1e-4  # relative
SEQUENCE = 43  # tokens; longer than the 32 positions that rope-llama3 was "trained" on


def write_model(folder, name, seed):
    """The model and its adapters; returns the steps and the sequence whose logits are kept."""
    llamas.save_llama(folder, name, seed)
    for method, config in llamas.ADAPTERS.items():
        llamas.save_adapter(llamas.load_llama(folder), folder / f"adapter-{method}", config, seed)
    vocabulary = llamas.SHAPES[name]["vocab_size"]
    steps = llamas.random_steps(vocabulary, seed)
    tokens = random.Random(seed).choices(range(vocabulary), k=SEQUENCE)
    lines = ",\n".join(json.dumps(step, separators=(",", ":")) for step in steps)
    (folder / "batches.json").write_text(f"[\n{lines}\n]\n")
    (folder / "cases.json").write_text(json.dumps({"tokens": tokens}) + "\n")
    return steps, tokens


def load(folder, method):
    base, adapter = llamas.load_llama(folder), llamas.METHODS[method]
    return base if adapter is None else llamas.load_adapter(base, folder / f"adapter-{adapter}")


def load_reference(folder, settings):
    """What kl_to_base refers to."""
    return llamas.load_llama(folder).eval() if settings.kl_to_base else None


def in_float64(model):
    """The same model without the casts to float32 in transformers' norms and eager attention."""
    model.config._attn_implementation = "sdpa"
    for module in model.modules():
        if isinstance(module, LlamaRMSNorm):
            module.forward = lambda x, norm=module: F.rms_norm(x, x.shape[-1:], norm.weight, norm.variance_epsilon)
    return model.double()


def write_fixture(folder, name, seed):
    steps, tokens = write_model(folder, name, seed)
    logits = {"base": training.logits(load(folder, "full"), tokens)}
    curves = {}
    for method, settings in llamas.SETTINGS.items():
        model, base = load(folder, method), load_reference(folder, settings)
        if method in llamas.ADAPTERS:
            logits[f"{method}.start"] = training.logits(model, tokens)
        gradients = training.gradients(model, steps[0][0], base, settings.kl_to_base)
        save_file(gradients, folder / f"gradients-{method}.safetensors")
        curve = training.train(model, steps, settings, base)
        logits[f"{method}.trained"] = training.logits(model, tokens)
        curves[method] = {"settings": asdict(settings), **curve}

        exact = in_float64(load(folder, method))
        exact_curve = training.train(exact, steps, settings, base and in_float64(base))
        exact_logits = training.logits(exact, tokens)
        drift = training.largest_relative(curve["loss"], exact_curve["loss"])
        logits_drift = (logits[f"{method}.trained"] - exact_logits).abs().max() / exact_logits.abs().max()
        clipped = sum(norm > settings.clip for norm in curve["grad_norm"])
        first, last = (sum(part) / 5 for part in (curve["loss"][:5], curve["loss"][-5:]))
        print(f"{name} {method}: loss {first:.2f} to {last:.2f}, {clipped} of {settings.steps} steps clipped; "
              f"float64 differs by {drift:.1e} in the loss, {logits_drift:.1e} in the logits")
        if not drift <= LARGEST_DRIFT:
            raise SystemExit(f"{name} {method}: more than {LARGEST_DRIFT:.0e}; choose a lower rate")
    save_file(logits, folder / "logits.safetensors")
    if name == spectra.MODEL:
        save_file(spectra.spectra(folder), folder / "spectra.safetensors")
    text = ",\n".join(f"{json.dumps(method)}: {json.dumps(curve)}" for method, curve in curves.items())
    (folder / "curves.json").write_text(f"{{\n{text}\n}}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    transformers.utils.logging.disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning)
    torch.set_num_threads(1)  # sums in the same order everywhere
    for seed, name in enumerate(llamas.SHAPES, start=1):
        (folder / name).mkdir(parents=True, exist_ok=True)
        write_fixture(folder / name, name, seed)


if __name__ == "__main__":
    main()
