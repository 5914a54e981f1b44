"""A closed widget is freed, and with it its source and its model."""

from __future__ import annotations

import gc
import itertools
import os
import subprocess
import sys
import weakref

import ipywidgets.widgets.widget as jupyter
import pytest
from models import DECODERS, ENCODERS, tokenizer
from recording import RecordingComm

from attnwidget import AttentionWidget


@pytest.fixture
def shown(monkeypatch):
    """Give each widget a comm of its own, as in a notebook; the list of these comms."""
    numbers = itertools.count()
    comms = []

    def create_comm(**opened):
        comm = RecordingComm()
        comm.comm_id = f"comm {next(numbers)}"
        comm.opened = opened
        comms.append(comm)
        return comm

    monkeypatch.setattr(jupyter.comm, "create_comm", create_comm)
    return comms


def alive(references):
    gc.collect()
    return [name for name, reference in references.items() if reference() is not None]


def test_a_closed_widget_its_source_and_its_model_are_freed(shown):
    model = ENCODERS["bert"]()
    w = AttentionWidget.from_model(model, tokenizer(), "the cat sat on the mat")
    heard = []
    w.observe(heard.append, "attention")
    w.toggle(2, 3)
    w._handle_custom_msg({"type": "grid", "id": "page:1"}, [])
    assert len(heard) == 1
    assert shown[-1].sent
    references = {"widget": w, "source": w.store.now.source, "model": model}
    references = {name: weakref.ref(thing) for name, thing in references.items()}
    w.close()
    heard.clear()
    del model, w
    assert alive(references) == []


def test_closed_widgets_that_were_compared_are_freed_with_their_models(shown):
    first, second = DECODERS["gpt2"](), DECODERS["gpt2"]()
    a = AttentionWidget.from_model(first, tokenizer(), "the cat sat on the mat")
    b = AttentionWidget.from_model(second, tokenizer(), "the dog sat on a mat")
    c = AttentionWidget.compare(a, b)
    b.toggle(3, 1)
    c.layer = 1
    assert shown[-1].sent
    things = {"a": a, "b": b, "comparison": c, "model of a": first, "model of b": second}
    things |= {"source of a": a.store.now.source, "source of b": b.store.now.source}
    references = {name: weakref.ref(thing) for name, thing in things.items()}
    for each in (c, a, b):
        each.close()
    del first, second, a, b, c, each, things
    assert alive(references) == []


def test_a_closed_comparison_is_freed_while_its_widgets_go_on(shown):
    a, b = AttentionWidget("a b c"), AttentionWidget("a b d")
    c = AttentionWidget.compare(a, b)
    reference = weakref.ref(c)
    c.close()
    del c
    assert alive({"comparison": reference}) == []
    a.toggle(0, 1)


def test_a_widget_is_of_its_own_class():
    # traitlets makes a class for each widget that a trait is added to.
    assert type(AttentionWidget("a b")) is AttentionWidget


@pytest.mark.parametrize(("value", "wanted"), [("1", "FileContents"), ("0", "Unicode")])
def test_the_bundle_is_a_watched_file_only_where_hot_reload_is_asked_for(value, wanted):
    code = "from attnwidget import AttentionWidget as W; print(type(W._esm).__name__)"
    environment = {**os.environ, "ANYWIDGET_HMR": value}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == wanted
