"""The methods of a widget that knock parts of a model out in the user's own code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path


class KnockOutMethods:
    """The methods of a widget that use its knock-outs."""

    store: Any

    def knockouts_code(self) -> str:
        """Return a line of Python that sets `knockouts` of a widget ``w`` to what they are now."""
        records = ", ".join(edit.as_code() for edit in self.store.now.experiment.knocked_out)
        return f"w.knockouts = [{records}]"

    @contextmanager
    def knocked_out(self) -> Iterator[None]:
        """Run your own code with the knock-outs: every pass of the model, until the context ends.

        ::

            with w.knocked_out():
                model.generate(**inputs)

        The model is left as it was. See `attnwidget.knock_out`, which does the same without a
        widget.

        Raises
        ------
        ValueError
            If the widget shows no model.
        """
        experiment = self.store.now.experiment
        if experiment.runner is None:
            raise ValueError("knocked_out: there is no model here whose passes could be edited")
        from attnwidget.capture.knock_out import knock_out

        with knock_out(experiment.runner.model, experiment.knocked_out):
            yield

    def save_notebook(self, path: str | PathLike[str]) -> Path:
        """Write the runs as a notebook that repeats them without a widget; return its path.

        The notebook loads the model from where it was loaded, and has the token ids of the text.
        Each run is a cell: its knock-outs, and the effect in one number, beside the number that
        the widget had. A model that was not loaded from a place, and inputs that are not token
        ids, have to be put into the first cells, which say so.

        Raises
        ------
        ValueError
            If no run was done.
        OSError
            For a path that cannot be written.
        """
        from attnwidget.export.notebook import save_notebook

        return save_notebook(self.store.now.experiment, path)
