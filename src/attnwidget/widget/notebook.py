"""A widget on screen while the cell that makes it still runs."""

from __future__ import annotations

from typing import Any


def show_now(widget: Any) -> None:
    """Display `widget` at once where a notebook runs, and not again as the result of its cell."""
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        return
    shell = get_ipython()
    if getattr(shell, "kernel", None) is None:
        return
    display(widget)  # type: ignore[no-untyped-call]
    cell = shell.execution_count

    def as_a_result() -> None:
        del widget._ipython_display_
        if shell.execution_count != cell:
            display(widget)  # type: ignore[no-untyped-call]

    widget._ipython_display_ = as_a_result
