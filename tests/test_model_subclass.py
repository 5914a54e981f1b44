"""A user's subclass that is opened on a model."""

from __future__ import annotations

from models import DECODERS, tokenizer

from attnwidget import AttentionWidget


class Counted(AttentionWidget):
    _count = 0

    def __init__(self, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        self._count += 1


def opened():
    return Counted.from_model(DECODERS["gpt2"](), tokenizer(), "the cat sat")


def test_from_model_makes_the_subclass():
    assert type(opened()) is Counted


def test_from_model_runs_the_init_of_the_subclass():
    assert opened()._count == 1
