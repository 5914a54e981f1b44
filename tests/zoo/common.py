"""What an entry of the zoo is, and what is measured of each entry.

A module of this folder that has entries ends with a list `ENTRIES`. The tests are in
tests/test_zoo.py. Every model is built tiny from its configuration, without a network, and is the
same in every run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from models import PAD
from transformers import PreTrainedModel

from attnwidget.capture.source import ModelSource
from zoo.oracle import SEED, Weights, eager_weights, of_row

Inputs = dict[str, torch.Tensor]

MODULES = ("decoders", "encoders", "seq2seq", "images", "sound_and_video", "multimodal")
N_PADDING = 2
ROWS = (0, 1)
# Two texts of 7 tokens, and two targets of 5 tokens for an encoder-decoder.
IDS = [[5, 11, 3, 9, 2, 8, 13], [7, 4, 12, 6, 10, 3, 9]]
DECODER_IDS = [[4, 6, 12, 10, 7], [9, 3, 5, 11, 8]]
N = len(IDS[0])
N_DECODER = len(DECODER_IDS[0])
# A padded text in these stacks follows `attention_mask`, in the others `decoder_attention_mask`.
_READS_SOURCE = ("self", "encoder", "audio")


@dataclass(frozen=True)
class Entry:
    """One tiny model, what the model reads, and what the widget must show of the model.

    Parameters
    ----------
    name
        A short name that no other entry has, "nllb-moe".
    family
        The name that people use, "NLLB-MoE".
    make
        Builds the model. The result is the same in every run.
    inputs
        A batch of two different rows without padding.
    stacks
        How many layers are shown, by stack: "self", "encoder", "decoder", "cross", "vision",
        "audio", or a stack with a size, "cross 8×64".
    padded
        The same batch where row 1 has N_PADDING positions of padding, at the left, or at the right
        where the model wants padding there. None where the model takes no padding.
    not_shown
        Words that the notice must have, because attention with these names is not shown.
    refused
        Words of the ValueError where the whole model is refused, else "".
    tolerance
        The largest difference between our weights and the weights of eager attention.
    notes
        A remark in plain English for docs/models.md.
    oracle
        Returns the eager weights of (model, inputs) where `eager_weights` cannot: keys are
        (module name, number of the call), values are (2, h, n_q, n_k).
    real
        Says for (inputs, stack, n_q) which of the queries of row 1 of padded inputs are real, where
        `attention_mask` and `decoder_attention_mask` do not say it.
    """

    name: str
    family: str
    make: Callable[[], PreTrainedModel]
    inputs: Callable[[], Inputs]
    stacks: Mapping[str, int]
    padded: Callable[[], Inputs] | None = None
    not_shown: tuple[str, ...] = ()
    refused: str = ""
    tolerance: float = 1e-6
    notes: str = ""
    oracle: Callable[[PreTrainedModel, Inputs], Weights] | None = None
    real: Callable[[Inputs, str, int], Sequence[bool]] | None = None


def text(*, target: bool = False, **more: Any) -> Inputs:
    """Return two texts of N tokens; with `target`, two targets of N_DECODER tokens too."""
    inputs: Inputs = {"input_ids": torch.tensor(IDS)}
    if target:
        inputs["decoder_input_ids"] = torch.tensor(DECODER_IDS)
    return inputs | {name: torch.as_tensor(value) for name, value in more.items()}


def padded_text(*, side: str = "left", pad: int = PAD, **more: Any) -> Inputs:
    """Return the same with N_PADDING tokens of padding in row 1, at the `side`."""
    inputs = text(**more)
    where = slice(0, N_PADDING) if side == "left" else slice(N - N_PADDING, N)
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    inputs["attention_mask"][1, where] = 0
    inputs["input_ids"][1, where] = pad
    return inputs


def all_entries() -> dict[str, Entry]:
    """Return the entries of every module in MODULES that exists, by name."""
    found: dict[str, Entry] = {}
    for name in MODULES:
        if find_spec(f"zoo.{name}") is not None:
            for entry in import_module(f"zoo.{name}").ENTRIES:
                assert entry.name not in found, f"two entries are called {entry.name}"
                found[entry.name] = entry
    return found


ENTRIES = all_entries()


@cache
def model_of(name: str) -> PreTrainedModel:
    return ENTRIES[name].make()


@cache
def inputs_of(name: str, how: str) -> Inputs:
    """Return the inputs of an entry; `how` is "plain" or "padded"."""
    entry = ENTRIES[name]
    make = entry.inputs if how == "plain" else entry.padded
    assert make is not None
    return make()


@cache
def expected(name: str, how: str) -> Weights:
    """Return the weights of eager attention."""
    return (ENTRIES[name].oracle or eager_weights)(model_of(name), inputs_of(name, how))


@cache
def plain_output(name: str, how: str) -> Any:
    """Return the model's outputs in a forward pass without capture."""
    return run(model_of(name), inputs_of(name, how))


@cache
def captured(name: str, how: str, row: int) -> tuple[ModelSource, Any]:
    """Return the capture of one row, and the model's outputs in the pass of that capture."""
    return capture(model_of(name), inputs_of(name, how), row)


def run(model: PreTrainedModel, inputs: Inputs) -> Any:
    # ProphetNet fails with a cache.
    settings: Any = {"use_cache": False} if model.config.model_type == "prophetnet" else {}
    torch.manual_seed(SEED)
    with torch.no_grad():
        return model(**inputs, **settings)


def capture(model: PreTrainedModel, inputs: Inputs, row: int) -> tuple[ModelSource, Any]:
    outputs: list[Any] = []

    def keep(_: Any, __: Any, output: Any) -> None:
        outputs.append(output)

    handle = model.register_forward_hook(keep)
    torch.manual_seed(SEED)
    try:
        source = ModelSource.capture(model, None, inputs=inputs, batch_index=row)
    finally:
        handle.remove()
    assert len(outputs) == 1, f"the capture made {len(outputs)} passes, want 1"
    return source, outputs[0]


def stacks_of(source: ModelSource) -> dict[str, int]:
    """Return how many layers the source shows, by stack."""
    return dict(Counter(layer.stack for layer in source.layers))


def pairs(name: str, how: str, row: int) -> list[tuple[Any, np.ndarray, np.ndarray]]:
    """Return (layer, our weights, weights of eager attention) of every layer that is shown.

    Rows of queries that are padding are left out: libraries define the rows differently.
    """
    source, _ = captured(name, how, row)
    wanted, calls, found = expected(name, how), Counter[str](), []
    for layer in source.layers:
        key = layer.module, calls[layer.module]
        calls[layer.module] += 1
        assert key in wanted, f"no weights of eager attention for {key}: {sorted(wanted)}"
        ours = source.of(layer.stack).weights(layer.index)
        theirs = of_row(wanted[key], row).numpy()
        assert ours.shape == theirs.shape, f"{key}: {ours.shape}, eager has {theirs.shape}"
        real = real_queries(name, how, layer.stack, ours.shape[1], row)
        found.append((layer, ours[:, real], theirs[:, real]))
    return found


def real_queries(name: str, how: str, stack: str, n_q: int, row: int) -> np.ndarray:
    """Return which of the n_q queries are not padding, a bool array (n_q,)."""
    entry, every = ENTRIES[name], np.ones(n_q, bool)
    if how == "plain" or row == 0:
        return every
    inputs = inputs_of(name, how)
    if entry.real is not None:
        return np.array(entry.real(inputs, stack, n_q), bool)
    source = stack.partition(" ")[0] in _READS_SOURCE
    # Without a decoder's text, cross-attention asks from the one text that there is.
    source = source or (stack.startswith("cross") and "decoder_input_ids" not in inputs)
    mask = inputs.get("attention_mask" if source else "decoder_attention_mask")
    fits = mask is not None and mask.ndim == 2 and mask.shape[1] == n_q
    return mask[row].bool().numpy() if fits else every


def tensors(output: Any, name: str = "output") -> dict[str, torch.Tensor]:
    """Return the tensors in a model's outputs, by a name that says where they are.

    Caches of keys and values are left out, because a capture runs without a cache.
    """
    if torch.is_tensor(output):
        return {name: output}
    if isinstance(output, Mapping):
        parts = [(f"{name}.{key}", value) for key, value in output.items()]
    elif isinstance(output, tuple | list):
        parts = [(f"{name}[{at}]", value) for at, value in enumerate(output)]
    else:
        return {}
    return {
        key: tensor
        for part, value in parts
        if "past_key_values" not in part
        for key, tensor in tensors(value, part).items()
    }
