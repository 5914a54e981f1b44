"""The names that a comparison shares with its page."""

from __future__ import annotations

from collections.abc import Mapping

from attnwidget.wire.pack import pack
from attnwidget.wire.schema import Row

_SETTABLE = ("stack", "layer", "head", "align", "cmap", "color_scale", "selection", "title")
_COMPUTED = ("offered", "shown", "peaks", "revision")
_WORDS = ("rows", "columns", "changes", "labels", "notice")
_ARRAYS = ("a", "b", "masked_a", "masked_b")

PAIR_SCHEMA: Mapping[str, Row] = {
    **{name: Row("", name, is_settable=True) for name in _SETTABLE},
    **{name: Row("", name) for name in _COMPUTED},
    **{name: Row("aligned", name) for name in _WORDS},
    **{name: Row("aligned", name, pack) for name in _ARRAYS},
}
