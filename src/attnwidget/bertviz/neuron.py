"""BertViz's neuron view as one offline document, for the models that it has classes for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnwidget.bertviz.maps import MAX_BYTES, MAX_LINES, chosen
from attnwidget.bertviz.neuron_write import write_neurons
from attnwidget.bertviz.page import Document, shown_theme
from attnwidget.bertviz.vendored import check_model, neurons
from attnwidget.maths.validate import index, size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch
    from transformers import PreTrainedModel

__all__ = ["neuron_document"]


def neuron_document(
    model: PreTrainedModel,
    inputs: Mapping[str, torch.Tensor],
    tokens: Sequence[str],
    *,
    sentence_b_start: int | None = None,
    layer: int | None = None,
    head: int | None = None,
    include_layers: Sequence[int] | None = None,
    theme: str | None = None,
    display_mode: str | None = None,
    max_bytes: int = MAX_BYTES,
) -> Document:
    """Return BertViz's neuron view of `model` reading a text, as one offline HTML document.

    BertViz computes queries and keys with classes of its own. They get the weights of `model`
    (BERT, RoBERTa or GPT-2, with any head on top), and their attention is held against the
    model's own before anything is shown: within 5e-5, and for half precision, which they compute
    in float32, 5e-3 (float16) or 5e-2 (bfloat16). The model is left untouched.

    Parameters
    ----------
    inputs, tokens:
        One text without padding: ``input_ids`` (1, n) and, where the model takes it,
        ``token_type_ids``, with n labels; an ``attention_mask`` of ones changes nothing.
    sentence_b_start:
        Where the second of two sentences starts, 1 to n - 1; BertViz then offers a filter between
        them (not GPT-2).
    layer, head:
        Those shown first; the first layer included and head 0 where None.
    include_layers:
        The layers BertViz is given, by number; all where None.
    theme, display_mode:
        ``"light"``, the default, or ``"dark"``; `display_mode` is BertViz's name for it.
    max_bytes:
        The largest document wanted. Where it would be passed, only the layers nearest to `layer`
        are kept, and the document says so. Numbers are rounded to 4 decimals.

    Raises
    ------
    TypeError, ValueError
        For an argument that doesn't fit, another architecture (``view="neuron"`` of the widget
        takes any), a model for which BertViz's class gives other attention, or a text too long.
    ImportError, RuntimeError
        As `attnwidget.bertviz.document.document`.
    """
    kind = check_model(model)
    theme = shown_theme(theme, display_mode)
    limit = size("max_bytes", max_bytes)
    fed = _one_text(inputs, len(tokens))
    b = sentence_b_start
    if b is not None:
        why = "the second sentence has at least one token"
        size("sentence_b_start", b, at_most=len(tokens) - 1, why=why)
        _no_pair(kind)
    config: Any = model.config
    n, d = len(tokens), config.hidden_size // config.num_attention_heads
    _check_drawn(n, d)
    included = chosen("include_layers", include_layers, range(config.num_hidden_layers))
    first = included[0] if layer is None else index("layer", layer, included)
    head = 0 if head is None else index("head", head, range(config.num_attention_heads))
    return write_neurons(
        kind, neurons(model, fed), tokens, included, first, head, b, theme=theme, max_bytes=limit
    )


# What is given


def _no_pair(kind: str) -> None:
    if kind == "gpt2":
        raise ValueError("text_b: GPT-2 reads one text, no pairs of sentences; want None")


def _one_text(inputs: Mapping[str, torch.Tensor], n: int) -> dict[str, torch.Tensor]:
    """Return the inputs that change attention, checked."""
    ids = inputs.get("input_ids")
    if ids is None or ids.ndim != 2 or tuple(ids.shape) != (1, n) or not n:
        shape = None if ids is None else tuple(ids.shape)
        raise ValueError(f"inputs: input_ids is {shape}, want (1, {n}): one text, its {n} tokens")
    mask = inputs.get("attention_mask")
    if mask is not None and not bool(mask.bool().all()):
        raise ValueError("inputs: attention_mask hides tokens, want one text without padding")
    kept = ("input_ids", "token_type_ids")
    unknown = sorted(set(inputs) - {*kept, "attention_mask"})
    if unknown:
        raise ValueError(
            f"inputs: got {', '.join(unknown)}; BertViz's neuron view takes {', '.join(kept)}"
        )
    return {name: inputs[name] for name in kept if inputs.get(name) is not None}


def _check_drawn(n: int, d: int) -> None:
    """Raise ValueError for more parts than a browser draws: a line or box for each n², 3 d n."""
    parts = 7 * n * n + 3 * d * n
    if parts > MAX_LINES:
        raise ValueError(
            f"text: {n} tokens of {d} neurons are {parts:,} parts for BertViz to draw, want at "
            f'most {MAX_LINES:,}: fewer tokens, or view="neuron"'
        )
