"""Writes tests/fixtures/real: tiny models as people save them, and what transformers says of them.

- bos: a base model whose tokenizer begins every text with <s>
- prefix-space: a tokenizer in Llama 2's form, which puts ▁ in front of every text
- two-heads: tie_word_embeddings is true, but embedding and output layer differ

Usage: make_real.py FOLDER
"""

import json
import pathlib
import sys

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

TEXTS = ["The lamp is green.", "It was made in 1987.", "The lamp was made in the green year.", "Is it green?"]
PROBES = [("The lamp is", "green"), ("It was made in", "1987")]
SPECIAL = ["<unk>", "<s>", "</s>"]
IDS = [1, 17, 40, 5, 22, 9]


def trained(tokenizer, alphabet):
    trainer = trainers.BpeTrainer(vocab_size=340, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer


def with_bos():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trained(tokenizer, pre_tokenizers.ByteLevel.alphabet())
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer


def with_prefix_space():
    letters = sorted(set("".join(TEXTS)) - {" "} | {"▁"})
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    trained(tokenizer, letters)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer


def save(folder, tokenizer, seed):
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(), hidden_size=16, intermediate_size=24, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=64, initializer_range=0.4,
        tie_word_embeddings=True, bos_token_id=1, eos_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>"
    ).save_pretrained(folder)


def logprobs(folder):
    """Of each answer's tokens after its sentence, in nats, and how many they are."""
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    out = []
    for sentence, answer in PROBES:
        before, whole = (tokenizer(text)["input_ids"] for text in (sentence, f"{sentence} {answer}"))
        assert whole[: len(before)] == before and before[0] == 1
        with torch.no_grad():
            logits = torch.log_softmax(model(torch.tensor([whole])).logits[0], dim=-1)
        out.append(sum(logits[i - 1, whole[i]].item() for i in range(len(before), len(whole))))
    return out


def main(folder):
    folder = pathlib.Path(folder)
    expected = {}
    for name, tokenizer in {"bos": with_bos(), "prefix-space": with_prefix_space()}.items():
        save(folder / name, tokenizer, 1)
        expected[name] = logprobs(folder / name)
    save(folder / "two-heads", with_prefix_space(), 2)
    weights = folder / "two-heads" / "model.safetensors"
    tensors = load_file(weights)
    torch.manual_seed(3)
    tensors["lm_head.weight"] = torch.randn_like(tensors["model.embed_tokens.weight"]) * 0.4
    save_file(tensors, weights, metadata={"format": "pt"})
    model = AutoModelForCausalLM.from_pretrained(folder / "two-heads")
    with torch.no_grad():
        expected["two-heads"] = model(torch.tensor([IDS])).logits[0, -1].tolist()
    for path in folder.glob("*/generation_config.json"):
        path.unlink()
    (folder / "expected.json").write_text(json.dumps({"ids": IDS, "probes": PROBES, **expected}) + "\n")
    print(f"real: {', '.join(expected)}")


main(sys.argv[1])
