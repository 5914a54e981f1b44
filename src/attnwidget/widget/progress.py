"""How far a pass of a model is, once it takes long enough for someone to wonder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from attnwidget.capture.recognise import looks_like_attention

if TYPE_CHECKING:
    from transformers import PreTrainedModel

DELAY = 2.0


@contextmanager
def progress(model: PreTrainedModel, delay: float = DELAY) -> Iterator[Callable[[], None]]:
    """Give what is to be called after each attention layer of a pass of `model`.

    A pass longer than `delay` seconds has a bar of tqdm's, which goes when the pass ends.
    """
    start, done, bar = time.perf_counter(), 0, None

    def step() -> None:
        nonlocal done, bar
        done += 1
        if bar is not None:
            bar.update()
        elif time.perf_counter() - start >= delay:
            bar = _bar(model, done)

    try:
        yield step
    finally:
        if bar is not None:
            bar.close()


def _bar(model: PreTrainedModel, done: int) -> Any:
    from tqdm.auto import tqdm

    names = {name for name, module in model.named_modules() if looks_like_attention(module)}
    total = len(
        [name for name in names if not any(other.startswith(f"{name}.") for other in names)]
    )
    what = f"{type(model).__name__} reads"
    # One module may serve many layers: a total that is passed is no total.
    return tqdm(
        desc=what, unit=" attention layers", initial=done, total=max(total, done), leave=False
    )


@contextmanager
def counting(what: str, unit: str, delay: float = DELAY) -> Iterator[Callable[[int, int], None]]:
    """Give what is to be called with the number of things done, and of all.

    Work longer than `delay` seconds has a bar of tqdm's, which goes when the work ends.
    """
    start, bar = time.perf_counter(), None

    def step(done: int, total: int) -> None:
        nonlocal bar
        if bar is None and time.perf_counter() - start >= delay:
            from tqdm.auto import tqdm

            bar = tqdm(desc=what, unit=f" {unit}", initial=done, total=total, leave=False)
        elif bar is not None:
            bar.update(done - bar.n)

    try:
        yield step
    finally:
        if bar is not None:
            bar.close()
