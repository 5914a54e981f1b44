"""The widgets and the page of the golden wire's scripts."""

from __future__ import annotations

import json

import numpy as np
from byhand import cell
from recording import RecordingComm

from attnwidget import AttentionWidget

COMPUTED, GIVEN, HEADS, SENTENCE = "computed", "given", "heads", "sentence"


class Scripts(dict):
    """By name, the kind of widget and the function that is run on it."""

    def on(self, *kinds):
        """Add a function, once for each kind of widget."""

        def add(act):
            self.update({f"{act.__name__} ({kind})": (kind, act) for kind in kinds})
            return act

        return add


def opened(kind):
    """Return a new widget of a kind, with nothing recorded yet."""
    sizes = {"d_model": 5, "d_k": 4, "d_v": 2}
    if kind == GIVEN:
        w = AttentionWidget.from_arrays(weights(), "a b c d", "x y z")
    elif kind == SENTENCE:
        w = AttentionWidget("Hi there . You too", **sizes)
    else:
        heads = {"n_heads": 3} if kind == HEADS else {}
        w = AttentionWidget("a b c d", key_tokens="x y z", **sizes, **heads)
    w.comm = RecordingComm()
    return w


def weights():
    """Return maps of 3 layers and 2 heads, in sixteenths: sums of rows are exact."""
    some = np.random.RandomState(0).randint(0, 9, size=(3, 2, 4, 2))
    return np.concatenate([some, 16 - some.sum(axis=-1, keepdims=True)], axis=-1) / 16


def ramp(*shape):
    return np.arange(np.prod(shape)).reshape(shape) / 10


class Page:
    """A page whose answers are all lost: it sends each edit again with the next."""

    def __init__(self, widget, client="p"):
        self.widget, self.client = widget, client
        self.ops = []

    def edit(self, **op):
        """Send one more edit; `on` and `off` are runs of cells: start, length, ..."""
        number = len(self.ops) + 1
        shape = list(self.widget.mask.shape)
        base = {"seq": number, "stroke": number, "on": [], "off": [], "shape": shape}
        self.ops.append(base | op)
        self.send()

    def number(self, name, at, value, **op):
        self.edit(**cell(self.widget, name, at, value), **op)

    def send(self, **traits):
        sent = {"_edits": {"client": self.client, "ops": self.ops}} if self.ops else {}
        self.widget.set_state(json.loads(json.dumps(sent | traits)))
