"""A card that follows a training: the maps of its steps are kept, and a reader goes over them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from attnwidget.maths.validate import size
from attnwidget.widget.model_methods import MAX_BYTES, captured

if TYPE_CHECKING:
    from attnwidget.widget.widget import AttentionWidget


def callback(w: AttentionWidget, every: int = 50, max_bytes: int = MAX_BYTES) -> Any:
    """Return a callback of transformers' Trainer by which the card follows the training.

    ::

        trainer = Trainer(model, ..., callbacks=[attnwidget.callback(w, every=50)])
        trainer.train()
        w.checkpoint = 100      # the maps after 100 steps

    Before the first step, every `every` steps and after the last step, the model reads the text of
    the card `w` again, in evaluation mode and without gradients. The maps of each of these steps
    are kept: `w.checkpoints` has the steps, and `w.checkpoint` is the step on screen. The card
    shows the newest step, unless an earlier step was chosen. If the steps need more than
    `max_bytes`, every other step is left out, but not the first and the last.

    A step whose maps cannot be shown (NaN) is left out with a warning, and the training goes on.

    Raises
    ------
    TypeError, ValueError
        If `w` shows no model, or `every` or `max_bytes` is not a number above 0.
    ImportError
        Without transformers.
    """
    from attnwidget.capture.training import at_steps

    if not hasattr(w, "keep_checkpoint"):
        raise TypeError(f"w: got {type(w).__name__}, want an AttentionWidget")
    every, max_bytes = size("every", every), size("max_bytes", max_bytes)
    model = captured(w.store.now, "callback").model

    def act(step: int) -> None:
        try:
            w.keep_checkpoint(step, max_bytes)
        except ValueError as error:
            warnings.warn(f"step {step} is not kept: {error}", stacklevel=2)

    return at_steps(model, every, act)
