"""Call a function at steps of a training of transformers' Trainer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attnwidget.capture.unwrap import unwrapped


def at_steps(model: Any, every: int, act: Callable[[int], None]) -> Any:
    """Return a TrainerCallback that calls ``act(step)`` every `every` steps of a training.

    It is called at the first step and at the last too. `model` is the model that the Trainer has to
    train. Of several processes, the first calls it.

    Raises
    ------
    ImportError
        Without transformers.
    """
    from transformers import TrainerCallback

    class AtSteps(TrainerCallback):  # type: ignore[misc]
        """Calls a function at steps of a training."""

        last = -1

        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            """Call the function at the first step."""
            trained = kwargs.get("model")
            if trained is not None and unwrapped(trained)[0] is not model:
                raise ValueError(
                    f"callback: the Trainer trains another {type(trained).__name__} than the "
                    "widget shows; want AttentionWidget.from_model with the model of the Trainer"
                )
            self._act(state)

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            """Call the function at every step that is due."""
            if state.global_step % every == 0:
                self._act(state)

        def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            """Call the function at the last step."""
            self._act(state)

        def _act(self, state: Any) -> None:
            if state.is_world_process_zero and state.global_step != self.last:
                self.last = state.global_step
                act(state.global_step)

    return AtSteps()
