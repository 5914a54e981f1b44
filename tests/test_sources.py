"""What every source answers: a sentence, given weights, a model, and maps made of maps."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np
import pytest
from architectures import ARCHITECTURES
from models import FAMILIES, tokenizer

from attnwidget import AttentionWidget
from attnwidget.capture.source import ModelSource
from attnwidget.sources.api import HeadInputs, Source, StackId, stack_layers
from attnwidget.sources.given import GivenSource
from attnwidget.sources.lab import LabSource


def sentence() -> Source:
    return LabSource.create("a b c", key_tokens="w x y z", n_heads=2, d_k=5, seed=3)


def given() -> Source:
    weights = np.random.default_rng(0).dirichlet(np.ones(4), size=(3, 2, 4))
    return GivenSource.create(weights, list("abcd"))


def model() -> Source:
    bart = ARCHITECTURES["bart"]
    return ModelSource.capture(bart.make(), None, inputs=bart.inputs()).of("cross")


def words() -> Source:
    source = ModelSource.capture(FAMILIES["bert"](), tokenizer(), "the cat sat")
    return source.replace("merge", "words", 0, 0)


SOURCES: dict[str, Callable[[], Source]] = {
    "sentence": sentence,
    "given": given,
    "rollout": lambda: given().of("rollout"),
    "model": model,
    "mean of a model": lambda: model().of("cross · mean over layers"),
    "words": words,
}


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest) -> Source:
    return SOURCES[request.param]()


def test_a_source_has_every_attribute_and_takes_the_same_arguments(source: Source) -> None:
    members = {name: m for name, m in vars(Source).items() if not name.startswith("_")}
    assert len(members) > 30
    for name, member in members.items():
        got = getattr(source, name)
        if inspect.isfunction(member):
            wanted = [*inspect.signature(member).parameters][1:]
            assert [*inspect.signature(got).parameters] == wanted


def test_one_head_and_some_rows_are_those_of_the_layer(source: Source) -> None:
    layer = stack_layers(source)[-1]
    every = source.weights(layer.index)
    assert every.shape[0] == layer.n_heads
    head, rows = layer.n_heads - 1, [2, 0]
    np.testing.assert_allclose(source.weights(layer.index, head), every[head], atol=1e-6)
    np.testing.assert_allclose(source.weights(layer.index, None, rows), every[:, rows], atol=1e-6)
    np.testing.assert_allclose(
        source.weights(layer.index, head, rows), every[head, rows], atol=1e-6
    )


def test_a_stack_is_found_by_its_name_and_by_its_id(source: Source) -> None:
    assert source.stacks[source.stack] == source.stack_id
    for name, stack_id in source.stacks.items():
        for wanted in (name, stack_id):
            other = source.of(wanted)
            assert (other.stack, other.stack_id) == (name, stack_id)
            assert {layer.stack for layer in stack_layers(other)} == {name}


@pytest.mark.parametrize("stack", ["self · rollout", StackId("audio"), 3, None])
def test_a_stack_that_is_not_there_is_refused_with_those_that_are(source: Source, stack) -> None:
    with pytest.raises(ValueError, match=r"stack: got .*, want one of") as caught:
        source.of(stack)
    assert all(name in str(caught.value) for name in source.stacks)


def test_stacks_have_the_names_that_a_page_shows() -> None:
    assert {name: id_ for name, id_ in model().stacks.items() if id_.part == "cross"} == {
        "cross": StackId("cross"),
        "cross · mean over heads": StackId("cross", derived="mean-heads"),
        "cross · mean over layers": StackId("cross", derived="mean-layers"),
    }
    assert given().stacks["mean over heads"] == StackId("self", derived="mean-heads")
    assert StackId("vision", (9, 4)).name(several=True) == "vision 9×4"


@pytest.mark.parametrize(
    ("name", "value"), [("colour", 3), ("tokens", 3), ("temperature", -1), ("merge", "letters")]
)
def test_a_value_that_does_not_fit_is_refused_by_name(source: Source, name: str, value) -> None:
    layer = stack_layers(source)[0].index
    before = source.head(layer, 0)
    with pytest.raises((TypeError, ValueError), match=f"{name}: "):
        source.replace(name, value, layer, 0)
    np.testing.assert_array_equal(source.head(layer, 0).scores(float), before.scores(float))


def test_the_inputs_of_a_models_head_are_built_once() -> None:
    source = model()
    inputs = source.head(1, 1)
    assert source.head(1, 1) is inputs
    labels = source.replace("tokens", ["x"] * len(source.tokens), 1, 1)
    assert labels.head(1, 1) is inputs
    assert source.of("decoder").head(1, 1) is not inputs
    warm = source.replace("temperature", 2, 1, 1)
    assert (warm.head(1, 1).temperature, source.head(1, 1).temperature) == (2, 1)


def test_the_words_of_a_pair_say_where_the_second_sentence_starts() -> None:
    pair = ModelSource.capture(FAMILIES["bert"](), tokenizer(), ("the cat", "sat there"))
    merged = pair.replace("merge", "words", 0, 0)
    assert merged.tokens[merged.sentence_b_start] == pair.tokens[pair.sentence_b_start]
    assert merged.is_model
    assert merged.is_derived


@pytest.mark.parametrize("missing", ["", "V", "QK", "QKV"])
def test_steps_need_queries_keys_and_values(missing: str) -> None:
    arrays = {"Q": np.ones((3, 5)), "K": np.ones((4, 5)), "V": np.ones((4, 2))}
    known = {name: None if name in missing else array for name, array in arrays.items()}
    assert HeadInputs(**known, scale=1.0, bias=np.zeros((3, 4))).has_values is (missing == "")


def test_a_layer_goes_to_the_page_without_what_the_name_says_already() -> None:
    w = AttentionWidget("a b c", n_heads=2)
    layer = {"index": 0, "module": "", "stack": "self", "n_heads": 2, "n_kv_heads": 2}
    assert w.get_state()["layers"] == [{**layer, "proved": None}]
