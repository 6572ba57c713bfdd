// Generated from src/record by scripts/contract. Do not edit.

/** What a record's format is. @type {string} */
export const RECORD_FORMAT = "driftscope-run";

/** The version of records that is written. @type {number} */
export const RECORD_VERSION = 2;

/** The id of the untouched model. @type {string} */
export const BASE = "base";

/** Most arms of a run. @type {number} */
export const MOST_ARMS = 6;

/** The choices of a run. @type {import("./types.js").FieldData[]} */
export const RUN_FIELDS = [
  {
    "help": "Examples of one step; every arm gets the same.",
    "high": 256.0,
    "is_main": true,
    "key": "batch",
    "kind": "whole",
    "label": "Batch",
    "low": 1.0,
    "method": null,
    "name": "batch",
    "options": null
  },
  {
    "help": "Optimiser steps of each arm.",
    "high": 100000.0,
    "is_main": true,
    "key": "steps",
    "kind": "whole",
    "label": "Steps",
    "low": 1.0,
    "method": null,
    "name": "steps",
    "options": null
  },
  {
    "help": "Order of the batches and start of the LoRA matrices.",
    "high": 4294967295.0,
    "is_main": true,
    "key": "seed",
    "kind": "whole",
    "label": "Seed",
    "low": 0.0,
    "method": null,
    "name": "seed",
    "options": null
  },
  {
    "help": "How many rows of the instruction set; 0 uses all.",
    "high": 1000000.0,
    "is_main": true,
    "key": "examples",
    "kind": "whole",
    "label": "Examples in use",
    "low": 0.0,
    "method": null,
    "name": "examples",
    "options": null
  },
  {
    "help": "Where not all are in use: the first ones, those with the shortest or longest answers, or those whose answers the base finds likeliest.",
    "high": null,
    "is_main": false,
    "key": "filter",
    "kind": "choice",
    "label": "Which examples",
    "low": null,
    "method": null,
    "name": "filter",
    "options": [
      "first",
      "shortest",
      "longest",
      "confident"
    ]
  },
  {
    "help": "The set's answers without openers and closers, one sentence long.",
    "high": null,
    "is_main": false,
    "key": "simplified",
    "kind": "switch",
    "label": "Simplified answers",
    "low": null,
    "method": null,
    "name": "simplified",
    "options": null
  },
  {
    "help": "Facts on invented countries that the base can't know; each replaces two examples.",
    "high": 64.0,
    "is_main": false,
    "key": "new_facts",
    "kind": "whole",
    "label": "New facts",
    "low": 0.0,
    "method": null,
    "name": "new_facts",
    "options": null
  },
  {
    "help": "Their gradients are added up before the weights change.",
    "high": 1024.0,
    "is_main": false,
    "key": "accumulate",
    "kind": "whole",
    "label": "Batches of a step",
    "low": 1.0,
    "method": null,
    "name": "accumulate",
    "options": null
  },
  {
    "help": "Largest global norm; 0 does not clip.",
    "high": 1000000.0,
    "is_main": false,
    "key": "clip",
    "kind": "real",
    "label": "Gradient clipping",
    "low": 0.0,
    "method": null,
    "name": "clip",
    "options": null
  },
  {
    "help": "Tokens; longer examples are cut at the end.",
    "high": 2048.0,
    "is_main": false,
    "key": "max_len",
    "kind": "whole",
    "label": "Longest example",
    "low": 8.0,
    "method": null,
    "name": "max_len",
    "options": null
  },
  {
    "help": "Each measurement takes a moment.",
    "high": 100000.0,
    "is_main": false,
    "key": "measure_every",
    "kind": "whole",
    "label": "Steps between measurements",
    "low": 1.0,
    "method": null,
    "name": "measure_every",
    "options": null
  },
  {
    "help": "Most of them are kept facts.",
    "high": 100000.0,
    "is_main": false,
    "key": "probes",
    "kind": "whole",
    "label": "Facts on the walls",
    "low": 1.0,
    "method": null,
    "name": "probes",
    "options": null
  },
  {
    "help": "At each measurement.",
    "high": 100000.0,
    "is_main": false,
    "key": "asked",
    "kind": "whole",
    "label": "Facts asked as questions",
    "low": 0.0,
    "method": null,
    "name": "asked",
    "options": null
  },
  {
    "help": "Held-out questions answered at each measurement.",
    "high": 1024.0,
    "is_main": false,
    "key": "shift_prompts",
    "kind": "whole",
    "label": "Prompts for the shift",
    "low": 1.0,
    "method": null,
    "name": "shift_prompts",
    "options": null
  },
  {
    "help": "Tokens.",
    "high": 512.0,
    "is_main": false,
    "key": "answer_len",
    "kind": "whole",
    "label": "Longest answer",
    "low": 1.0,
    "method": null,
    "name": "answer_len",
    "options": null
  }
];

/** The choices of an arm. @type {import("./types.js").FieldData[]} */
export const ARM_FIELDS = [
  {
    "help": "Width r of the two LoRA matrices.",
    "high": 256.0,
    "is_main": true,
    "key": "r",
    "kind": "whole",
    "label": "Rank",
    "low": 1.0,
    "method": "lora",
    "name": "method.rank",
    "options": null
  },
  {
    "help": "The update is scaled by alpha / rank.",
    "high": 10000.0,
    "is_main": true,
    "key": "alpha",
    "kind": "real",
    "label": "Alpha",
    "low": 0.0,
    "method": "lora",
    "name": "method.alpha",
    "options": null
  },
  {
    "help": "The linear layers of each block that LoRA adapts.",
    "high": null,
    "is_main": false,
    "key": "targets",
    "kind": "several",
    "label": "Matrices",
    "low": null,
    "method": "lora",
    "name": "method.targets",
    "options": [
      "q_proj",
      "k_proj",
      "v_proj",
      "o_proj",
      "gate_proj",
      "up_proj",
      "down_proj"
    ]
  },
  {
    "help": "The update is scaled by alpha / sqrt(rank).",
    "high": null,
    "is_main": false,
    "key": "rslora",
    "kind": "switch",
    "label": "rsLoRA",
    "low": null,
    "method": "lora",
    "name": "method.rslora",
    "options": null
  },
  {
    "help": "The lengths of the adapted matrices' rows are trained too.",
    "high": null,
    "is_main": false,
    "key": "dora",
    "kind": "switch",
    "label": "DoRA",
    "low": null,
    "method": "lora",
    "name": "method.dora",
    "options": null
  },
  {
    "help": "Peak rate. LoRA's best is often about ten times full tuning's.",
    "high": 10.0,
    "is_main": true,
    "key": "lr",
    "kind": "real",
    "label": "Learning rate",
    "low": 0.0,
    "method": null,
    "name": "lr",
    "options": null
  },
  {
    "help": "What the rate does after the warm-up.",
    "high": null,
    "is_main": false,
    "key": "schedule",
    "kind": "choice",
    "label": "Schedule",
    "low": null,
    "method": null,
    "name": "schedule",
    "options": [
      "constant",
      "linear",
      "cosine"
    ]
  },
  {
    "help": "The rate grows linearly over these.",
    "high": 100000.0,
    "is_main": false,
    "key": "warmup",
    "kind": "whole",
    "label": "Warm-up steps",
    "low": 0.0,
    "method": null,
    "name": "warmup",
    "options": null
  },
  {
    "help": "The loss gains this times KL(base || tuned) on the batch's answers; 0 adds none. A step takes longer.",
    "high": 1000.0,
    "is_main": true,
    "key": "kl",
    "kind": "real",
    "label": "KL to the base",
    "low": 0.0,
    "method": null,
    "name": "regularisers.kl_to_base",
    "options": null
  },
  {
    "help": "AdamW's, on all but the norms.",
    "high": 10.0,
    "is_main": false,
    "key": "decay",
    "kind": "real",
    "label": "Weight decay",
    "low": 0.0,
    "method": null,
    "name": "regularisers.weight_decay",
    "options": null
  },
  {
    "help": "Decay towards the base's weights (L2-SP), in multiples of the rate; 0 does not.",
    "high": 10000.0,
    "is_main": false,
    "key": "pull",
    "kind": "real",
    "label": "Pull to the base",
    "low": 0.0,
    "method": "full",
    "name": "regularisers.pull",
    "options": null
  },
  {
    "help": "Noise on the embeddings while training; 0 adds none, 5 is usual.",
    "high": 1000.0,
    "is_main": false,
    "key": "neftune",
    "kind": "real",
    "label": "NEFTune alpha",
    "low": 0.0,
    "method": null,
    "name": "regularisers.neftune",
    "options": null
  },
  {
    "help": "Rows of pre-training text in each batch beside its examples.",
    "high": 256.0,
    "is_main": false,
    "key": "replay",
    "kind": "whole",
    "label": "Replayed rows",
    "low": 0.0,
    "method": null,
    "name": "regularisers.replay",
    "options": null
  }
];

/** A run that nothing was chosen for. @type {import("./types.js").Settings} */
export const DEFAULT_SETTINGS = {
  "accumulate": 1,
  "answer_len": 40,
  "arms": [
    {
      "id": "lora",
      "label": "LoRA",
      "lr": 0.0010000000474974513,
      "method": {
        "alpha": 16.0,
        "dora": false,
        "kind": "lora",
        "rank": 8,
        "rslora": false,
        "targets": [
          "q_proj",
          "k_proj",
          "v_proj",
          "o_proj",
          "gate_proj",
          "up_proj",
          "down_proj"
        ]
      },
      "regularisers": {
        "kl_to_base": 0.0,
        "neftune": 0.0,
        "pull": 0.0,
        "replay": 0,
        "weight_decay": 0.0
      },
      "schedule": "constant",
      "warmup": 10
    },
    {
      "id": "full",
      "label": "Full",
      "lr": 0.0010000000474974513,
      "method": {
        "kind": "full"
      },
      "regularisers": {
        "kl_to_base": 0.0,
        "neftune": 0.0,
        "pull": 0.0,
        "replay": 0,
        "weight_decay": 0.0
      },
      "schedule": "constant",
      "warmup": 10
    }
  ],
  "asked": 48,
  "batch": 8,
  "clip": 1.0,
  "examples": 0,
  "filter": "first",
  "max_len": 64,
  "measure_every": 10,
  "new_facts": 0,
  "probes": 240,
  "seed": 1,
  "shift_prompts": 16,
  "simplified": false,
  "steps": 200,
  "swaps": []
};

/** An arm of each method. @type {Record<string, import("./types.js").ArmSpec>} */
export const DEFAULT_ARMS = {
  "full": {
    "id": "full",
    "label": "Full",
    "lr": 0.0010000000474974513,
    "method": {
      "kind": "full"
    },
    "regularisers": {
      "kl_to_base": 0.0,
      "neftune": 0.0,
      "pull": 0.0,
      "replay": 0,
      "weight_decay": 0.0
    },
    "schedule": "constant",
    "warmup": 10
  },
  "lora": {
    "id": "lora",
    "label": "LoRA",
    "lr": 0.0010000000474974513,
    "method": {
      "alpha": 16.0,
      "dora": false,
      "kind": "lora",
      "rank": 8,
      "rslora": false,
      "targets": [
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_proj",
        "up_proj",
        "down_proj"
      ]
    },
    "regularisers": {
      "kl_to_base": 0.0,
      "neftune": 0.0,
      "pull": 0.0,
      "replay": 0,
      "weight_decay": 0.0
    },
    "schedule": "constant",
    "warmup": 10
  }
};

/** The figures of a summary. @type {import("./types.js").MetricData[]} */
export const METRICS = [
  {
    "is_share": false,
    "label": "Held-out loss",
    "long": "held-out loss, nats",
    "name": "heldout_loss"
  },
  {
    "is_share": true,
    "label": "Recall, cloze",
    "long": "recall of kept facts by cloze, %",
    "name": "recall_cloze"
  },
  {
    "is_share": true,
    "label": "Recall, asked",
    "long": "recall of kept facts asked, %",
    "name": "recall_asked"
  },
  {
    "is_share": true,
    "label": "Recall of seen facts",
    "long": "recall of seen facts asked, %",
    "name": "recall_seen"
  },
  {
    "is_share": true,
    "label": "Recall of new facts, cloze",
    "long": "recall of new facts by cloze, %",
    "name": "recall_new_cloze"
  },
  {
    "is_share": true,
    "label": "Recall of new facts, asked",
    "long": "recall of new facts asked, %",
    "name": "recall_new"
  },
  {
    "is_share": true,
    "label": "Borrowed",
    "long": "borrowed answers, % of kept facts",
    "name": "borrowed"
  },
  {
    "is_share": true,
    "label": "Other candidate",
    "long": "other candidates, % of kept facts",
    "name": "other"
  },
  {
    "is_share": true,
    "label": "Malformed",
    "long": "malformed answers, % of kept facts",
    "name": "malformed"
  },
  {
    "is_share": true,
    "label": "Borrowed, of errors",
    "long": "borrowed answers, % of errors",
    "name": "borrowed_of_errors"
  },
  {
    "is_share": true,
    "label": "Borrowed by chance, of errors",
    "long": "borrowed by chance, % of errors",
    "name": "borrowed_by_chance"
  },
  {
    "is_share": true,
    "label": "Unshifted",
    "long": "unshifted tokens, %",
    "name": "unshifted"
  },
  {
    "is_share": true,
    "label": "Marginal",
    "long": "marginal tokens, %",
    "name": "marginal"
  },
  {
    "is_share": true,
    "label": "Shifted",
    "long": "shifted tokens, %",
    "name": "shifted"
  },
  {
    "is_share": false,
    "label": "KL",
    "long": "KL to the base, nats per token",
    "name": "kl"
  },
  {
    "is_share": false,
    "label": "KL, first 5 tokens",
    "long": "KL of the first five tokens, nats",
    "name": "kl_early"
  },
  {
    "is_share": false,
    "label": "KL, later tokens",
    "long": "KL of the later tokens, nats",
    "name": "kl_late"
  },
  {
    "is_share": false,
    "label": "KL, opener",
    "long": "KL of opener tokens, nats",
    "name": "kl_opener"
  },
  {
    "is_share": false,
    "label": "KL, style",
    "long": "KL of style tokens, nats",
    "name": "kl_style"
  },
  {
    "is_share": false,
    "label": "KL, fact",
    "long": "KL of fact tokens, nats",
    "name": "kl_fact"
  },
  {
    "is_share": true,
    "label": "Shifted, opener",
    "long": "shifted opener tokens, %",
    "name": "shifted_opener"
  },
  {
    "is_share": true,
    "label": "Shifted, style",
    "long": "shifted style tokens, %",
    "name": "shifted_style"
  },
  {
    "is_share": true,
    "label": "Shifted, fact",
    "long": "shifted fact tokens, %",
    "name": "shifted_fact"
  },
  {
    "is_share": true,
    "label": "Set's format",
    "long": "answers in the set's format, %",
    "name": "format"
  },
  {
    "is_share": true,
    "label": "Right answer",
    "long": "right answers, %",
    "name": "right"
  },
  {
    "is_share": true,
    "label": "Right and in format",
    "long": "right answers in the set's format, %",
    "name": "conversation"
  }
];

/** The ways to compare. @type {import("./types.js").Named[]} */
export const FAIRNESS = [
  {
    "help": "All arms train at one rate, whether it suits them or not.",
    "label": "same rate",
    "name": "same_rate"
  },
  {
    "help": "Each arm trains at the rate that gave it the lowest held-out loss in the sweep.",
    "label": "best rate",
    "name": "best_rate"
  },
  {
    "help": "Each arm is looked at where it has learned the instructions equally well, at its best rate.",
    "label": "equal held-out loss",
    "name": "equal_loss"
  }
];

/** What a comparison says about its claim. @type {import("./types.js").ReadingData[]} */
export const READINGS = [
  {
    "label": "agrees with the claim",
    "name": "supports",
    "sign": "✓"
  },
  {
    "label": "speaks against the claim",
    "name": "contradicts",
    "sign": "✗"
  },
  {
    "label": "no difference beyond the spread over seeds",
    "name": "no_difference",
    "sign": "="
  },
  {
    "label": "a direction only",
    "name": "one_seed",
    "sign": "?"
  }
];

/** The experiments. @type {import("./types.js").PresetData[]} */
export const PRESETS = [
  {
    "claim": "LoRA preserves the pre-training token distribution, full tuning doesn't.",
    "data": null,
    "name": "f1",
    "runs": 2,
    "short": "F1",
    "title": "Does LoRA keep the token distribution of pre-training?"
  },
  {
    "claim": "Scaling the data set is ineffective for LoRA.",
    "data": "data/instructions-1024.jsonl",
    "name": "f2",
    "runs": 4,
    "short": "F2",
    "title": "Does a larger instruction set help LoRA?"
  },
  {
    "claim": "LoRA mainly learns response initiation and style, not knowledge.",
    "data": null,
    "name": "f3",
    "runs": 5,
    "short": "F3",
    "title": "Does LoRA learn style or knowledge?"
  },
  {
    "claim": "Full tuning degrades knowledge and raises hallucination, by borrowing from the instruction set.",
    "data": null,
    "name": "f4",
    "runs": 4,
    "short": "F4",
    "title": "Does full tuning forget facts and make others up?"
  },
  {
    "claim": "Popular methods don't beat simple LoRA.",
    "data": null,
    "name": "f5",
    "runs": 15,
    "short": "F5",
    "title": "Do popular methods beat plain LoRA?"
  },
  {
    "claim": "Full tuning drifts further from the base and forgets more than LoRA.",
    "data": null,
    "name": "lora-vs-full",
    "runs": 6,
    "short": "Sweep",
    "title": "LoRA against full tuning, from the same start on the same batches"
  },
  {
    "claim": "A KL penalty keeps what full tuning forgets, and costs no learning.",
    "data": null,
    "name": "kl-to-base",
    "runs": 1,
    "short": "KL",
    "title": "Does a penalty on the distance from the base keep full tuning from forgetting?"
  }
];

/** What to do about an error, by its name. @type {Record<string, string>} */
export const ERROR_HELP = {
  "cpu-engine": "The CPU engine could not do a computation. Reset to start again from the same seed.",
  "device-lost": "The graphics device went away; this happens after sleep or when a driver restarts. The run so far stays on the page and can be saved; reload to train again.",
  "format": "A file or a line of the instruction set is not in the form it should have. Correct the place that is named below and press Reset.",
  "gpu": "The graphics device refused a request. Choose “CPU” under This machine: slower, the same results.",
  "out-of-memory": "There is too little memory for this run. Fewer arms, a smaller batch or shorter examples need less.",
  "setting": "A setting can't be run. Change the one that is named below and press Reset.",
  "shape": "Two parts of the model do not fit together. The model's files may be damaged or from different versions: reload the page.",
  "tokenizer": "A text could not be turned into tokens.",
  "unsupported": "The model or the file asks for something Driftscope can't do."
};

/** Definitions by name; a file is a Record. @type {Record<string, any>} */
export const RECORD_SCHEMA = {
  "ArmInfo": {
    "properties": {
      "arm": {
        "type": "string"
      },
      "memory_bytes": {
        "minimum": 0,
        "type": [
          "integer",
          "null"
        ]
      },
      "optimizer_bytes": {
        "minimum": 0,
        "type": "integer"
      },
      "trainable_parameters": {
        "minimum": 0,
        "type": "integer"
      }
    },
    "required": [
      "arm",
      "trainable_parameters",
      "optimizer_bytes"
    ],
    "type": "object"
  },
  "ArmSpec": {
    "additionalProperties": false,
    "properties": {
      "id": {
        "type": "string"
      },
      "label": {
        "type": "string"
      },
      "lr": {
        "type": "number"
      },
      "method": {
        "$ref": "#/$defs/Method"
      },
      "regularisers": {
        "$ref": "#/$defs/Regularisers",
        "default": {
          "kl_to_base": 0.0,
          "neftune": 0.0,
          "pull": 0.0,
          "replay": 0,
          "weight_decay": 0.0
        }
      },
      "schedule": {
        "$ref": "#/$defs/ScheduleKind",
        "default": "constant"
      },
      "warmup": {
        "default": 0,
        "minimum": 0,
        "type": "integer"
      }
    },
    "required": [
      "id",
      "label",
      "method",
      "lr",
      "schedule",
      "warmup",
      "regularisers"
    ],
    "type": "object"
  },
  "Checkpoint": {
    "properties": {
      "arm": {
        "type": "string"
      },
      "condition": {
        "type": "string"
      },
      "fairness": {
        "anyOf": [
          {
            "$ref": "#/$defs/Fairness"
          },
          {
            "type": "null"
          }
        ]
      },
      "heldout_loss": {
        "type": "number"
      },
      "kl": {
        "type": "number"
      },
      "lr": {
        "type": "number"
      },
      "recall_cloze": {
        "type": "number"
      },
      "seed": {
        "minimum": 0,
        "type": "integer"
      },
      "step": {
        "minimum": 0,
        "type": "integer"
      }
    },
    "required": [
      "condition",
      "fairness",
      "arm",
      "lr",
      "seed",
      "step",
      "heldout_loss",
      "recall_cloze",
      "kl"
    ],
    "type": "object"
  },
  "ClassShift": {
    "properties": {
      "fact": {
        "$ref": "#/$defs/PositionShift"
      },
      "opener": {
        "$ref": "#/$defs/PositionShift"
      },
      "style": {
        "$ref": "#/$defs/PositionShift"
      }
    },
    "required": [
      "opener",
      "fact",
      "style"
    ],
    "type": "object"
  },
  "ComparedSide": {
    "properties": {
      "arm": {
        "type": "string"
      },
      "condition": {
        "type": "string"
      },
      "metric": {
        "$ref": "#/$defs/Metric"
      },
      "n": {
        "minimum": 0,
        "type": "integer"
      },
      "spread": {
        "$ref": "#/$defs/Spread"
      }
    },
    "required": [
      "condition",
      "arm",
      "metric",
      "n",
      "spread"
    ],
    "type": "object"
  },
  "Comparison": {
    "properties": {
      "a": {
        "$ref": "#/$defs/ComparedSide"
      },
      "b": {
        "$ref": "#/$defs/ComparedSide"
      },
      "difference": {
        "type": "number"
      },
      "fairness": {
        "anyOf": [
          {
            "$ref": "#/$defs/Fairness"
          },
          {
            "type": "null"
          }
        ]
      },
      "margin": {
        "type": [
          "number",
          "null"
        ]
      },
      "noise": {
        "type": [
          "number",
          "null"
        ]
      },
      "reading": {
        "$ref": "#/$defs/Reading"
      },
      "text": {
        "type": "string"
      }
    },
    "required": [
      "fairness",
      "a",
      "b",
      "difference",
      "margin",
      "noise",
      "reading",
      "text"
    ],
    "type": "object"
  },
  "Conversation": {
    "properties": {
      "both": {
        "minimum": 0,
        "type": "integer"
      },
      "format": {
        "minimum": 0,
        "type": "integer"
      },
      "n": {
        "minimum": 0,
        "type": "integer"
      },
      "right": {
        "minimum": 0,
        "type": "integer"
      }
    },
    "required": [
      "format",
      "right",
      "both",
      "n"
    ],
    "type": "object"
  },
  "Counterfactual": {
    "properties": {
      "arm": {
        "type": "string"
      },
      "control": {
        "$ref": "#/$defs/Fates"
      },
      "examples": {
        "items": {
          "$ref": "#/$defs/SwappedAnswer"
        },
        "type": "array"
      },
      "runs": {
        "minimum": 0,
        "type": "integer"
      },
      "swapped": {
        "$ref": "#/$defs/Fates"
      }
    },
    "required": [
      "arm",
      "runs",
      "swapped",
      "control",
      "examples"
    ],
    "type": "object"
  },
  "Errors": {
    "properties": {
      "borrowed": {
        "minimum": 0,
        "type": "integer"
      },
      "borrowed_by_chance": {
        "type": "number"
      },
      "malformed": {
        "minimum": 0,
        "type": "integer"
      },
      "n": {
        "minimum": 0,
        "type": "integer"
      },
      "other": {
        "minimum": 0,
        "type": "integer"
      }
    },
    "required": [
      "borrowed",
      "other",
      "malformed",
      "n",
      "borrowed_by_chance"
    ],
    "type": "object"
  },
  "Event": {
    "oneOf": [
      {
        "$ref": "#/$defs/RunInfo",
        "properties": {
          "type": {
            "const": "run",
            "type": "string"
          }
        },
        "required": [
          "type"
        ],
        "type": "object"
      },
      {
        "$ref": "#/$defs/StepEvent",
        "properties": {
          "type": {
            "const": "step",
            "type": "string"
          }
        },
        "required": [
          "type"
        ],
        "type": "object"
      },
      {
        "$ref": "#/$defs/Measure",
        "properties": {
          "type": {
            "const": "measure",
            "type": "string"
          }
        },
        "required": [
          "type"
        ],
        "type": "object"
      },
      {
        "$ref": "#/$defs/ShiftText",
        "properties": {
          "type": {
            "const": "text",
            "type": "string"
          }
        },
        "required": [
          "type"
        ],
        "type": "object"
      },
      {
        "properties": {
          "run": {
            "minimum": 0,
            "type": "integer"
          },
          "seconds": {
            "type": "number"
          },
          "type": {
            "const": "done",
            "type": "string"
          }
        },
        "required": [
          "type",
          "run",
          "seconds"
        ],
        "type": "object"
      },
      {
        "$ref": "#/$defs/WeightsEvent",
        "properties": {
          "type": {
            "const": "weights",
            "type": "string"
          }
        },
        "required": [
          "type"
        ],
        "type": "object"
      },
      {
        "$ref": "#/$defs/Strength",
        "properties": {
          "type": {
            "const": "strength",
            "type": "string"
          }
        },
        "required": [
          "type"
        ],
        "type": "object"
      },
      {
        "$ref": "#/$defs/Counterfactual",
        "properties": {
          "type": {
            "const": "counterfactual",
            "type": "string"
          }
        },
        "required": [
          "type"
        ],
        "type": "object"
      },
      {
        "$ref": "#/$defs/Summary",
        "properties": {
          "type": {
            "const": "summary",
            "type": "string"
          }
        },
        "required": [
          "type"
        ],
        "type": "object"
      }
    ]
  },
  "Fairness": {
    "oneOf": [
      {
        "const": "same_rate",
        "type": "string"
      },
      {
        "const": "best_rate",
        "type": "string"
      },
      {
        "const": "equal_loss",
        "type": "string"
      }
    ]
  },
  "Fates": {
    "properties": {
      "followed": {
        "minimum": 0,
        "type": "integer"
      },
      "n": {
        "minimum": 0,
        "type": "integer"
      },
      "other": {
        "minimum": 0,
        "type": "integer"
      },
      "right": {
        "minimum": 0,
        "type": "integer"
      },
      "unchanged": {
        "minimum": 0,
        "type": "integer"
      }
    },
    "required": [
      "n",
      "followed",
      "unchanged",
      "right",
      "other"
    ],
    "type": "object"
  },
  "Filter": {
    "oneOf": [
      {
        "const": "first",
        "type": "string"
      },
      {
        "const": "shortest",
        "type": "string"
      },
      {
        "const": "longest",
        "type": "string"
      },
      {
        "const": "confident",
        "type": "string"
      }
    ]
  },
  "LoraSpec": {
    "properties": {
      "alpha": {
        "default": 16.0,
        "type": "number"
      },
      "dora": {
        "default": false,
        "type": "boolean"
      },
      "rank": {
        "default": 8,
        "minimum": 0,
        "type": "integer"
      },
      "rslora": {
        "default": false,
        "type": "boolean"
      },
      "targets": {
        "default": [
          "q_proj",
          "k_proj",
          "v_proj",
          "o_proj",
          "gate_proj",
          "up_proj",
          "down_proj"
        ],
        "items": {
          "$ref": "#/$defs/Target"
        },
        "type": "array"
      }
    },
    "required": [
      "rank",
      "alpha",
      "rslora",
      "dora",
      "targets"
    ],
    "type": "object"
  },
  "MatrixChange": {
    "properties": {
      "name": {
        "type": "string"
      },
      "of": {
        "minimum": 0,
        "type": "integer"
      },
      "rank90": {
        "minimum": 0,
        "type": "integer"
      },
      "relative": {
        "type": "number"
      }
    },
    "required": [
      "name",
      "relative",
      "rank90",
      "of"
    ],
    "type": "object"
  },
  "Measure": {
    "properties": {
      "arm": {
        "type": "string"
      },
      "cells": {
        "type": "string"
      },
      "conversation": {
        "anyOf": [
          {
            "$ref": "#/$defs/Conversation"
          },
          {
            "type": "null"
          }
        ]
      },
      "errors": {
        "$ref": "#/$defs/Errors"
      },
      "heldout_loss": {
        "type": "number"
      },
      "logprobs": {
        "items": {
          "type": "number"
        },
        "type": "array"
      },
      "ms": {
        "type": "number"
      },
      "recall": {
        "items": {
          "$ref": "#/$defs/Recall"
        },
        "type": "array"
      },
      "run": {
        "minimum": 0,
        "type": "integer"
      },
      "shift": {
        "$ref": "#/$defs/Shift"
      },
      "step": {
        "minimum": 0,
        "type": "integer"
      },
      "wrong": {
        "items": {
          "$ref": "#/$defs/WrongAnswer"
        },
        "type": "array"
      }
    },
    "required": [
      "run",
      "arm",
      "step",
      "heldout_loss",
      "shift",
      "recall",
      "errors",
      "cells",
      "logprobs",
      "wrong",
      "ms"
    ],
    "type": "object"
  },
  "Method": {
    "oneOf": [
      {
        "$ref": "#/$defs/LoraSpec",
        "properties": {
          "kind": {
            "const": "lora",
            "type": "string"
          }
        },
        "required": [
          "kind"
        ],
        "type": "object"
      },
      {
        "properties": {
          "kind": {
            "const": "full",
            "type": "string"
          }
        },
        "required": [
          "kind"
        ],
        "type": "object"
      }
    ]
  },
  "Metric": {
    "oneOf": [
      {
        "enum": [
          "marginal",
          "shifted",
          "kl_late",
          "kl_opener",
          "kl_style",
          "kl_fact",
          "shifted_style",
          "shifted_fact",
          "right",
          "conversation"
        ],
        "type": "string"
      },
      {
        "const": "heldout_loss",
        "type": "string"
      },
      {
        "const": "recall_cloze",
        "type": "string"
      },
      {
        "const": "recall_asked",
        "type": "string"
      },
      {
        "const": "recall_seen",
        "type": "string"
      },
      {
        "const": "recall_new_cloze",
        "type": "string"
      },
      {
        "const": "recall_new",
        "type": "string"
      },
      {
        "const": "borrowed",
        "type": "string"
      },
      {
        "const": "other",
        "type": "string"
      },
      {
        "const": "malformed",
        "type": "string"
      },
      {
        "const": "borrowed_of_errors",
        "type": "string"
      },
      {
        "const": "borrowed_by_chance",
        "type": "string"
      },
      {
        "const": "unshifted",
        "type": "string"
      },
      {
        "const": "kl",
        "type": "string"
      },
      {
        "const": "kl_early",
        "type": "string"
      },
      {
        "const": "shifted_opener",
        "type": "string"
      },
      {
        "const": "format",
        "type": "string"
      }
    ]
  },
  "PositionShift": {
    "properties": {
      "kl": {
        "type": "number"
      },
      "marginal": {
        "minimum": 0,
        "type": "integer"
      },
      "n": {
        "minimum": 0,
        "type": "integer"
      },
      "shifted": {
        "minimum": 0,
        "type": "integer"
      },
      "unshifted": {
        "minimum": 0,
        "type": "integer"
      }
    },
    "required": [
      "n",
      "kl",
      "unshifted",
      "marginal",
      "shifted"
    ],
    "type": "object"
  },
  "Reading": {
    "oneOf": [
      {
        "enum": [
          "supports",
          "contradicts",
          "no_difference"
        ],
        "type": "string"
      },
      {
        "const": "one_seed",
        "type": "string"
      }
    ]
  },
  "Recall": {
    "properties": {
      "correct": {
        "minimum": 0,
        "type": "integer"
      },
      "form": {
        "$ref": "#/$defs/RecallForm"
      },
      "n": {
        "minimum": 0,
        "type": "integer"
      },
      "split": {
        "$ref": "#/$defs/Split"
      }
    },
    "required": [
      "split",
      "form",
      "correct",
      "n"
    ],
    "type": "object"
  },
  "RecallForm": {
    "oneOf": [
      {
        "const": "cloze",
        "type": "string"
      },
      {
        "const": "asked",
        "type": "string"
      }
    ]
  },
  "Record": {
    "properties": {
      "engine": {
        "type": "string"
      },
      "events": {
        "items": {
          "$ref": "#/$defs/Event"
        },
        "type": "array"
      },
      "format": {
        "type": "string"
      },
      "version": {
        "minimum": 0,
        "type": "integer"
      }
    },
    "required": [
      "format",
      "version",
      "engine",
      "events"
    ],
    "type": "object"
  },
  "Regularisers": {
    "additionalProperties": false,
    "properties": {
      "kl_to_base": {
        "default": 0.0,
        "type": "number"
      },
      "neftune": {
        "default": 0.0,
        "type": "number"
      },
      "pull": {
        "default": 0.0,
        "type": "number"
      },
      "replay": {
        "default": 0,
        "minimum": 0,
        "type": "integer"
      },
      "weight_decay": {
        "default": 0.0,
        "type": "number"
      }
    },
    "required": [
      "kl_to_base",
      "weight_decay",
      "pull",
      "neftune",
      "replay"
    ],
    "type": "object"
  },
  "RunInfo": {
    "properties": {
      "added": {
        "items": {
          "prefixItems": [
            {
              "type": "string"
            },
            {
              "type": "string"
            }
          ],
          "type": "array"
        },
        "type": "array"
      },
      "arms": {
        "items": {
          "$ref": "#/$defs/ArmInfo"
        },
        "type": "array"
      },
      "examples": {
        "minimum": 0,
        "type": "integer"
      },
      "facts": {
        "items": {
          "$ref": "#/$defs/WallFact"
        },
        "type": "array"
      },
      "heldout": {
        "minimum": 0,
        "type": "integer"
      },
      "model": {
        "type": "string"
      },
      "run": {
        "minimum": 0,
        "type": "integer"
      },
      "settings": {
        "$ref": "#/$defs/Settings"
      }
    },
    "required": [
      "run",
      "settings",
      "model",
      "arms",
      "facts",
      "examples",
      "heldout"
    ],
    "type": "object"
  },
  "ScheduleKind": {
    "enum": [
      "constant",
      "linear",
      "cosine"
    ],
    "type": "string"
  },
  "Settings": {
    "additionalProperties": false,
    "properties": {
      "accumulate": {
        "default": 1,
        "minimum": 0,
        "type": "integer"
      },
      "answer_len": {
        "default": 40,
        "minimum": 0,
        "type": "integer"
      },
      "arms": {
        "default": [
          {
            "id": "lora",
            "label": "LoRA",
            "lr": 0.0010000000474974513,
            "method": {
              "alpha": 16.0,
              "dora": false,
              "kind": "lora",
              "rank": 8,
              "rslora": false,
              "targets": [
                "q_proj",
                "k_proj",
                "v_proj",
                "o_proj",
                "gate_proj",
                "up_proj",
                "down_proj"
              ]
            },
            "regularisers": {
              "kl_to_base": 0.0,
              "neftune": 0.0,
              "pull": 0.0,
              "replay": 0,
              "weight_decay": 0.0
            },
            "schedule": "constant",
            "warmup": 10
          },
          {
            "id": "full",
            "label": "Full",
            "lr": 0.0010000000474974513,
            "method": {
              "kind": "full"
            },
            "regularisers": {
              "kl_to_base": 0.0,
              "neftune": 0.0,
              "pull": 0.0,
              "replay": 0,
              "weight_decay": 0.0
            },
            "schedule": "constant",
            "warmup": 10
          }
        ],
        "items": {
          "$ref": "#/$defs/ArmSpec"
        },
        "type": "array"
      },
      "asked": {
        "default": 48,
        "minimum": 0,
        "type": "integer"
      },
      "batch": {
        "default": 8,
        "minimum": 0,
        "type": "integer"
      },
      "clip": {
        "default": 1.0,
        "type": "number"
      },
      "examples": {
        "default": 0,
        "minimum": 0,
        "type": "integer"
      },
      "filter": {
        "$ref": "#/$defs/Filter",
        "default": "first"
      },
      "max_len": {
        "default": 64,
        "minimum": 0,
        "type": "integer"
      },
      "measure_every": {
        "default": 10,
        "minimum": 0,
        "type": "integer"
      },
      "new_facts": {
        "default": 0,
        "minimum": 0,
        "type": "integer"
      },
      "probes": {
        "default": 240,
        "minimum": 0,
        "type": "integer"
      },
      "seed": {
        "default": 1,
        "minimum": 0,
        "type": "integer"
      },
      "shift_prompts": {
        "default": 16,
        "minimum": 0,
        "type": "integer"
      },
      "simplified": {
        "default": false,
        "type": "boolean"
      },
      "steps": {
        "default": 200,
        "minimum": 0,
        "type": "integer"
      },
      "swaps": {
        "default": [],
        "items": {
          "$ref": "#/$defs/Swap"
        },
        "type": "array"
      }
    },
    "required": [
      "arms",
      "seed",
      "steps",
      "batch",
      "accumulate",
      "max_len",
      "clip",
      "examples",
      "filter",
      "simplified",
      "new_facts",
      "swaps",
      "measure_every",
      "probes",
      "asked",
      "shift_prompts",
      "answer_len"
    ],
    "type": "object"
  },
  "Shift": {
    "properties": {
      "classes": {
        "anyOf": [
          {
            "$ref": "#/$defs/ClassShift"
          },
          {
            "type": "null"
          }
        ]
      },
      "kl": {
        "type": "number"
      },
      "marginal": {
        "minimum": 0,
        "type": "integer"
      },
      "n": {
        "minimum": 0,
        "type": "integer"
      },
      "positions": {
        "items": {
          "$ref": "#/$defs/PositionShift"
        },
        "type": "array"
      },
      "shifted": {
        "minimum": 0,
        "type": "integer"
      },
      "unshifted": {
        "minimum": 0,
        "type": "integer"
      }
    },
    "required": [
      "kl",
      "n",
      "unshifted",
      "marginal",
      "shifted",
      "positions"
    ],
    "type": "object"
  },
  "ShiftText": {
    "properties": {
      "arm": {
        "type": "string"
      },
      "question": {
        "type": "string"
      },
      "run": {
        "minimum": 0,
        "type": "integer"
      },
      "step": {
        "minimum": 0,
        "type": "integer"
      },
      "tokens": {
        "items": {
          "$ref": "#/$defs/ShiftToken"
        },
        "type": "array"
      }
    },
    "required": [
      "run",
      "arm",
      "step",
      "question",
      "tokens"
    ],
    "type": "object"
  },
  "ShiftToken": {
    "properties": {
      "base_logprob": {
        "type": "number"
      },
      "base_top": {
        "items": {
          "prefixItems": [
            {
              "type": "string"
            },
            {
              "type": "number"
            }
          ],
          "type": "array"
        },
        "type": "array"
      },
      "kl": {
        "type": "number"
      },
      "logprob": {
        "type": "number"
      },
      "rank": {
        "minimum": 0,
        "type": "integer"
      },
      "text": {
        "type": "string"
      },
      "top": {
        "items": {
          "prefixItems": [
            {
              "type": "string"
            },
            {
              "type": "number"
            }
          ],
          "type": "array"
        },
        "type": "array"
      }
    },
    "required": [
      "text",
      "rank",
      "kl",
      "logprob",
      "base_logprob",
      "top",
      "base_top"
    ],
    "type": "object"
  },
  "Split": {
    "oneOf": [
      {
        "const": "kept",
        "type": "string"
      },
      {
        "const": "seen",
        "type": "string"
      },
      {
        "const": "new",
        "type": "string"
      }
    ]
  },
  "Spread": {
    "properties": {
      "ci": {
        "default": 0.0,
        "type": "number"
      },
      "mean": {
        "type": "number"
      },
      "sd": {
        "type": "number"
      }
    },
    "required": [
      "mean",
      "sd",
      "ci"
    ],
    "type": "object"
  },
  "StepEvent": {
    "properties": {
      "arm": {
        "type": "string"
      },
      "grad_norm": {
        "type": "number"
      },
      "loss": {
        "type": "number"
      },
      "lr": {
        "type": "number"
      },
      "ms": {
        "type": "number"
      },
      "run": {
        "minimum": 0,
        "type": "integer"
      },
      "step": {
        "minimum": 0,
        "type": "integer"
      },
      "tokens": {
        "minimum": 0,
        "type": "integer"
      }
    },
    "required": [
      "run",
      "arm",
      "step",
      "loss",
      "lr",
      "grad_norm",
      "tokens",
      "ms"
    ],
    "type": "object"
  },
  "Strength": {
    "properties": {
      "arm": {
        "type": "string"
      },
      "heldout_loss": {
        "type": "number"
      },
      "kl": {
        "type": "number"
      },
      "recall_cloze": {
        "type": "number"
      },
      "run": {
        "minimum": 0,
        "type": "integer"
      },
      "step": {
        "minimum": 0,
        "type": "integer"
      },
      "strength": {
        "type": "number"
      },
      "unshifted": {
        "type": "number"
      }
    },
    "required": [
      "run",
      "arm",
      "step",
      "strength",
      "heldout_loss",
      "kl",
      "unshifted",
      "recall_cloze"
    ],
    "type": "object"
  },
  "Summary": {
    "properties": {
      "arms": {
        "items": {
          "$ref": "#/$defs/SummaryArm"
        },
        "type": "array"
      },
      "checkpoints": {
        "default": [],
        "items": {
          "$ref": "#/$defs/Checkpoint"
        },
        "type": "array"
      },
      "claim": {
        "default": "",
        "type": "string"
      },
      "comparisons": {
        "default": [],
        "items": {
          "$ref": "#/$defs/Comparison"
        },
        "type": "array"
      },
      "counterfactual": {
        "items": {
          "$ref": "#/$defs/Counterfactual"
        },
        "type": "array"
      },
      "preset": {
        "default": "",
        "type": "string"
      },
      "rows": {
        "items": {
          "$ref": "#/$defs/SummaryRow"
        },
        "type": "array"
      },
      "title": {
        "type": "string"
      },
      "verdict": {
        "type": "string"
      }
    },
    "required": [
      "preset",
      "title",
      "claim",
      "arms",
      "rows",
      "comparisons",
      "verdict",
      "checkpoints"
    ],
    "type": "object"
  },
  "SummaryArm": {
    "properties": {
      "id": {
        "type": "string"
      },
      "label": {
        "type": "string"
      }
    },
    "required": [
      "id",
      "label"
    ],
    "type": "object"
  },
  "SummaryRow": {
    "properties": {
      "arm": {
        "type": "string"
      },
      "condition": {
        "type": "string"
      },
      "fairness": {
        "anyOf": [
          {
            "$ref": "#/$defs/Fairness"
          },
          {
            "type": "null"
          }
        ],
        "default": null
      },
      "figures": {
        "additionalProperties": {
          "$ref": "#/$defs/Spread"
        },
        "type": "object"
      },
      "lr": {
        "type": "number"
      },
      "seeds": {
        "minimum": 0,
        "type": "integer"
      }
    },
    "required": [
      "condition",
      "fairness",
      "arm",
      "lr",
      "seeds",
      "figures"
    ],
    "type": "object"
  },
  "Swap": {
    "additionalProperties": false,
    "properties": {
      "from": {
        "type": "string"
      },
      "row": {
        "minimum": 0,
        "type": "integer"
      },
      "to": {
        "type": "string"
      }
    },
    "required": [
      "row",
      "from",
      "to"
    ],
    "type": "object"
  },
  "SwappedAnswer": {
    "properties": {
      "after": {
        "type": "string"
      },
      "cell": {
        "minimum": 0,
        "type": "integer"
      },
      "from": {
        "type": "string"
      },
      "to": {
        "type": "string"
      }
    },
    "required": [
      "cell",
      "from",
      "to",
      "after"
    ],
    "type": "object"
  },
  "Target": {
    "enum": [
      "q_proj",
      "k_proj",
      "v_proj",
      "o_proj",
      "gate_proj",
      "up_proj",
      "down_proj"
    ],
    "type": "string"
  },
  "WallFact": {
    "properties": {
      "cloze": {
        "type": "string"
      },
      "object": {
        "type": "string"
      },
      "relation": {
        "type": "string"
      },
      "split": {
        "$ref": "#/$defs/Split"
      },
      "subject": {
        "type": "string"
      }
    },
    "required": [
      "subject",
      "relation",
      "object",
      "cloze",
      "split"
    ],
    "type": "object"
  },
  "WeightsEvent": {
    "properties": {
      "arm": {
        "type": "string"
      },
      "matrices": {
        "items": {
          "$ref": "#/$defs/MatrixChange"
        },
        "type": "array"
      },
      "run": {
        "minimum": 0,
        "type": "integer"
      },
      "step": {
        "minimum": 0,
        "type": "integer"
      }
    },
    "required": [
      "run",
      "arm",
      "step",
      "matrices"
    ],
    "type": "object"
  },
  "WrongAnswer": {
    "properties": {
      "answer": {
        "type": "string"
      },
      "cell": {
        "minimum": 0,
        "type": "integer"
      },
      "sources": {
        "items": {
          "minimum": 0,
          "type": "integer"
        },
        "type": "array"
      }
    },
    "required": [
      "cell",
      "answer",
      "sources"
    ],
    "type": "object"
  }
};
