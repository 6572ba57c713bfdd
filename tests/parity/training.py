"""Fine-tuning as transformers' Trainer does it, in one loop: the reference for Driftscope's own.

A row is {"tokens": [...], "response": n}, n being the index of the first response token: every token from index
max(n, 1) on is predicted, the prompt before it is not. The loss of a step is the mean over all response tokens of
its micro-batches; with kl_to_base each token adds that times KL(base || model) over the vocabulary.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from transformers import get_scheduler

IGNORED = -100
SCHEDULERS = {"constant": "constant_with_warmup", "linear": "linear", "cosine": "cosine"}


@dataclass(frozen=True)
class Settings:
    steps: int
    lr: float  # the highest
    schedule: str  # constant, linear or cosine
    warmup: int  # steps
    weight_decay: float  # of everything but the norms' weights
    clip: float  # largest gradient norm
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    kl_to_base: float = 0.0


def collate(rows):
    """Tokens (B,T), padded at the end, and labels (B,T)."""
    time = max(len(row["tokens"]) for row in rows)
    tokens = torch.zeros(len(rows), time, dtype=torch.long)
    labels = torch.full((len(rows), time), IGNORED)
    for i, row in enumerate(rows):
        sequence, response = torch.tensor(row["tokens"]), max(row["response"], 1)
        tokens[i, : len(sequence)] = sequence
        labels[i, response : len(sequence)] = sequence[response:]
    return tokens, labels


def count_targets(rows):
    """Number of response tokens."""
    return sum(max(len(row["tokens"]) - max(row["response"], 1), 0) for row in rows)


def summed_loss(model, rows, base=None, kl_to_base=0.0):
    """Negative log-likelihood summed over the response tokens, and kl_to_base * KL(base || model) where there is a
    base. Attention is causal, so padding needs no mask."""
    tokens, labels = collate(rows)
    labels = labels[:, 1:].flatten()

    def log_softmax(model):
        return F.log_softmax(model(input_ids=tokens, use_cache=False).logits[:, :-1].flatten(0, 1), dim=-1)

    ours = log_softmax(model)  # (B (T-1), V)
    loss = F.nll_loss(ours, labels, ignore_index=IGNORED, reduction="sum")
    if base is not None:
        with torch.no_grad():
            theirs = log_softmax(base)
        counted = labels != IGNORED
        loss = loss + kl_to_base * F.kl_div(ours[counted], theirs[counted], reduction="sum", log_target=True)
    return loss


def trainable(model):
    """The trained tensors by the names under which save_pretrained writes them."""
    return {saved_name(name): p for name, p in model.named_parameters() if p.requires_grad}


def saved_name(name):
    """Without the adapter's own name, and without DoRA's inner module."""
    return name.replace("lora_magnitude_vector.default.weight", "lora_magnitude_vector").replace(".default.", ".")


def gradients(model, rows, base=None, kl_to_base=0.0):
    """The gradient of every trained tensor, for the mean loss over these rows."""
    model.zero_grad()
    (summed_loss(model, rows, base, kl_to_base) / count_targets(rows)).backward()
    return {name: p.grad.clone() for name, p in trainable(model).items()}


def train(model, steps, settings, base=None):
    """Trains on steps, each a list of micro-batches of rows; base is what kl_to_base refers to. Returns what a log
    would hold, a value per step."""
    parameters = trainable(model)
    decayed = [p for name, p in parameters.items() if "norm" not in name]
    others = [p for name, p in parameters.items() if "norm" in name]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": others, "weight_decay": 0.0}],
        lr=settings.lr, betas=(settings.beta1, settings.beta2), eps=settings.eps,
    )
    scheduler = get_scheduler(SCHEDULERS[settings.schedule], optimizer, settings.warmup, settings.steps)
    curve = {"loss": [], "grad_norm": [], "lr": [], "tokens": []}
    for micro_batches in steps[: settings.steps]:
        targets = sum(map(count_targets, micro_batches))
        optimizer.zero_grad()
        loss = 0.0
        for rows in micro_batches:
            part = summed_loss(model, rows, base, settings.kl_to_base) / targets
            part.backward()
            loss += part.item()
        norm = torch.nn.utils.clip_grad_norm_(parameters.values(), settings.clip)
        for key, value in zip(curve, (loss, norm.item(), scheduler.get_last_lr()[0], targets), strict=True):
            curve[key].append(value)
        optimizer.step()
        scheduler.step()
    return curve


@torch.no_grad()
def logits(model, tokens):
    """Logits (T,V) of one sequence."""
    return model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0]


def largest_relative(found, expected):
    """The largest relative difference of two lists of numbers; NaN if there is one among them."""
    found, expected = (torch.tensor(values, dtype=torch.float64) for values in (found, expected))
    return float(((found - expected).abs() / expected.abs().clamp(min=1e-30)).max())
