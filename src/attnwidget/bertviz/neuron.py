"""BertViz's neuron view as a document that needs no network, for BERT, RoBERTa and GPT-2."""

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
    """Return BertViz's neuron view of `model` on a text, as an HTML document.

    BertViz has classes for these models, which compute queries and keys. The classes get the
    weights of `model`, and their attention is compared with the model's. The allowed difference is
    5e-5. For half precision, which the classes compute in float32, it is 5e-3 (float16) or 5e-2
    (bfloat16). The model is left unchanged.

    Parameters
    ----------
    model:
        A BERT, RoBERTa or GPT-2 of transformers, with any head.
    inputs, tokens:
        A text without padding: ``input_ids`` (1, n) and, if the model takes them,
        ``token_type_ids``, and n labels. An ``attention_mask`` of ones has no effect.
    sentence_b_start:
        The position, 1 to n - 1, where the second sentence starts. BertViz then offers a filter for
        the attention within and between the sentences (not for GPT-2).
    layer, head:
        The layer and the head shown first. By default the first included layer and head 0.
    include_layers:
        The numbers of the layers that the document contains. By default all.
    theme, display_mode:
        ``"light"``, the default, or ``"dark"``. `display_mode` is BertViz's name of this option.
    max_bytes:
        The size limit of the document. If the document would exceed it, only the layers nearest to
        `layer` are kept, and the document states this. Numbers are rounded to 4 decimals.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, the model has another architecture (the widget's
        ``view="neuron"`` shows any model), BertViz's class gives other attention, or the text is
        too long.
    ImportError, RuntimeError
        For the reasons of `attnwidget.bertviz.document.document`.
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


# Checks of the arguments


def _no_pair(kind: str) -> None:
    if kind == "gpt2":
        raise ValueError("text_b: GPT-2 reads one text, no pairs of sentences; want None")


def _one_text(inputs: Mapping[str, torch.Tensor], n: int) -> dict[str, torch.Tensor]:
    """Return the checked inputs without an attention mask."""
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
    """Raise ValueError if a browser could not draw all the lines and boxes of the view."""
    parts = 7 * n * n + 3 * d * n
    if parts > MAX_LINES:
        raise ValueError(
            f"text: {n} tokens of {d} neurons are {parts:,} parts for BertViz to draw, want at "
            f'most {MAX_LINES:,}: fewer tokens, or view="neuron"'
        )
