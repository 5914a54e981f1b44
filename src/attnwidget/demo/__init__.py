"""Small trained models, inside the package, in which one attention edge changes the prediction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attnwidget.capture.load import pretrained
from attnwidget.demo.training import InductionScores, induction_scores, training
from attnwidget.maths.validate import index

__all__ = ["InductionScores", "induction_model", "induction_scores", "training"]

_FOLDERS = {1: "one_head", 4: "four_heads"}


def induction_model(n_heads: int = 1) -> tuple[Any, Any]:
    """Return a trained model that continues a repeated list of words, and its tokenizer.

    The model has the shape of GPT-2: two layers of `n_heads` heads, 1 or 4, for up to 32 words of a
    vocabulary of 64 ("ant", "ape", …). In the second round of "fox bee owl moon fox bee" it
    predicts "owl". The head of layer 1 is an induction head, the head of layer 0 a previous-token
    head (Olsson et al. 2022, arXiv 2209.11895)::

        model, tokenizer = induction_model()
        w = AttentionWidget.from_model(model, tokenizer, "fox bee owl moon fox bee", layer=1)

    With a single head, the prediction needs a single edge of layer 1. With four heads, another head
    reads the same key. `training` trains them again, and ``notebooks/train_small_models.py`` writes
    their files.

    Raises
    ------
    TypeError
        If `n_heads` is not a whole number.
    ValueError
        If `n_heads` is neither 1 nor 4.
    ImportError
        Without ``attnwidget[models]``.
    """
    folder = _FOLDERS[index("n_heads", n_heads, sorted(_FOLDERS))]
    return pretrained(Path(__file__).parent / folder)
