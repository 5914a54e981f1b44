"""`Generation`: a text that a model generates, with the probability of each generated token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from attnwidget.sources.api import Source

State = Literal["running", "done", "stopped", "full", "failed"]


@dataclass(frozen=True)
class Generation:
    """A generated text, and whether the model still generates.

    `prompt` is the text that the model continues, without special tokens. `tokens` has the text of
    each generated token, so that the prompt and the tokens joined are the whole text. A token that
    ends inside a character is "", and the next token has the character.

    `probabilities` has the probability of each generated token when the token was chosen: the
    softmax of the model's own logits, before logits processors (temperature, top_k, ...) change
    them. It is None for a model that returns no logits.

    `state` is "running", "done" (the model or an option ended the text), "stopped" (by the stop
    button, `AttentionWidget.stop` or an interrupt), "full" (no position is left, or the map would
    be too large) or "failed" (an error was raised).

    `prompt_rows` is the number of rows of the prompt in the map of the model's tokens. `first` are
    the first row and the first column of a generated token in the map shown, None where the rows
    or the columns have no generated token. `key` is the name by which a page stops the generation.
    """

    prompt: str
    tokens: tuple[str, ...] = ()
    probabilities: tuple[float | None, ...] = ()
    state: State = "running"
    prompt_rows: int = 0
    first: tuple[int | None, int | None] = (None, None)
    key: str = ""


def first_generated(source: Source, prompt_rows: int) -> tuple[int | None, int | None]:
    """Return the first row and the first column of `source` that begin with a generated token.

    A word that begins in the prompt belongs to the prompt. The keys of cross-attention are not
    generated, and neither are the tokens of an encoder.
    """
    part = source.stack_id.part
    if part not in {"self", "decoder", "cross"}:
        return None, None
    rows, _ = source.groups
    first = next((i for i, group in enumerate(rows) if group[0] >= prompt_rows), None)
    return first, None if part == "cross" else first
