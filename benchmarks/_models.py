"""A GPT-2 of random weights, and texts for it: what views and capture are measured on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2Model, PreTrainedTokenizerFast

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

HEADS = 12
WORDS = 61
LONGEST = 512


def decoder(n_layer: int) -> tuple[GPT2Model, PreTrainedTokenizerBase]:
    """Return a GPT-2 of `n_layer` layers of 12 heads, 768 wide as the small one, and a tokenizer.

    The weights are larger than at the start of a training, so that its maps have peaks.
    """
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"n_layer": n_layer, "n_head": HEADS, "n_embd": 768}
    sizes |= {"bos_token_id": None, "eos_token_id": None}
    config = GPT2Config(vocab_size=WORDS + 1, n_positions=LONGEST, initializer_range=0.1, **sizes)
    words = {f"t{i}": i for i in range(WORDS)} | {"?": WORDS}
    plain = Tokenizer(models.WordLevel(words, unk_token="?"))
    plain.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=plain, unk_token="?")
    return GPT2Model(config).eval(), tokenizer


def text(n: int) -> str:
    """Return a text of n tokens."""
    return " ".join(f"t{i * 7 % WORDS}" for i in range(n))
