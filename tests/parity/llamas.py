"""What the fixtures are made of: three tiny Llamas, three kinds of adapter, and text that can be learned."""

import json
import random
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from training import Settings

STEPS, MICRO_BATCHES, ROWS = 50, 2, 3

# No vocabulary is a multiple of 4, and nothing in rope-llama3 is.
SHAPES = {
    "gqa-4-2": dict(
        hidden_size=32, intermediate_size=44, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        head_dim=8, vocab_size=61, tie_word_embeddings=True,
    ),
    "gqa-8-1": dict(
        hidden_size=48, intermediate_size=40, num_hidden_layers=2, num_attention_heads=8, num_key_value_heads=1,
        head_dim=6, vocab_size=67, tie_word_embeddings=False,
    ),
    # The wavelengths of its five frequencies are 6, 22, 76, 261 and 906 tokens: one below 32 / 4 and kept, one below
    # 32 / 1 and blended, the others scaled by 8.
    "rope-llama3": dict(
        hidden_size=30, intermediate_size=41, num_hidden_layers=3, num_attention_heads=3, num_key_value_heads=3,
        head_dim=10, vocab_size=59, tie_word_embeddings=True,
        rope_parameters=dict(
            rope_type="llama3", rope_theta=500.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
            original_max_position_embeddings=32,
        ),
    ),
}

ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ADAPTERS = {
    "lora": dict(r=4, lora_alpha=8, target_modules=ALL),
    "rslora": dict(r=3, lora_alpha=6, target_modules=["q_proj", "v_proj", "down_proj"], use_rslora=True),
    "dora": dict(
        r=4, lora_alpha=8, target_modules=["q_proj", "k_proj", "o_proj", "up_proj", "down_proj"], use_dora=True
    ),
}
# What each method starts from: an adapter, or the base's own weights.
METHODS = {"full": None, **{name: name for name in ADAPTERS}, "full-kl": None, "lora-kl": "lora"}

# The rates let the loss fall visibly but are no race: rounding does not grow. The clips are near the median norms.
COMMON = dict(steps=STEPS, warmup=5, weight_decay=0.1)
SETTINGS = {
    "full": Settings(lr=5e-3, schedule="cosine", clip=4.5, **COMMON),
    "lora": Settings(lr=2e-2, schedule="linear", clip=3.0, **COMMON),
    "rslora": Settings(lr=1e-2, schedule="constant", clip=3.0, **COMMON),
    "dora": Settings(lr=2e-2, schedule="cosine", clip=2.5, **COMMON),
    "full-kl": Settings(lr=5e-3, schedule="cosine", clip=4.5, kl_to_base=0.3, **COMMON),
    "lora-kl": Settings(lr=2e-2, schedule="linear", clip=3.0, kl_to_base=1.0, **COMMON),
}


def save_llama(folder, name, seed):
    """Writes a random model whose logits and gradients are far from 0."""
    config = LlamaConfig(max_position_embeddings=128, bos_token_id=0, eos_token_id=0, pad_token_id=0, **SHAPES[name])
    model = LlamaForCausalLM(config)
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        if parameter.dim() == 1:
            torch.nn.init.uniform_(parameter, 0.5, 1.5, generator=generator)
        else:
            torch.nn.init.normal_(parameter, std=0.2, generator=generator)
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink()
    if "rope_parameters" in SHAPES[name]:
        write_older_rope(folder / "config.json")


def write_older_rope(path):
    """Adds the fields of transformers before 5 to those of transformers 5."""
    config = json.loads(path.read_text())
    scaling = dict(config["rope_parameters"])
    config["rope_theta"] = scaling.pop("rope_theta")
    config["rope_scaling"] = scaling
    path.write_text(json.dumps(config, indent=2) + "\n")


def load_llama(folder):
    return LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")


def save_adapter(base, folder, config, seed, spread=0.1):
    """Writes an adapter in the midst of its training: B is not 0, DoRA's magnitudes are not the rows' norms."""
    torch.manual_seed(seed)
    model = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", lora_dropout=0.0, bias="none", **config))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=spread)
            if "lora_magnitude_vector" in name:
                parameter.mul_(1 + 0.04 * torch.randn_like(parameter))
    saved = model.peft_config["default"]
    saved.base_model_name_or_path = Path(base.name_or_path).name  # not the full path
    saved.target_modules = sorted(saved.target_modules)  # a set has another order each time
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink()


def load_adapter(base, folder):
    return PeftModel.from_pretrained(base, folder, is_trainable=True)


def random_steps(vocabulary, seed):
    """Rows of 5 to 13 tokens for all steps. Four times in five a token decides the next one, so there is something to
    learn. Some rows have no prompt (response 0), some no response (response = length)."""
    rng = random.Random(seed)
    successor = rng.sample(range(vocabulary), vocabulary)

    def row():
        tokens = [rng.randrange(vocabulary)]
        for _ in range(rng.randint(4, 12)):
            tokens.append(successor[tokens[-1]] if rng.random() < 0.8 else rng.randrange(vocabulary))
        response = rng.choice([0, len(tokens), *[rng.randint(1, len(tokens) - 1) for _ in range(10)]])
        return {"tokens": tokens, "response": response}

    return [[[row() for _ in range(ROWS)] for _ in range(MICRO_BATCHES)] for _ in range(STEPS)]
