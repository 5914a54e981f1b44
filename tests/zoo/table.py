"""The table of models in docs/models.md: made from what the tests of all architectures measure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from architectures import ARCHITECTURES, N_PADDING
from architectures_eager import eager

from attnwidget.capture.source import ModelSource
from zoo.common import ENTRIES, ROWS, captured, inputs_of, model_of, pairs, stacks_of

PATH = Path(__file__).parents[2] / "docs" / "models.md"
REFUSED = "refused"

# The names that people use for the architectures of tests/architectures.py.
_FAMILIES = {
    "bert": "BERT", "distilbert": "DistilBERT", "roberta": "RoBERTa", "electra": "ELECTRA",
    "albert": "ALBERT", "modernbert": "ModernBERT", "gpt2": "GPT-2", "gpt-neox": "GPT-NeoX",
    "opt": "OPT", "llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3",
    "gemma3": "Gemma 3", "phi3": "Phi-3", "esm": "ESM", "gemma2": "Gemma 2", "olmo2": "OLMo 2",
    "cohere2": "Cohere 2", "mixtral": "Mixtral", "gpt-oss": "GPT-OSS",
    "deepseek-v3": "DeepSeek-V3", "jamba": "Jamba", "qwen3-next": "Qwen3-Next", "t5": "T5",
    "bart": "BART", "marian": "Marian", "whisper": "Whisper", "vit": "ViT", "swin": "Swin",
    "clip": "CLIP", "llava": "LLaVA", "qwen2-vl": "Qwen2-VL", "wav2vec2": "Wav2Vec2",
    "sam": "SAM", "falcon": "Falcon", "falcon-alibi": "Falcon (ALiBi)",
    "falcon-grouped": "Falcon (grouped heads)", "bloom": "BLOOM", "gpt-j": "GPT-J",
    "gpt-neo": "GPT-Neo", "mpt": "MPT", "deberta-v2": "DeBERTa-v2", "xlnet": "XLNet",
    "big-bird": "BigBird", "longformer": "Longformer",
}  # fmt: skip
_NOTES = {
    "swin": "One window of the image is shown.",
    "sam": "The image tower's windows are shown by their first window.",
    "jamba": "Mamba layers have no attention.",
    "qwen3-next": "Linear-attention layers have no softmax and are not shown.",
    "gpt-oss": "A sink takes a part of each row.",
    "longformer": "One token has global attention; the other tokens see a band.",
    "t5": "Measured in float64, because T5 does not scale its scores.",
}
_HEAD = """# Models

This page is made by `make models-table` from what `tests/test_zoo.py` and
`tests/test_architectures.py` measure. Do not edit the page by hand.

Each model is tiny: built from its configuration with random weights, 2 to 4 layers, a few tokens.
The table says what the code of an architecture gives, and nothing of a trained model.

- **Layers shown** counts the attention layers on the card, by stack. "refused" means that
  `from_model` raises a ValueError, whose reason is in the notes.
- **Largest error** bounds the difference between a weight that is shown and the weight of
  transformers' own eager attention, over all layers and heads, and with padding where the model
  takes padding. The newer entries are measured on both rows of a batch of two.

| Family | Class | Layers shown | Largest error | Notes |
|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    family: str
    model: str
    stacks: str
    error: str
    notes: str

    def __str__(self) -> str:
        cells = [self.family, f"`{self.model}`", self.stacks, self.error, self.notes]
        return f"| {' | '.join(cells)} |"


def names() -> list[tuple[str, str]]:
    """Return (where, name) of everything in the table: "zoo" or "architectures"."""
    older = [name for name in _FAMILIES if name not in ENTRIES]
    return [("zoo", name) for name in ENTRIES] + [("architectures", name) for name in older]


def called(where: str, name: str) -> tuple[str, str]:
    """Return the family and the class."""
    if where == "architectures":
        return _FAMILIES[name], type(_old_model(name)).__name__
    return ENTRIES[name].family, type(model_of(name)).__name__


def heading(where: str, name: str) -> tuple[str, str, str]:
    """Return the family, the class and the stacks that the widget shows."""
    if where == "architectures":
        stacks = said(stacks_of(_old_source(name, "plain")))
    elif ENTRIES[name].refused:
        _refusal(name)
        stacks = REFUSED
    else:
        stacks = said(stacks_of(captured(name, "plain", 0)[0]))
    return *called(where, name), stacks


def measured(where: str, name: str) -> Row:
    """Return the line of one entry. Raise AssertionError where it is not what the entry says."""
    family, model, stacks = heading(where, name)
    if where == "architectures":
        return Row(family, model, stacks, bound(_old_error(name)), _NOTES.get(name, ""))
    entry = ENTRIES[name]
    if entry.refused:
        reason = _refusal(name)
        assert entry.refused in reason, reason
        first = reason.removeprefix("model: ").partition(". ")[0]
        return Row(family, model, stacks, "", f"{first}. {_sentence(entry.notes)}".strip())
    assert stacks == said(dict(entry.stacks)), f"stacks are {stacks}"
    notice = captured(name, "plain", 0)[0].notice
    assert all(words in notice for words in entry.not_shown), f"the notice is {notice!r}"
    cases = ("plain",) if entry.padded is None else ("plain", "padded")
    error = max(
        float(np.abs(ours - theirs).max())
        for how in cases
        for row in ROWS
        for _, ours, theirs in pairs(name, how, row)
    )
    assert error <= entry.tolerance, f"the largest error is {error:.2g}"
    hidden = ", ".join(f"`{words}`" for words in entry.not_shown)
    notes = [_sentence(entry.notes), f"Not shown: {hidden}." if hidden else ""]
    return Row(family, model, stacks, bound(error), " ".join(notes).strip())


def page(rows: list[Row]) -> str:
    """Return the text of docs/models.md."""
    ordered = sorted(rows, key=lambda row: (row.family.lower(), row.model))
    return _HEAD + "".join(f"{row}\n" for row in ordered)


def read(text: str) -> set[tuple[str, str, str]]:
    """Return the family, class and stacks of every line of the table in `text`."""
    lines = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {(family[2:], model.strip("`"), stacks) for family, model, stacks, *_ in lines[1:]}


def said(stacks: dict[str, int]) -> str:
    """Return how many layers each stack has, in words."""
    return ", ".join(f"{stack}: {stacks[stack]}" for stack in sorted(stacks, key=_order))


def bound(error: float) -> str:
    """Return an upper bound of `error` that stays the same where rounding differs a little."""
    if error == 0:
        return "0"
    least = 2 * error
    power = math.floor(math.log10(least))
    digit = next(digit for digit in (1, 2, 5, 10) if digit * 10.0**power >= least)
    return f"≤ 1e{power + 1}" if digit == 10 else f"≤ {digit}e{power}"


def _sentence(note: str) -> str:
    return f"{note[0].upper()}{note[1:].rstrip('.')}." if note else ""


def _order(stack: str) -> tuple[int, str]:
    parts = ("self", "encoder", "decoder", "cross", "vision", "audio")
    return parts.index(stack.partition(" ")[0]), stack


@cache
def _refusal(name: str) -> str:
    try:
        ModelSource.capture(model_of(name), None, inputs=inputs_of(name, "plain"))
    except ValueError as error:
        return str(error)
    raise AssertionError(f"{name} is not refused")


@cache
def _old_model(name: str) -> Any:
    model = ARCHITECTURES[name].make()
    return model.double() if name == "t5" else model


@cache
def _old_source(name: str, how: str) -> ModelSource:
    return ModelSource.capture(_old_model(name), None, inputs=_old_inputs(name, how))


def _old_inputs(name: str, how: str) -> Any:
    architecture = ARCHITECTURES[name]
    return (
        architecture.inputs()
        if how == "plain" or not architecture.padded
        else architecture.padded()
    )


def _old_error(name: str) -> float:
    errors = []
    for how in ("plain",) if ARCHITECTURES[name].padded is None else ("plain", "padded"):
        source = _old_source(name, how)
        wanted = eager(_old_model(name), _old_inputs(name, how))
        for layer in source.layers:
            part = layer.stack_id.part
            first = N_PADDING if how == "padded" and part in {"self", "encoder"} else 0
            ours = source.of(layer.stack).weights(layer.index)[:, first:]
            errors.append(float(np.abs(ours - wanted[part, layer.index][:, first:]).max()))
    assert max(errors) <= 1e-6, f"the largest error is {max(errors):.2g}"
    return max(errors)
