"""attnwidget: self-attention in a notebook cell, live."""

from attnwidget.maths.masks import (
    as_mask,
    block_mask,
    causal_mask,
    padding_mask,
    prefix_mask,
    sentence_blocks,
    window_mask,
)
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
