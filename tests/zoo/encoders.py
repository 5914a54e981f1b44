"""Encoders of text."""

from __future__ import annotations

from functools import partial

import transformers as tf
from architectures import COMMON
from models import build

from zoo.common import Entry, padded_text, text

ENTRIES = [
    Entry(
        "mpnet", "MPNet", partial(build, tf.MPNetModel, tf.MPNetConfig, **COMMON), text,
        {"self": 3}, padded_text,
    ),
    Entry(
        "layoutlm", "LayoutLM", partial(build, tf.LayoutLMModel, tf.LayoutLMConfig, **COMMON), text,
        {"self": 3}, padded_text,
    ),
    Entry(
        "fnet", "FNet", partial(build, tf.FNetModel, tf.FNetConfig, hidden_size=32, intermediate_size=24, num_hidden_layers=2), text,
        {}, refused="has no attention layers",
    ),
]  # fmt: skip
