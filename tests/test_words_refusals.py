"""Choices of words and special tokens that a source refuses."""

from __future__ import annotations

import numpy as np
import pytest
from architectures import ARCHITECTURES
from models import FAMILIES
from models import tokenizer as word_level
from word_tokenizers import bert, word_piece

from attnwidget import AttentionWidget


@pytest.mark.parametrize(
    ("name", "value", "error", "why"),
    [
        ("merge", "word", ValueError, "merge: got 'word', want one of tokens, words"),
        ("merge", None, ValueError, "merge: got None, want one of tokens, words"),
        ("hide_special", 1, TypeError, "hide_special: got 1, want True or False"),
    ],
)
def test_what_is_no_choice_changes_nothing(name, value, error, why):
    w, _ = bert(word_piece(), "the cats")
    before = w.attention
    with pytest.raises(error, match=why):
        setattr(w, name, value)
    assert (w.merge, w.hide_special) == ("tokens", False)
    np.testing.assert_array_equal(w.attention, before)


def test_where_there_are_no_words_or_special_tokens():
    image = ARCHITECTURES["vit"]
    w = AttentionWidget.from_model(image.make(), inputs=image.inputs())
    assert w.merge is w.hide_special is None
    with pytest.raises(ValueError, match="merge: patches, frames and bare positions have no words"):
        w.merge = "words"
    w = AttentionWidget.from_model(FAMILIES["bert"](), word_level(), "the cat")
    assert (w.merge, w.hide_special, w.sentence_b_start) == ("tokens", None, None)
    with pytest.raises(ValueError, match="hide_special: none of these tokens is special"):
        w.hide_special = True


@pytest.mark.parametrize(("name", "value"), [("merge", "words"), ("hide_special", True)])
def test_other_sources_have_whole_words(name, value):
    for w in (AttentionWidget("a b c"), AttentionWidget.from_arrays(np.eye(2), ["a", "b"])):
        with pytest.raises(ValueError, match=f"{name}: "):
            setattr(w, name, value)
        assert getattr(w, name) is None


def test_something_must_be_left():
    w, _ = bert(word_piece(), "")
    assert list(w.tokens) == ["[CLS]", "[SEP]"]
    with pytest.raises(ValueError, match="hide_special: got True, but every token is special"):
        w.hide_special = True
    assert list(w.tokens) == ["[CLS]", "[SEP]"]
    # Of cross-attention, keys are to be left too.
    w = AttentionWidget.from_model(
        ARCHITECTURES["t5"].make(), word_level(), ("[PAD]", "the cat"), stack="cross"
    )
    assert list(w.key_tokens) == ["[PAD]"]
    with pytest.raises(ValueError, match="hide_special: got True, but every token is special"):
        w.hide_special = True
    assert w.hide_special is False
