"""`Pieces`: the part of a text that each token adds to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

# A character has at most 4 bytes, each of which may be a token.
_LONGEST = 4
# What a tokenizer decodes bytes to that are not a character.
_BROKEN = "\N{REPLACEMENT CHARACTER}"


class Pieces:
    """Decodes a text token by token, because a tokenizer decodes a token differently in a text.

    Only the last tokens are decoded again at each step: those of the last piece, and the new ones.
    """

    def __init__(self, tokenizer: Any, prompt: Sequence[int]) -> None:
        self._tokenizer = getattr(tokenizer, "tokenizer", tokenizer)
        self._prompt = [int(i) for i in prompt]
        self._before = self._prompt[-_LONGEST:]
        self._new: list[int] = []

    def prompt(self) -> str:
        """Return the text of the prompt without special tokens, "" without a tokenizer."""
        if self._tokenizer is None:
            return ""
        return self._decoded(self._prompt, skip_special_tokens=True)

    def add(self, token: int, label: str) -> str:
        """Return the text that `token` adds, "" for a token that ends inside a character.

        The text of a token without a text is `label`, as is that of every token without a
        tokenizer.
        """
        if self._tokenizer is None:
            return f" {label}"
        if self._tokenizer.convert_ids_to_tokens(token) is None:
            self._before, self._new = [], []
            return f" {label}"  # the model has more ids than the tokenizer
        self._new.append(token)
        before, text = self._decoded(self._before), self._decoded([*self._before, *self._new])
        if text.endswith(_BROKEN) and len(self._new) < _LONGEST:
            return ""
        own = text[len(before) :] if text.startswith(before) else self._decoded(self._new)
        self._before, self._new = self._new, []
        return own or label

    def _decoded(self, ids: Sequence[int], **options: Any) -> str:
        known = [i for i in ids if self._tokenizer.convert_ids_to_tokens(i) is not None]
        # The clean-up removes spaces before punctuation, and would change text that is shown.
        options["clean_up_tokenization_spaces"] = False
        text = self._tokenizer.decode(known, **options)
        return str(text)
