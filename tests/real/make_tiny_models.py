"""Make a tiny random Llama and a tiny random Mixtral. Run by vLLM's own Python:

    python make_tiny_models.py FOLDER TEXT_FILE...

What they write is noise. What a server does with them is real: it tokenizes, batches, counts,
samples by seed, and holds an answer to a grammar. The tokenizer is trained on the files named.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    PreTrainedTokenizerFast,
)

SEED = 20250123
VOCABULARY = 1024
BEGIN, END, PAD = "<|begin|>", "<|end|>", "<|pad|>"
CHAT_TEMPLATE = (
    "{{ '<|begin|>' }}{% for message in messages %}"
    "{{ message['role'] + ': ' + message['content'] + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)


def train_tokenizer(texts: list[Path]) -> PreTrainedTokenizerFast:
    """A byte-level BPE, so that any text and any grammar can be written in it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[BEGIN, END, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train([str(path) for path in texts], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=PAD,
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def main() -> None:
    folder, texts = Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]]
    tokenizer = train_tokenizer(texts)
    shape = {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "tie_word_embeddings": False,
    }
    made = {
        "tiny-llama": (LlamaForCausalLM, LlamaConfig(**shape)),
        "tiny-mixtral": (
            MixtralForCausalLM,
            MixtralConfig(**shape, num_local_experts=4, num_experts_per_tok=2, sliding_window=None),
        ),
    }
    for name, (kind, config) in made.items():
        torch.manual_seed(SEED)
        model = kind(config).to(torch.bfloat16)
        model.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
        print(f"{name}: {model.num_parameters():,} parameters")


if __name__ == "__main__":
    main()
