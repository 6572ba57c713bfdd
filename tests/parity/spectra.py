"""Singular values, ranks and intruder dimensions by numpy and PEFT: what src/measure/spectrum.rs must compute."""

import numpy as np
import torch
from peft.tuners.lora.intruders import reduce_intruder_dimension
from peft.tuners.lora.layer import LoraLayer

import llamas

LARGEST, THRESHOLD, SHARE = 10, 0.5, 0.7
MODEL = "gqa-8-1"  # square, wide and tall weights, and one of fewer than ten directions
STRONGER = 2  # times the adapter's change: some weights get intruders, others do not
NEAR = 1e-4  # a cosine this near to the threshold would be a matter of rounding
PEFT_TOLERANCE = 1e-4  # of the largest number; PEFT's SVDs are float32


def spectrum(base, delta):
    """Everything of one weight; `base` and `delta` are float64 (out, in)."""
    tuned = base + delta
    left, values, _ = np.linalg.svd(base, full_matrices=False)
    tuned_left, tuned_values, tuned_right = np.linalg.svd(tuned, full_matrices=False)
    nearest = np.abs(left.T @ tuned_left).max(axis=0)[:LARGEST]
    intruders = np.flatnonzero(nearest < THRESHOLD)
    scaled = tuned - (1 - SHARE) * sum(
        (tuned_values[j] * np.outer(tuned_left[:, j], tuned_right[j]) for j in intruders), np.zeros_like(tuned)
    )
    held = np.cumsum(np.linalg.svd(delta, compute_uv=False) ** 2)
    return {
        "base": values[:LARGEST],
        "tuned": tuned_values[:LARGEST],
        "nearest": nearest,
        "rank90": np.array([1 + np.searchsorted(held, 0.9 * held[-1])]),
        "intruders": np.array([len(intruders)]),
        "scaled": scaled,
    }


def double(tensor):
    return tensor.detach().double().numpy()


def delta(layer):
    """PEFT's get_delta_weight in float64."""
    a, b = (double(part["default"].weight) for part in (layer.lora_A, layer.lora_B))
    return layer.scaling["default"] * b @ a


def spectra(folder):
    """{"LINEAR.NAME": tensor} of all linear layers of a model whose LoRA adapter is `STRONGER`."""
    model = llamas.load_adapter(llamas.load_llama(folder), folder / "adapter-lora")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.mul_(STRONGER)
    layers = [(name.removeprefix("base_model.model."), layer) for name, layer in model.named_modules()
              if isinstance(layer, LoraLayer)]
    found = {name: spectrum(double(layer.get_base_layer().weight), delta(layer)) for name, layer in layers}
    cosines = np.concatenate([one["nearest"] for one in found.values()])
    if np.abs(cosines - THRESHOLD).min() < NEAR:
        raise SystemExit(f"{folder.name}: a cosine is at the threshold; choose another seed")
    check_against_peft(model, layers, found)
    counts = [int(one["intruders"][0]) for one in found.values()]
    print(f"{folder.name}: {sum(counts)} intruder dimensions in {np.count_nonzero(counts)} of {len(counts)} matrices")
    return {f"{name}.{key}": torch.from_numpy(np.asarray(value, dtype=np.float32))
            for name, one in found.items() for key, value in one.items()}


def check_against_peft(model, layers, found):
    """PEFT scales the same dimensions down as far, and keeps as much of it as an adapter of its rank holds."""
    reduce_intruder_dimension(model, top_k=LARGEST, threshold_epsilon=THRESHOLD, mitigation_lambda=SHARE, logging_sink=None)
    for name, layer in layers:
        change = found[name]["scaled"] - double(layer.get_base_layer().weight)
        left, values, right = np.linalg.svd(change, full_matrices=False)
        rank = layer.r["default"]
        kept = left[:, :rank] * values[:rank] @ right[:rank]
        peft = double(layer.get_delta_weight("intruder_reduced"))
        difference = np.abs(kept - peft).max() / np.abs(kept).max()
        if not difference <= PEFT_TOLERANCE:
            raise SystemExit(f"{name}: PEFT's reduce_intruder_dimension differs by {difference:.1e}")
