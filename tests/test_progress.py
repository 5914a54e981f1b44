"""A long pass says how far it is; a short one says nothing."""

from __future__ import annotations

from functools import partial

import pytest
from models import ENCODERS, N_LAYERS, tokenizer

from attnwidget import AttentionWidget
from attnwidget.widget.progress import progress


def test_a_long_pass_says_how_far_it_is(capsys):
    with progress(ENCODERS["bert"](), delay=0) as step:
        step()
    said = capsys.readouterr().err
    assert "BertModel reads" in said
    assert f"1/{N_LAYERS}" in said


def test_a_layer_that_serves_all_has_no_total_to_pass(capsys):
    with progress(ENCODERS["albert"](), delay=0) as step:
        step()
        step()
    assert "1/1" in capsys.readouterr().err


def test_an_interrupted_pass_takes_its_bar_with_it(capsys):
    def interrupted():
        with progress(ENCODERS["bert"](), delay=0) as step:
            step()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    # Cleared: what follows on the line is written from its start.
    assert capsys.readouterr().err.endswith("\r")


def test_a_capture_counts_its_layers(capsys, monkeypatch):
    monkeypatch.setattr("attnwidget.widget.widget.progress", partial(progress, delay=0))
    AttentionWidget.from_model(ENCODERS["bert"](), tokenizer(), "the cat sat")
    assert f"1/{N_LAYERS}" in capsys.readouterr().err


def test_a_short_pass_says_nothing(capsys):
    AttentionWidget.from_model(ENCODERS["bert"](), tokenizer(), "the cat sat")
    assert capsys.readouterr().err == ""
