"""Two texts of a small BERT in a comparison, with eager attention as the reference."""

from __future__ import annotations

from functools import cache

import numpy as np
from architectures_eager import eager
from models import FAMILIES, tokenizer

from attnwidget import AttentionWidget

CAT, DOG = "the cat sat on a mat", "the big dog sat on mat there"
# By hand: where the words of each are among those of both; None where they are not.
ROWS = [
    (0, 0, "the"), (1, None, "cat"), (None, 1, "[UNK]"), (None, 2, "dog"), (2, 3, "sat"),
    (3, 4, "on"), (4, None, "a"), (5, 5, "mat"), (None, 6, "there"),
]  # fmt: skip
IN_A, IN_B = [0, 1, 4, 5, 6, 7], [0, 2, 3, 4, 5, 7, 8]
BOTH_A, BOTH_B, BOTH = [0, 2, 3, 5], [0, 3, 4, 5], [0, 4, 5, 7]


@cache
def bert():
    return FAMILIES["bert"]()


@cache
def weights(model, text: str) -> np.ndarray:
    """Eager weights of a text, (l, h, n, n)."""
    found = eager(model, {"input_ids": tokenizer()(text, return_tensors="pt").input_ids})
    made = np.stack([found[key] for key in sorted(found)])
    made.flags.writeable = False
    return made


def texts(**shown):
    model = bert()
    a, b = (AttentionWidget.from_model(model, tokenizer(), text) for text in (CAT, DOG))
    return a, b, AttentionWidget.compare(a, b, **shown)


def state(c):
    names = ("stack", "layer", "head", "align", "cmap", "color_scale", "selection", "shown", "rows",
             "columns", "changes", "notice", "revision", "peaks")  # fmt: skip
    return {name: getattr(c, name) for name in names} | {"a": c.a.tobytes(), "b": c.b.tobytes()}
