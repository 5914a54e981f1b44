"""Write maps into the pages of BertViz's head view and model view."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from attnwidget.bertviz.maps import nested, owned
from attnwidget.bertviz.page import Document, Slots, compose, missing, unknown_page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from attnwidget.bertviz.maps import Stack
    from attnwidget.bertviz.options import DocumentOptions


def write(
    options: DocumentOptions,
    stacks: Sequence[Stack],
    kept_layers: list[int],
    first: int,
    switched: list[int] | None,
    arguments: Mapping[str, Any],
    notice: str,
) -> Document:
    """Return the document.

    `first` is the layer shown first, `switched` the heads that are switched on at first in the head
    view. `arguments` has the tokens and the start of the second sentence, as BertViz's function
    takes them. `notice` is text above the view.

    BertViz writes its page for a single layer of zeros, and the weights then replace the zeros. The
    page is the same, but several times faster than with nested lists of every number.
    """
    kind = options.kind
    page = _page(options, stacks, arguments)
    match = re.fullmatch(
        r'<script src="[^"]*"></script>(?P<markup>.*?)<script type="text/javascript">'
        r"(?P<before>.*?const params = )(?P<rest>.*)</script>\s*",
        page,
        re.DOTALL,
    )
    if match is None:
        raise unknown_page()
    params, end = json.JSONDecoder().raw_decode(match["rest"])
    # Drop the comment after the parameters, in which BertViz repeats them.
    _comment, _, after = match["rest"][end:].partition("\n")
    slots = Slots()
    _write_maps(params["attention"], stacks, kept_layers, arguments.get("sentence_b_start"), slots)
    default = next(i for i, stack in enumerate(stacks) if first in stack.numbers)
    params["include_layers"], params["default_filter"] = kept_layers, str(default)
    widest = max(stacks, key=lambda stack: stack.n_heads)
    if kind == "head":
        params["layer"], params["heads"] = first, switched
    else:
        params["include_heads"], params["total_heads"] = list(widest.heads), widest.n_heads
    option = f'<option value="{default}"'
    markup = match["markup"].strip().replace(option, f"{option} selected" if default else option)
    n = max(len(texts) for stack in stacks for texts in (stack.rows, stack.columns))
    return compose(
        kind,
        options.page_theme,
        markup,
        f"{match['before']}{slots.dumps(params)};\n{after}",
        height=_height(kind, len(kept_layers), widest.n_heads, n),
        notice=notice,
        layers=list(owned(stacks, kept_layers).values()),
    )


def _page(options: DocumentOptions, stacks: Sequence[Stack], arguments: Mapping[str, Any]) -> str:
    try:
        import torch
        from bertviz import head_view, model_view
    except ImportError as error:
        raise missing(error) from error
    zero = torch.zeros(1, 1, 1, 1)
    keywords = {
        **arguments, "prettify_tokens": options.prettify_tokens, "html_action": "return"
    }  # fmt: skip
    for stack in stacks:
        name = "attention" if stack.name == "weights" else f"{stack.name}_attention"
        keywords[name] = [zero.expand(1, 1, len(stack.rows), len(stack.columns))]
    if options.kind == "head":
        return str(head_view(**keywords).data)
    return str(model_view(**keywords, display_mode=options.page_theme).data)


def _write_maps(
    filters: list[dict[str, Any]],
    stacks: Sequence[Stack],
    kept_layers: list[int],
    b: int | None,
    slots: Slots,
) -> None:
    """Put the weights into BertViz's list of attention filters."""
    for i, stack in enumerate(stacks):
        layers = set(stack.numbers)
        maps = [stack.steps(number) if number in layers else None for number in kept_layers]
        filters[i]["attn"] = slots.put(nested(maps, len(stack.heads)))
    if b is None:
        return
    first, second = slice(None, b), slice(b, None)
    # In BertViz's order: A -> A, B -> B, A -> B, B -> A.
    sides = [(first, first), (second, second), (first, second), (second, first)]
    for part, (rows, columns) in zip(filters[1:], sides, strict=True):
        cut = [steps[:, rows, columns] for steps in maps if steps is not None]
        part["attn"] = slots.put(nested(cut, len(stacks[0].heads)))


def _height(kind: str, n_layers: int, n_heads: int, n: int) -> int:
    """Return the view's height in pixels, for pages that do not read the posted height."""
    if kind == "head":
        return round(22.5 * n) + 80
    thumbnails = n_layers * (n * 84 / n_heads + 10) + 38
    return round(max(thumbnails, 18 * n + 55)) + 50
