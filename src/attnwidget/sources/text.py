"""Split a sentence into the tokens of the toy sentence."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

# Special tokens as tokenizers write them.
_SPECIAL = re.compile(
    r"(\[(?:PAD|CLS|SEP|MASK|UNK|BOS|EOS)\]|</?(?:pad|s|unk|mask|cls|sep|bos|eos)>|<\|\w+\|>)"
)
_JOINER = "\u200d"


def split(sentence: str) -> tuple[str, ...]:
    """Split at whitespace, and make each punctuation mark or symbol a token.

    A mark that belongs to the character before it (an accent, a vowel sign, an emoji modifier or a
    joined emoji) stays with the character. An apostrophe inside a word stays in the word. A special
    token such as ``[PAD]`` or ``</s>`` is one token.

    >>> split("The cat's mat, here. [PAD]")
    ('The', "cat's", 'mat', ',', 'here', '.', '[PAD]')
    """
    parts = _SPECIAL.split(sentence)  # every second part is a special token
    return tuple(
        token for i, part in enumerate(parts) for token in ([part] if i % 2 else _split_words(part))
    )


def _split_words(sentence: str) -> list[str]:
    tokens: list[str] = []
    word = ""  # the letters of the current word so far
    after_symbol = False  # whether the last token is a symbol, which a mark may extend
    for i, char in enumerate(sentence):
        category = unicodedata.category(char)
        following = sentence[i + 1 : i + 2]
        if char.isspace():
            if word:
                tokens.append(word)
            word, after_symbol = "", False
        elif _extends(char, category) and (word or after_symbol):
            if word:
                word += char
            else:
                tokens[-1] += char
        elif after_symbol and (tokens[-1].endswith(_JOINER) or _is_flag(tokens[-1], char)):
            tokens[-1] += char
        elif char in "'’" and word and following.isalnum():
            word += char
        elif category[0] in "PS" and char != "_":
            if word:
                tokens.append(word)
            word, after_symbol = "", True
            tokens.append(char)
        else:
            word, after_symbol = word + char, False
    if word:
        tokens.append(word)
    return tokens


def _extends(char: str, category: str) -> bool:
    return category in {"Mn", "Mc", "Me", "Cf"} or "\U0001f3fb" <= char <= "\U0001f3ff"


def _is_flag(token: str, char: str) -> bool:
    def regional(c: str) -> bool:
        return "\U0001f1e6" <= c <= "\U0001f1ff"

    return len(token) == 1 and regional(token) and regional(char)


def as_tokens(value: str | Iterable[str], name: str = "tokens") -> tuple[str, ...]:
    """Return the tokens of a sentence, or given tokens unchanged; `name` is used in errors.

    Raises
    ------
    TypeError
        If `value` is neither text nor an iterable of text.
    ValueError
        If there is no token.
    """
    if isinstance(value, str):
        tokens = split(value)
    elif isinstance(value, Iterable):
        tokens = tuple(value)
        for i, token in enumerate(tokens):
            if not isinstance(token, str):
                raise TypeError(f"{name}: got {token!r} at position {i}, want text")
    else:
        raise TypeError(f"{name}: got {type(value).__name__}, want a sentence or a list of tokens")
    if not tokens:
        raise ValueError(f"{name}: got none, want a sentence or a list with at least one token")
    return tokens
