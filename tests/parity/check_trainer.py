#!/usr/bin/env python3
"""Checks that training.py trains as transformers' own Trainer does, on the committed fixtures.

    python3 tests/parity/check_trainer.py tests/fixtures/parity
"""

import contextlib
import io
import json
import sys
import tempfile
import warnings
from pathlib import Path

import torch
import transformers
from transformers import Trainer, TrainingArguments

import llamas
import training
from make_fixtures import load

TOLERANCE = 1e-3  # rounding grows over the steps: memory that is aligned otherwise is summed in another order


# A Trainer knows no penalty on leaving the base.
RUNS = {method: settings for method, settings in llamas.SETTINGS.items() if not settings.kl_to_base}


class InOrder(Trainer):
    """A trainer that does not shuffle."""

    def _get_train_sampler(self, *_):
        return torch.utils.data.SequentialSampler(self.train_dataset)


def collate(rows):
    tokens, labels = training.collate(rows)
    return {"input_ids": tokens, "labels": labels}


def trainer_curve(model, steps, settings, output):
    """As training.train, but for the tokens, which a Trainer does not log."""
    arguments = TrainingArguments(
        output_dir=output, max_steps=settings.steps, learning_rate=settings.lr, warmup_steps=settings.warmup,
        lr_scheduler_type=training.SCHEDULERS[settings.schedule], weight_decay=settings.weight_decay,
        max_grad_norm=settings.clip, adam_beta1=settings.beta1, adam_beta2=settings.beta2, adam_epsilon=settings.eps,
        per_device_train_batch_size=llamas.ROWS, gradient_accumulation_steps=llamas.MICRO_BATCHES,
        logging_steps=1, save_strategy="no", report_to=[], disable_tqdm=True, use_cpu=True,
        remove_unused_columns=False, dataloader_pin_memory=False,
    )  # fmt: skip
    rows = [row for step in steps for micro_batch in step for row in micro_batch]
    trainer = InOrder(model=model, args=arguments, train_dataset=rows, data_collator=collate)
    with contextlib.redirect_stdout(io.StringIO()):
        trainer.train()
    logged = [line for line in trainer.state.log_history if "loss" in line]
    return {key: [float(line[field]) for line in logged]
            for key, field in (("loss", "loss"), ("grad_norm", "grad_norm"), ("lr", "learning_rate"))}


def main():
    fixtures = Path(sys.argv[1])
    transformers.utils.logging.disable_progress_bar()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    largest = 0.0
    for name in llamas.SHAPES:
        steps = json.loads((fixtures / name / "batches.json").read_text())
        for method, settings in RUNS.items():
            expected = training.train(load(fixtures / name, method), steps, settings)
            with tempfile.TemporaryDirectory() as output:
                found = trainer_curve(load(fixtures / name, method), steps, settings, output)
            for key, values in found.items():
                difference = training.largest_relative(values, expected[key])
                largest = max(largest, difference)
                if not difference <= TOLERANCE:
                    raise SystemExit(f"{name} {method}: {key} differs from the Trainer's by {difference:.1e}")
    print(f"trainer: {len(llamas.SHAPES) * len(RUNS)} runs, largest relative difference {largest:.1e}")


if __name__ == "__main__":
    main()
