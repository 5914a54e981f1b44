"""Write a model's queries, keys and weights into the page of BertViz's neuron view."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.bertviz.maps import DECIMALS, around, span
from attnwidget.bertviz.page import Document, Slots, compose, fixed_bytes, missing, unknown_page

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from numpy.typing import NDArray

    from attnwidget.bertviz.vendored import Neurons


def write_neurons(
    kind: str,
    computed: Sequence[Neurons],
    tokens: Sequence[str],
    included: list[int],
    first: int,
    head: int,
    sentence_b_start: int | None,
    *,
    theme: str,
    max_bytes: int,
) -> Document:
    """Return the document of the layers `included`, or of the layers around `first` that fit.

    `computed` has every layer of the model. `kind` is BertViz's name of the architecture.

    Raises
    ------
    ValueError
        If a single layer exceeds `max_bytes`.
    """
    n, is_pair = len(tokens), sentence_b_start is not None
    fixed = fixed_bytes("neuron", list(tokens) * (6 if is_pair else 2))
    layers = [computed[i] for i in included]
    kept, reason = _within(layers, included.index(first), is_pair, fixed, max_bytes)
    kept_layers = [included[i] for i in kept]
    markup, params, script = _from_bertviz(kind, is_pair, theme)
    slots = Slots()
    _write(params["attention"], [layers[i] for i in kept], tokens, sentence_b_start, slots)
    params["layer"], params["head"] = kept_layers.index(first), head
    notice = ""
    if reason:
        layer_names = f"Layer{'s' * (len(kept_layers) > 1)} {span(kept_layers)}"
        notice = f"{layer_names} ({len(kept_layers)} of {len(included)}): {reason}."
    return compose(
        "neuron",
        theme,
        markup,
        f"window.bertviz_params = {slots.dumps(params)};\n{script}",
        height=26 * n + 150,
        notice=notice,
        layers=[kept_layers],
    )


def _within(
    layers: Sequence[Neurons], at: int, is_pair: bool, fixed: int, max_bytes: int
) -> tuple[range, str]:
    """Return the positions of the layers that fit, `at` among them, and the reason of the limit."""
    (h, n, d), count = layers[at].queries.shape, len(layers)
    most = max(float(np.abs(part).max()) for x in layers for part in (x.queries, x.keys))
    wide = len(f"{most:.{DECIMALS}f}") + 3  # a sign, a comma, a bracket
    # For a pair, BertViz has the whole map and its four parts, each with queries and keys.
    layer_bytes = (
        h * n * (n * (DECIMALS + 4) * (1 + is_pair) + 2 * (d * wide + 4) * (1 + 2 * is_pair))
    )
    keep = min(count, (max_bytes - fixed) // layer_bytes)
    if keep < 1:
        raise ValueError(
            f"text: one layer of {h} heads at {n} tokens could take {fixed + layer_bytes:,} bytes, "
            f'want at most {max_bytes:,}: fewer tokens, or view="neuron"'
        )
    if keep == count:
        return range(count), ""
    total = (fixed + count * layer_bytes) / 1e6
    return around(count, at, keep), (
        f"all could be {total:.3g} MB, more than the {max_bytes / 1e6:.3g} MB allowed"
    )


class _Blank:
    """A stand-in for model and tokenizer, with which BertViz writes its page without numbers."""

    cls_token = sep_token = ""

    def eval(self) -> None:
        """Do nothing."""

    def tokenize(self, _text: str) -> list[str]:
        return []

    def convert_tokens_to_ids(self, tokens: list[str]) -> list[int]:
        return [0] * len(tokens)

    def __call__(self, ids: torch.Tensor, **_: Any) -> tuple[list[dict[str, torch.Tensor]]]:
        zeros = ids.new_zeros(1, 1, ids.shape[1], ids.shape[1])
        return ([dict.fromkeys(("attn", "queries", "keys"), zeros)],)


def _from_bertviz(kind: str, is_pair: bool, theme: str) -> tuple[str, dict[str, Any], str]:
    """Return BertViz's markup, its parameters without numbers, and its script."""
    try:
        from bertviz.neuron_view import show
    except ImportError as error:
        raise missing(error) from error
    blank = _Blank()
    page = show(
        blank, kind, blank, "a", "b" if is_pair else None, display_mode=theme, html_action="return"
    ).data
    match = re.fullmatch(
        r'<script src="[^"]*"></script>(?P<markup>.*?)<script type="text/javascript">'
        r"\s*window\.bertviz_params = (?P<params>[^\n]*)\n</script>\s*"
        r'<script type="text/javascript">(?P<script>.*)</script>\s*',
        page,
        re.DOTALL,
    )
    if match is None:
        raise unknown_page()
    return match["markup"].strip(), json.loads(match["params"]), match["script"]


def _write(
    filters: dict[str, dict[str, Any]],
    layers: Sequence[Neurons],
    tokens: Sequence[str],
    b: int | None,
    slots: Slots,
) -> None:
    """Put numbers and tokens into BertViz's filters: "all"; for a pair also "aa", "ab", ..."""
    sides = {"all": slice(None), "a": slice(None, b), "b": slice(b, None)}
    for name, part in filters.items():
        left, right = (name, name) if name == "all" else (name[0], name[1])
        rows, columns = sides[left], sides[right]
        part["attn"] = slots.put(_json([layer.weights[:, rows, columns] for layer in layers]))
        part["queries"] = slots.put(_json([layer.queries[:, rows] for layer in layers]))
        part["keys"] = slots.put(_json([layer.keys[:, columns] for layer in layers]))
        part["left_text"], part["right_text"] = list(tokens[rows]), list(tokens[columns])


def _json(arrays: Sequence[NDArray[np.float32]]) -> str:
    rounded = [np.round(array.astype(np.float64), DECIMALS).tolist() for array in arrays]
    return json.dumps(rounded, separators=(",", ":"))
