"""attnwidget: self-attention in a notebook cell, live."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from attnwidget.maths.masks import (
    as_mask,
    block_mask,
    causal_mask,
    padding_mask,
    prefix_mask,
    sentence_blocks,
    window_mask,
)

if TYPE_CHECKING:
    from attnwidget.capture.knock_out import knock_out
    from attnwidget.search.scan import scan
    from attnwidget.sources.knockouts import KnockOut
    from attnwidget.widget.training import callback
    from attnwidget.widget.widget import AttentionWidget

__version__ = "0.1.0"

__all__ = [
    "AttentionWidget",
    "KnockOut",
    "__version__",
    "as_mask",
    "block_mask",
    "callback",
    "causal_mask",
    "knock_out",
    "padding_mask",
    "prefix_mask",
    "scan",
    "sentence_blocks",
    "window_mask",
]


# Imported when they are first asked for: the maths and the session need neither Jupyter nor torch.
_LATER = {
    "AttentionWidget": "attnwidget.widget.widget",
    "KnockOut": "attnwidget.sources.knockouts",
    "callback": "attnwidget.widget.training",
    "knock_out": "attnwidget.capture.knock_out",
    "scan": "attnwidget.search.scan",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module 'attnwidget' has no attribute {name!r}")
