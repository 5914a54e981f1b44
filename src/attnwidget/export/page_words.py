"""The words of a page: what it lacks, how exact it is, what a mistake does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attnwidget.lessons.mistakes import MISTAKES

if TYPE_CHECKING:
    from attnwidget.sources.api import Layer


def bound(error: float) -> str:
    """Return the smallest power of ten times 1, 2 or 5 that is not below an error."""
    for power in range(-7, 1):
        for factor in (1, 2, 5):
            if error <= factor * 10.0**power:
                return f"{factor * 10.0**power:.7f}".rstrip("0").rstrip(".")
    return f"{error:.1g}"


def layer_names(layers: Sequence[Layer], shown: str) -> list[str]:
    """Return the layers by stack, such as "layers 0 to 3" or "encoder layers 1, 4"."""
    names = []
    for stack in dict.fromkeys(layer.stack for layer in layers):
        at = sorted(layer.index for layer in layers if layer.stack == stack)
        is_row = len(at) > 2 and at == list(range(at[0], at[-1] + 1))
        numbers = f"{at[0]} to {at[-1]}" if is_row else ", ".join(map(str, at))
        noun = "layer" if len(at) == 1 else "layers"
        names.append(f"{'' if stack == shown else f'{stack} '}{noun} {numbers}")
    return names


def mistake_words() -> list[dict[str, str]]:
    """Return the words about each mistake, from which the page makes its report."""
    return [
        {
            "name": mistake.name,
            "what": mistake.what,
            "rest": f"What breaks: {mistake.breaks}. {mistake.mend}",
            "step": mistake.step,
            "wrong": mistake.wrong,
            "right": mistake.right,
        }
        for mistake in MISTAKES.values()
    ]
