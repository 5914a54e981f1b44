"""A model's tokens as people read them: bytes decoded, word boundaries shown, nothing lost."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from transformers import PreTrainedTokenizerBase

# What stands for a space at a token's start, as byte-level BPE and SentencePiece tokens have one.
SPACE = "␣"
_METASPACE = "▁"
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
# Their tokens are the bytes of UTF-8, written as the characters of the same numbers.
_BYTE_TOKENIZERS = {"ByT5Tokenizer", "PerceiverTokenizer"}
# A character of UTF-8 is four bytes at most; tokens that share more than this share text.
_LONGEST = 8


def labels(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> tuple[str, ...]:
    """Return a display string for each id.

    Byte-level BPE (GPT-2, Llama 3, Qwen, RoBERTa), SentencePiece's byte fallback and the bytes of
    ByT5 and Perceiver are decoded;
    a space at a token's start is shown as ``␣``. A character that is split over tokens is shown
    by each of them with its part, ``🙂 1/2``. Special tokens and WordPiece's ``##`` stay as they
    are.
    """
    found = tokenizer.convert_ids_to_tokens(list(ids))
    # A model may have room for more ids than its tokenizer has words.
    tokens = [f"id {i}" if t is None else str(t) for i, t in zip(ids, found, strict=True)]
    special = {int(i) for i in tokenizer.all_special_ids}
    plain = [int(i) not in special for i in ids]
    if any(kind.__name__ in _BYTE_TOKENIZERS for kind in type(tokenizer).__mro__):
        return _joined(tokens, plain, _single_byte)
    if _is_byte_level(tokenizer):
        return _joined(tokens, plain, _byte_level)
    if any(token.startswith(_METASPACE) or _BYTE.fullmatch(token) for token in tokens):
        return _joined(tokens, plain, _sentencepiece)
    return tuple(tokens)


def _is_byte_level(tokenizer: PreTrainedTokenizerBase) -> bool:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        return "ByteLevel" in f"{backend.decoder}{backend.pre_tokenizer}"
    return hasattr(tokenizer, "byte_decoder")


def _alphabet() -> dict[str, int]:
    """Return the character that byte-level BPE writes for each byte (Radford et al. 2019, GPT-2).

    Printable bytes stand for themselves, the others for the characters from 256 on.
    """
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(others)}


_ALPHABET = _alphabet()


def _byte_level(token: str) -> bytes | None:
    if not all(char in _ALPHABET for char in token):
        return None  # added to the vocabulary as text
    return bytes(_ALPHABET[char] for char in token)


def _single_byte(token: str) -> bytes | None:
    return bytes([ord(token)]) if len(token) == 1 and ord(token) < 256 else None


def _sentencepiece(token: str) -> bytes | None:
    byte = _BYTE.fullmatch(token)
    if byte:
        return bytes([int(byte[1], 16)])
    return token.replace(_METASPACE, " ").encode()


def _joined(
    tokens: Sequence[str], plain: Sequence[bool], read: Callable[[str], bytes | None]
) -> tuple[str, ...]:
    """Decode tokens one by one, and those that share a character together."""
    found: list[str] = []
    while len(found) < len(tokens):
        start = len(found)
        held = b""
        texts: list[str] = []
        for token, is_plain in zip(tokens[start:], plain[start:], strict=True):
            part = read(token) if is_plain else None
            if part is None or len(texts) == _LONGEST:
                break
            held += part
            texts.append(token)
            text = _decoded(held)
            if text is not None:
                n = len(texts)
                shown = _spaced(text)
                found += [shown] if n == 1 else [f"{shown} {i}/{n}" for i in range(1, n + 1)]
                break
        if len(found) == start:  # a special token, or bytes that are no text: as it is
            found.append(tokens[start])
    return tuple(found)


def _decoded(held: bytes) -> str | None:
    try:
        return held.decode()
    except UnicodeDecodeError:
        return None


def _spaced(text: str) -> str:
    words = text.lstrip(" ")
    return SPACE * (len(text) - len(words)) + words
