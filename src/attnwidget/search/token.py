"""A token of a target: its number in the vocabulary, and its words."""

from __future__ import annotations

from typing import Any

import numpy as np


def token_of(value: Any, tokenizer: Any, size: int) -> tuple[str, int]:
    """Return a token in words, and its id; `value` is the text or the id of a token.

    Raises
    ------
    TypeError
        If `value` is neither, or is a text and there is no tokenizer.
    ValueError
        If the vocabulary, of `size` tokens, has no such token.
    """
    if isinstance(value, str):
        if tokenizer is None:
            raise TypeError(
                f"target: got {value!r} and no tokenizer; want the id of a token, or tokenizer="
            )
        tokenizer = getattr(tokenizer, "tokenizer", tokenizer)  # of a processor
        return repr(value), _id_of(value, tokenizer, size)
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"target: got {value!r}, want the text or the id of a token")
    if not 0 <= value < size:
        raise ValueError(f"target: got token id {value}, want 0..{size - 1}")
    if tokenizer is None:
        return f"token {value}", int(value)
    tokenizer = getattr(tokenizer, "tokenizer", tokenizer)
    return repr(tokenizer.decode([int(value)])), int(value)


def _id_of(text: str, tokenizer: Any, size: int) -> int:
    ids = list(tokenizer(text, add_special_tokens=False)["input_ids"])
    if len(ids) != 1 or (ids[0] == tokenizer.unk_token_id and text != tokenizer.unk_token):
        known = tokenizer.get_vocab().get(text)  # as the vocabulary writes it, "Ġcat"
        if known is not None:
            ids = [known]
    if len(ids) != 1:
        pieces = ", ".join(repr(tokenizer.decode([i])) for i in ids)
        raise ValueError(
            f"target: {text!r} is {len(ids)} tokens ({pieces}), want one token"
            if ids
            else f"target: {text!r} has no token, want one token"
        )
    if ids[0] == tokenizer.unk_token_id and text != tokenizer.unk_token:
        raise ValueError(f"target: the tokenizer has no token {text!r}; want another word")
    if ids[0] >= size:
        raise ValueError(
            f"target: {text!r} is token {ids[0]}, want 0..{size - 1}, which is what the model knows"
        )
    return int(ids[0])
