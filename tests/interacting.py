"""Widgets with a recording comm, and what a page has of them: for tests of what programs do."""

from __future__ import annotations

from typing import Any

import numpy as np
from byhand import state
from recording import RecordingComm

from attnwidget import AttentionWidget

LAYERS, HEADS = 4, 3
WEIGHTS = np.random.default_rng(0).dirichlet(np.ones(5), (LAYERS, HEADS, 2))  # of 2 queries


def recorded(widget):
    widget.comm = RecordingComm()
    return widget


def given(cls=AttentionWidget):
    """Return a widget of several layers and heads, with 2 queries and 5 keys."""
    return recorded(cls.from_arrays(WEIGHTS, "u v", "a b c d e"))


def sentence(cls=AttentionWidget, **settings):
    """Return a widget that computes, with 4 queries and 3 keys."""
    return recorded(cls("a b c d", key_tokens="x y z", d_model=5, d_k=2, **settings))


def public(widget):
    """Return every public value that a page has."""
    return {name: value for name, value in state(widget).items() if name[0] != "_"}


def names(widget):
    return [set(message) for message in widget.comm.states()]


def page(widget):
    """Return the values that a page has that got every message."""
    values: dict[str, Any] = {}
    for message in widget.comm.states():
        values |= message
    return values
