#!/usr/bin/env python3
"""Compares two folders of fixtures.

    python3 tests/parity/compare_fixtures.py COMMITTED MADE

Another CPU sums in another order: numbers may differ by TOLERANCE, and by TOLERANCE_TRAINED where 50 steps of
training lie between. Numbers of a tensor, or of a list, are compared relative to the largest among them.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

TOLERANCE = 1e-5
TOLERANCE_TRAINED = 1e-3


def tensors(path):
    """{name: (tensor, tolerance)} of a safetensors file, or of the numbers in curves.json."""
    if path.suffix == ".safetensors":
        return {name: (tensor, TOLERANCE_TRAINED if name.endswith(".trained") else TOLERANCE)
                for name, tensor in load_file(path).items()}
    return {f"{method}.{key}": (torch.tensor(values, dtype=torch.float64), TOLERANCE_TRAINED)
            for method, curve in json.loads(path.read_text()).items()
            for key, values in curve.items() if key != "settings"}


def settings(path):
    return {method: curve["settings"] for method, curve in json.loads(path.read_text()).items()}


def compare_tensors(committed, made):
    """The largest relative difference, and what is wrong."""
    if {n: t.shape for n, (t, _) in committed.items()} != {n: t.shape for n, (t, _) in made.items()}:
        return 0.0, ["names or shapes differ"]
    largest, wrong = 0.0, []
    for name, (expected, tolerance) in committed.items():
        difference = float((made[name][0] - expected).abs().max() / expected.abs().max())
        largest = max(largest, difference)
        if not difference <= tolerance:
            wrong.append(f"{name} differs by {difference:.1e}")
    return largest, wrong


def files_in(folder):
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}


def main():
    committed, made = map(Path, sys.argv[1:])
    files, made_files = files_in(committed), files_in(made)
    wrong = [f"{path}: only on one side" for path in sorted(files ^ made_files)]
    largest = 0.0
    for path in sorted(files & made_files):
        one, other = committed / path, made / path
        problems = []
        if path.suffix == ".safetensors" or path.name == "curves.json":
            difference, problems = compare_tensors(tensors(one), tensors(other))
            largest = max(largest, difference)
            if path.name == "curves.json" and settings(one) != settings(other):
                problems.append("settings differ")
        elif json.loads(one.read_text()) != json.loads(other.read_text()):
            problems = ["differs"]
        wrong += [f"{path}: {problem}" for problem in problems]
    print("\n".join([*wrong, f"fixtures: {len(files)} files, largest relative difference {largest:.1e}"]))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
