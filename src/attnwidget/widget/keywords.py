"""Keywords that a function lacks: what they were meant for, and where it goes."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec, TypedDict, TypeVar

from attnwidget.session.settings import SETTABLE

_MODEL = "a model is opened by AttentionWidget.from_model(model, tokenizer, text)"
_TENSORS = "what the model is called with goes into inputs={...}"
# What people write, and what they may have meant by it, for each function.
_MEANT: Mapping[str, Mapping[str, str]] = {
    "__init__": {
        **dict.fromkeys(["model", "tokenizer", "text", "inputs", "generate"], _MODEL),
        **dict.fromkeys(
            ["attention", "attentions", "weights"],
            "weights are shown by AttentionWidget.from_arrays(attention, tokens)",
        ),
        "outputs": "outputs are shown by AttentionWidget.from_outputs(outputs, tokens)",
    },
    "from_model": {
        **dict.fromkeys(
            ["device", "device_map"],
            "the model runs where its weights are: model.to(...) before",
        ),
        **dict.fromkeys(
            ["dtype", "torch_dtype"],
            "the model runs in the type of its weights: model.to(dtype) before",
        ),
        **dict.fromkeys(
            ["output_attentions", "attn_implementation"],
            "it is not needed, because attention is recorded under any implementation",
        ),
        **dict.fromkeys(
            ["input_ids", "attention_mask", "token_type_ids", "position_ids", "pixel_values",
             "input_features", "input_values", "decoder_input_ids"],
            _TENSORS,
        ),
        "return_tensors": "a text is made into tensors here",
        "tokens": "the tokenizer names the tokens; afterwards w.tokens = [...] sets other labels",
    },
}  # fmt: skip
_OF_TOKENIZER = {
    "max_length", "truncation", "padding", "add_special_tokens", "stride", "padding_side",
    "pad_to_multiple_of", "split_special_tokens",
}  # fmt: skip
_OF_GENERATE = {
    "max_new_tokens", "min_new_tokens", "do_sample", "top_k", "top_p", "num_beams",
    "stopping_criteria", "generation_config", "streamer",
}  # fmt: skip


class Settings(TypedDict, total=False):
    """Traits that every constructor takes beside its own keywords."""

    mistake: str | None
    report: Any
    selection: tuple[int, int] | None
    merge: str
    hide_special: bool
    heads_on: Sequence[int] | None
    grid_order: str
    grid_statistic: str
    knockouts: Any
    shown_run: str
    effect_position: int | None


class SentenceSettings(Settings, total=False):
    """Traits that the constructor of a sentence takes beside its own keywords."""

    head: int


P = ParamSpec("P")
R = TypeVar("R")


def with_hints(function: Callable[P, R]) -> Callable[P, R]:
    """Return `function`, which says of a keyword that it lacks what would be right."""
    parameters = inspect.signature(function).parameters.values()
    known = [p.name for p in parameters if p.name not in {"self", "cls", "settings"}]
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        # The traits that may be set, but the tokens, which have an argument of another name.
        known += [name for name in SETTABLE if name not in {*known, "tokens"}]

    @functools.wraps(function)
    def call(*arguments: P.args, **keywords: P.kwargs) -> R:
        for name, value in keywords.items():
            if name not in known:
                hint = _hint(function.__name__, known, name, value)
                raise TypeError(f"unknown keyword {name!r}{hint}")
        return function(*arguments, **keywords)

    return call


def _hint(function: str, known: Sequence[str], name: str, value: Any) -> str:
    meant = _MEANT.get(function, {}).get(name)
    if meant is not None:
        return f": {meant}"
    for options, where in ((_OF_TOKENIZER, "tokenize"), (_OF_GENERATE, "generate")):
        if name in options and where in known:
            example = repr(value) if isinstance(value, (bool, int, float, str)) else "..."
            return f": it goes into {where}={{{name!r}: {example}}}"
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"
