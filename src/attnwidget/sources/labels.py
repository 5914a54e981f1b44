"""Readable labels for a model's tokens: bytes are decoded, and spaces are shown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from transformers import PreTrainedTokenizerBase

# The sign for a space at a token's start, which byte-level BPE and SentencePiece tokens have.
SPACE = "␣"
_METASPACE = "▁"
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
# The tokens of these tokenizers are bytes of UTF-8, written as the characters with these numbers.
_BYTE_TOKENIZERS = {"ByT5Tokenizer", "PerceiverTokenizer"}
# At most this many tokens are tried as the bytes of a character. A character has at most 4 bytes.
_LONGEST = 8


def labels(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> tuple[str, ...]:
    """Return a display string for each id.

    Byte-level BPE (GPT-2, Llama 3, Qwen, RoBERTa), SentencePiece's byte fallback, and the bytes of
    ByT5 and Perceiver are decoded. A space at a token's start becomes ``␣``. If a character is
    split over several tokens, each of them gets the character and the number of the part,
    ``🙂 1/2``. Special tokens and WordPiece's ``##`` do not change.
    """
    vocabulary = tokenizer.convert_ids_to_tokens(list(ids))
    # A token is None if the model has more ids than the tokenizer.
    tokens = [f"id {i}" if t is None else str(t) for i, t in zip(ids, vocabulary, strict=True)]
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
    """Return the byte for each character of byte-level BPE (Radford et al. 2019, GPT-2).

    A printable byte is written as the character with its number, the other bytes as the
    characters from 256 on.
    """
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(others)}


_ALPHABET = _alphabet()


def _byte_level(token: str) -> bytes | None:
    if not all(char in _ALPHABET for char in token):
        return None  # the token was added to the vocabulary as text
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
    """Decode tokens singly, except tokens that share a character, which are decoded together."""
    result: list[str] = []
    while len(result) < len(tokens):
        start = len(result)
        encoded = b""
        for n, i in enumerate(range(start, len(tokens)), start=1):
            token_bytes = read(tokens[i]) if plain[i] else None
            if token_bytes is None or n > _LONGEST:
                break
            encoded += token_bytes
            text = _decoded(encoded)
            if text is not None:
                label = _spaced(text)
                result += [label] if n == 1 else [f"{label} {i}/{n}" for i in range(1, n + 1)]
                break
        if len(result) == start:  # a special token, or bytes that are not text
            result.append(tokens[start])
    return tuple(result)


def _decoded(encoded: bytes) -> str | None:
    try:
        return encoded.decode()
    except UnicodeDecodeError:
        return None


def _spaced(text: str) -> str:
    words = text.lstrip(" ")
    return SPACE * (len(text) - len(words)) + words
