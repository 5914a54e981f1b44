"""Tokens as people read them: what a tokenizer cut up is put together, and nothing is lost."""

from __future__ import annotations

import pytest
from models import tokenizer as word_level
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2Model, PreTrainedTokenizerFast

from attnwidget import AttentionWidget
from attnwidget.sources.labels import labels

CORPUS = ["the cat sat on the mat", "the dog sat on the rug", "naïve café", "日本語"] * 8


def byte_level():
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(CORPUS, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|endoftext|>")


def sentencepiece():
    """SentencePiece's way: a metaspace for a space, bytes for what is not in the vocabulary."""
    bytes_ = {f"<0x{b:02X}>": b for b in range(256)}
    words = ["▁", "the", "▁the", "▁c", "a", "t"]
    vocabulary = bytes_ | {word: 256 + i for i, word in enumerate(words)}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[], byte_fallback=True))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Sequence([decoders.Metaspace(), decoders.ByteFallback()])
    return PreTrainedTokenizerFast(tokenizer_object=backend)


def whole(shown):
    """The text that labels stand for: parts of one character once, boundaries as spaces."""
    parts = [label.rsplit(" ", 1) for label in shown]
    kept = [
        label
        for label, part in zip(shown, parts, strict=True)
        if len(part) == 1 or "/" not in part[1] or part[1].startswith("1/")
    ]
    return "".join(
        label.rsplit(" ", 1)[0] if label.endswith(tuple(f"1/{n}" for n in range(2, 9))) else label
        for label in kept
    ).replace("␣", " ")


@pytest.mark.parametrize(
    "text",
    [
        "the cat sat on the mat",
        "naïve café",
        "日本語 the",
        "🙂 the cat 👩\u200d👧",
        "  two  spaces",
        "é",
    ],
)
def test_byte_level_tokens_are_the_text(text):
    tokenizer = byte_level()
    shown = labels(tokenizer, tokenizer(text)["input_ids"])
    assert whole(shown) == text
    assert not any("Ġ" in label or "Ã" in label for label in shown)


def test_a_character_split_over_tokens_says_its_parts():
    tokenizer = byte_level()
    ids = tokenizer("🙂")["input_ids"]
    assert len(ids) == 4, "a character that the tokenizer never saw is four bytes"
    assert labels(tokenizer, ids) == ("🙂 1/4", "🙂 2/4", "🙂 3/4", "🙂 4/4")


def test_special_tokens_and_broken_bytes_stay_as_they_are():
    tokenizer = byte_level()
    ids = tokenizer("the<|endoftext|>")["input_ids"]
    assert labels(tokenizer, ids)[-1] == "<|endoftext|>"
    broken = tokenizer("🙂")["input_ids"][:2]
    assert labels(tokenizer, broken) == tuple(tokenizer.convert_ids_to_tokens(broken))


def test_sentencepiece_bytes_and_spaces():
    tokenizer = sentencepiece()
    ids = [258 + 0, *[ord("x")], 258, 0xC3, 0xA9, 259]
    shown = labels(tokenizer, ids)
    assert shown == ("␣the", "x", "␣the", "é 1/2", "é 2/2", "␣c")


def test_word_pieces_and_words_are_left_alone():
    tokenizer = word_level()
    ids = tokenizer("the cat sat")["input_ids"]
    assert labels(tokenizer, ids) == tuple(tokenizer.convert_ids_to_tokens(ids))


def test_a_model_s_tokens_are_labels():
    tokenizer = byte_level()
    config = GPT2Config(vocab_size=len(tokenizer), n_layer=1, n_head=2, n_embd=8, n_positions=32)
    w = AttentionWidget.from_model(GPT2Model(config).eval(), tokenizer, "the café")
    assert w.tokens[0] == "the"
    assert "".join(w.tokens).replace("␣", " ") == "the café"


def test_an_id_without_a_word_is_named_by_its_number():
    tokenizer = word_level()
    assert labels(tokenizer, [0, 10_000]) == (tokenizer.convert_ids_to_tokens(0), "id 10000")
