"""Which row of a batch is shown: that of the text asked for, whatever the inputs begin with."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from architectures import clip, llava, noise
from models import FAMILIES, tokenizer
from transformers import PreTrainedModel
from zoo.common import inputs_of, model_of
from zoo.oracle import Weights, eager_weights

from attnwidget import AttentionWidget
from attnwidget.capture.source import SINK, ModelSource

IDS = torch.tensor([[5, 11, 3, 9, 13], [7, 4, 12, 6, 13], [2, 8, 10, 3, 13]])
IMAGE = 39  # the token that stands for a part of an image in tests/architectures.py


@cache
def clip_model() -> PreTrainedModel:
    return clip()


def assert_row(source: ModelSource, wanted: Weights, stack: str, row: int) -> None:
    layers = [layer for layer in source.layers if layer.stack == stack]
    assert layers
    for layer in layers:
        got = source.of(stack).weights(layer.index)
        np.testing.assert_allclose(got, wanted[layer.module, 0][row], rtol=0, atol=1e-6)


@pytest.mark.parametrize("row", [0, 1, 2])
def test_one_image_and_three_texts_with_the_pixels_first(row: int) -> None:
    model, inputs = clip_model(), {"pixel_values": noise(1, 3, 12, 12), "input_ids": IDS}
    source = ModelSource.capture(model, tokenizer(), inputs=inputs, batch_index=row)
    wanted = eager_weights(model, inputs)
    assert_row(source, wanted, "self", row)
    assert_row(source, wanted, "vision", 0)
    words = ["the", "cat", "sat", "on", "mat", "a", "dog", "saw", "it", "and", "slept", "there"]
    assert source.of("self").tokens == tuple(words[i - 2] for i in IDS[row].tolist())


def test_an_image_that_a_text_of_the_batch_lacks_is_named_as_not_shown() -> None:
    model, inputs = clip_model(), {"pixel_values": noise(2, 3, 12, 12), "input_ids": IDS}
    wanted = eager_weights(model, inputs)
    for row in (0, 1):
        source = ModelSource.capture(model, None, inputs=inputs, batch_index=row)
        assert_row(source, wanted, "vision", row)
    source = ModelSource.capture(model, None, inputs=inputs, batch_index=2)
    assert {*source.stack_names.values()} == {"self"}
    assert "Not shown: vision attention" in source.notice
    assert "there is no image 2, only 2 in all" in source.notice


def test_several_images_and_one_text() -> None:
    model = clip_model()
    inputs = {"input_ids": IDS[:1], "pixel_values": noise(3, 3, 12, 12)}
    wanted = eager_weights(model, inputs)
    for row in range(3):
        source = ModelSource.capture(model, tokenizer(), inputs=inputs, batch_index=row)
        assert_row(source, wanted, "vision", row)
        assert_row(source, wanted, "self", 0)
        assert source.of("self").tokens[0] == "on"


def test_a_row_may_serve_a_whole_batch() -> None:
    inputs = {"input_ids": IDS, "token_type_ids": torch.zeros(1, 5, dtype=torch.long)}
    model = FAMILIES["bert"]()
    source = ModelSource.capture(model, None, inputs=inputs, batch_index=2)
    assert_row(source, eager_weights(model, inputs), "self", 2)


def test_positions_may_stand_first() -> None:
    model = FAMILIES["bert"]()
    inputs = {"position_ids": torch.arange(5)[None], "input_ids": IDS}
    wanted = eager_weights(model, inputs)
    for row in range(3):
        source = ModelSource.capture(model, None, inputs=inputs, batch_index=row)
        assert_row(source, wanted, "self", row)
    with pytest.raises(ValueError, match=r"batch_index: got 3, want 0\.\.2"):
        ModelSource.capture(model, None, inputs=inputs, batch_index=3)


def test_images_that_texts_do_not_share_evenly_are_named_as_not_shown() -> None:
    """Two images in the first text, one in the second: their rows are not known by counting."""
    model = llava()
    ids = torch.tensor([[5, *[IMAGE] * 8, 9], [5, *[IMAGE] * 4, 9, 11, 3, 8, 2]])
    inputs = {"pixel_values": noise(3, 3, 8, 8), "input_ids": ids}
    wanted = eager_weights(model, inputs)
    for row in (0, 1):
        source = ModelSource.capture(model, None, inputs=inputs, batch_index=row)
        assert {*source.stack_names.values()} == {"self"}
        assert_row(source, wanted, "self", row)
        assert f"which of 3 images belong to text {row} is not known" in source.notice


@pytest.mark.parametrize(
    ("name", "size"),
    [("vivit", 2), ("time-series-transformer", 2), ("blip-2-q-former", 2), ("yolos", 2)],
)
def test_batches_without_a_text_are_counted_too(name: str, size: int) -> None:
    model, inputs = model_of(name), inputs_of(name, "plain")
    assert ModelSource.capture(model, None, inputs=inputs, batch_index=size - 1).layers
    with pytest.raises(ValueError, match=rf"batch_index: got {size}, want 0\.\.{size - 1}"):
        ModelSource.capture(model, None, inputs=inputs, batch_index=size)


def test_a_sink_in_some_layers_alone_is_a_column_of_the_stack() -> None:
    """Layers without a sink have the column masked, so that all maps of the stack have one size."""
    name = "mimo-v2-flash"
    model, inputs = model_of(name), inputs_of(name, "plain")
    w = AttentionWidget.from_model(model, inputs=inputs, batch_index=1)
    wanted = eager_weights(model, inputs)
    n = inputs["input_ids"].shape[1]
    assert w.key_tokens is not None
    assert w.key_tokens[-1] == SINK
    sinks: list[bool] = []
    for layer in w.layers:
        w.layer = layer.index
        for head in range(layer.n_heads):
            w.head = head
            theirs: Any = wanted[layer.module, 0][1, head].numpy()
            assert w.attention.shape == (n, n + 1)
            np.testing.assert_allclose(w.attention[:, :-1], theirs, rtol=0, atol=1e-6)
            np.testing.assert_allclose(w.attention[:, -1], 1 - theirs.sum(-1), rtol=0, atol=1e-6)
            assert w.weights(layer.index, head).shape == (n, n)
            np.testing.assert_allclose(
                w.weights(layer.index, head, rows=[3, 1]), theirs[[3, 1]], rtol=0, atol=1e-6
            )
        sinks.append(bool((w.attention[:, -1] > 1e-4).any()))
        assert bool(w.locked[:, -1].all()) is not sinks[-1]
    assert set(sinks) == {True, False}
    for stack in ("mean over heads", "mean over layers"):
        if stack in {layer.stack for layer in w.derived_layers}:
            w.stack = stack
            assert w.attention.shape == (n, n + 1)


def test_a_cache_in_the_inputs_is_refused_and_stays_as_it_was() -> None:
    model = FAMILIES["llama"]()
    with torch.no_grad():
        cache = model(IDS[:1]).past_key_values
    inputs = {"input_ids": IDS[1:2], "past_key_values": cache}
    with pytest.raises(ValueError, match="inputs: got past_key_values, want the whole text"):
        ModelSource.capture(model, None, inputs=inputs)
    assert cache.get_seq_length() == IDS.shape[1]
