"""The widgets and the page of the golden wire's scripts."""

from __future__ import annotations

import json

import numpy as np
from byhand import command, number
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
    """A page whose answers are all lost: it sends each command again with the next."""

    def __init__(self, widget, client="p"):
        self.widget, self.client = widget, client
        self.commands = []

    def do(self, kind, **fields):
        """Send one more command; `on` and `off` are runs of cells: start, length, ..."""
        shape = self.widget.mask.shape
        self.commands.append(command(len(self.commands) + 1, shape, kind, **fields))
        self.send()

    def paint(self, **fields):
        self.do("paint", **fields)

    def number(self, name, at, value, **fields):
        sent = number(self.widget, name, at, value)
        self.do(sent.pop("do"), **sent, **fields)

    def send(self, **traits):
        commands = {"client": self.client, "commands": self.commands}
        sent = {"_commands": commands} if self.commands else {}
        self.widget.set_state(json.loads(json.dumps(sent | traits)))
