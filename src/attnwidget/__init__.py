"""attnwidget: self-attention in a notebook cell, live."""

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
    from attnwidget.widget.widget import AttentionWidget

__version__ = "0.1.0"

__all__ = [
    "AttentionWidget",
    "__version__",
    "as_mask",
    "block_mask",
    "causal_mask",
    "padding_mask",
    "prefix_mask",
    "sentence_blocks",
    "window_mask",
]


def __getattr__(name: str) -> Any:
    """Import the widget when it is first asked for: the maths and the session need no Jupyter."""
    if name == "AttentionWidget":
        from attnwidget.widget.widget import AttentionWidget

        return AttentionWidget
    raise AttributeError(f"module 'attnwidget' has no attribute {name!r}")
