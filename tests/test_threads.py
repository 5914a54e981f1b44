"""Several threads at one model: captures are right, and nothing of another thread is disturbed."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from models import FAMILIES, N_LAYERS, VOCABULARY, tokenizer
from test_architectures import answer
from transformers import AttentionInterface, PreTrainedConfig, PreTrainedModel

from attnwidget import AttentionWidget
from attnwidget.capture.source import ModelSource
from attnwidget.widget import live

TEXTS = ["the cat sat on the mat", "a dog saw it", "the dog slept there and the cat sat"]
WAIT = 60


def ids(text: str) -> dict[str, torch.Tensor]:
    return dict(tokenizer()(text, return_tensors="pt"))


class Paused:
    """A model whose pass of one thread waits in the middle until it is let go."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.reached, self.go = threading.Event(), threading.Event()
        self._thread: int | None = None
        middle = [m for m in model.modules() if "Attention" in type(m).__name__][1]
        self._hook = middle.register_forward_hook(self._wait)

    def _wait(self, *_: Any) -> None:
        if threading.get_ident() == self._thread:
            self.reached.set()
            assert self.go.wait(WAIT)

    def during(self, run: Callable[[], Any], act: Callable[[], Any]) -> tuple[Any, Any]:
        """Return what `run` returns in a thread of its own, and what `act` returns meanwhile."""

        def start() -> Any:
            self._thread = threading.get_ident()
            return run()

        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(start)
            assert self.reached.wait(WAIT)
            try:
                done = act()
            finally:
                self.go.set()
            result = running.result(WAIT)
        self._hook.remove()
        return result, done


def capture(model: PreTrainedModel, text: str = TEXTS[0]) -> ModelSource:
    return ModelSource.capture(model, tokenizer(), text)


def plain(model: PreTrainedModel, text: str = TEXTS[1]) -> torch.Tensor:
    with torch.no_grad():
        return answer(model(**ids(text)))


def model_of(name: str, implementation: str = "sdpa") -> PreTrainedModel:
    model = copy.deepcopy(FAMILIES[name]())
    model.set_attn_implementation(implementation)
    return model


@pytest.mark.parametrize("name", ["bert", "llama", "gpt2"])
def test_concurrent_captures_of_one_model_are_all_right(name: str) -> None:
    model = model_of(name)
    wanted = {text: [capture(model, text).weights(i) for i in range(N_LAYERS)] for text in TEXTS}
    start = threading.Barrier(6)

    def work(text: str) -> list[np.ndarray]:
        if start.n_waiting < 6 and not start.broken:
            start.wait(WAIT)
        source = capture(model, text)
        return [source.weights(i) for i in range(N_LAYERS)]

    texts = [TEXTS[i % len(TEXTS)] for i in range(30)]
    with ThreadPoolExecutor(6) as pool:
        captured = list(pool.map(work, texts))
    for text, layers in zip(texts, captured, strict=True):
        for layer, weights in enumerate(layers):
            np.testing.assert_array_equal(weights, wanted[text][layer])
    assert model.config._attn_implementation == "sdpa"
    assert torch.isfinite(plain(model)).all()


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@pytest.mark.parametrize("name", ["bert", "llama"])
def test_a_plain_pass_beside_a_capture_is_not_disturbed(name: str, implementation: str) -> None:
    model = model_of(name, implementation)
    wanted, alone = plain(model), capture(model)
    during = Paused(model).during(
        lambda: capture(model), lambda: (plain(model), model.config._attn_implementation)
    )
    source, (output, seen) = during
    assert torch.equal(output, wanted)
    assert seen == implementation
    # The other text is in no map.
    assert source.tokens == alone.tokens
    for layer in range(N_LAYERS):
        np.testing.assert_array_equal(source.weights(layer), alone.weights(layer))


def test_sdpa_stands_in_for_a_fused_kernel_in_the_thread_that_captures_alone() -> None:
    model = model_of("llama", "flex_attention")
    wanted = capture(model_of("llama"))
    source, seen = Paused(model).during(
        lambda: capture(model), lambda: model.config._attn_implementation
    )
    assert seen == "flex_attention"
    for layer in range(N_LAYERS):
        np.testing.assert_array_equal(source.weights(layer), wanted.weights(layer))


def test_a_training_pass_beside_a_capture_keeps_its_dropout() -> None:
    model = model_of("bert").train()
    torch.manual_seed(5)
    wanted = answer(model(**ids(TEXTS[1])))

    def train() -> tuple[bool, torch.Tensor]:
        torch.manual_seed(5)
        return model.training, answer(model(**ids(TEXTS[1])))

    source, (training, output) = Paused(model).during(lambda: capture(model), train)
    assert training
    assert torch.equal(output, wanted)
    assert output.requires_grad
    np.testing.assert_array_equal(source.weights(1), capture(model.eval()).weights(1))


def test_what_another_thread_does_to_the_model_stays() -> None:
    model = model_of("bert")
    layer = model.encoder.layer[0]
    weights = {k: v * 2 for k, v in layer.state_dict().items()}
    called: list[int] = []

    def act() -> Any:
        model.train()
        layer.load_state_dict(weights, assign=True)
        layer.note = "mine"
        return layer.register_forward_hook(lambda *_: called.append(1))

    Paused(model).during(lambda: capture(model), act)
    assert model.training
    assert layer.training
    assert layer.note == "mine"
    assert all(torch.equal(v, weights[k]) for k, v in layer.state_dict().items())
    plain(model)
    assert called


@pytest.mark.parametrize(
    "act", [lambda model: model.train(), lambda model: model.set_attn_implementation("eager")]
)
def test_a_capture_runs_as_the_model_was_when_it_began(act: Callable[[Any], Any]) -> None:
    model = model_of("gpt2")
    model.config.resid_pdrop = model.config.attn_pdrop = 0.5
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.5
    wanted = capture(model)
    source, _ = Paused(model).during(lambda: capture(model), lambda: act(model))
    for layer in range(N_LAYERS):
        np.testing.assert_array_equal(source.weights(layer), wanted.weights(layer))


def test_a_pass_of_the_same_model_in_a_hook_is_in_no_map() -> None:
    model = model_of("bert")
    wanted = capture(model)
    outputs: list[torch.Tensor] = []

    def look(*_: Any) -> None:
        if not outputs:
            outputs.append(torch.empty(0))  # one pass in a pass is enough
            outputs.append(plain(model))

    hook = model.encoder.layer[1].register_forward_hook(look)
    source = capture(model)
    hook.remove()
    assert len(outputs) == 2
    assert "Not shown" not in source.notice
    for layer in range(N_LAYERS):
        np.testing.assert_array_equal(source.weights(layer), wanted.weights(layer))


def test_a_model_that_writes_and_an_observer_that_captures_do_not_wait_for_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "_PAUSE", 0)
    model, drawn, held = model_of("gpt2"), threading.Event(), threading.Event()
    widgets: list[AttentionWidget] = []
    draw = live.Growing._draw

    def drawing(self: live.Growing, source: Any) -> None:
        draw(self, source)
        if not widgets:
            widgets.append(self._widget)
            drawn.set()
            assert held.wait(WAIT)

    monkeypatch.setattr(live.Growing, "_draw", drawing)
    options = {"max_new_tokens": 5, "min_new_tokens": 5, "do_sample": False}
    opened = AttentionWidget.from_model
    with ThreadPoolExecutor(2) as pool:
        writing = pool.submit(opened, model, words(), "the cat sat", generate=options)
        assert drawn.wait(WAIT)

        def observer(_change: Any) -> None:
            held.set()  # this thread holds the widget, the writing thread holds the model
            opened(model, words(), "a dog saw it")

        widgets[0].observe(observer, "head")
        pool.submit(setattr, widgets[0], "head", 1).result(WAIT)
        assert writing.result(WAIT) is widgets[0]


def words() -> Any:
    """A tokenizer that knows every id that the model may write."""
    known = tokenizer()
    known.add_tokens([f"extra{i}" for i in range(VOCABULARY - len(known))])
    return known


def test_two_models_are_captured_at_the_same_time() -> None:
    one, other = model_of("bert"), model_of("llama")
    wanted = capture(other).weights(1)
    first, second = Paused(one).during(lambda: capture(one), lambda: capture(other))
    np.testing.assert_array_equal(second.weights(1), wanted)
    np.testing.assert_array_equal(first.weights(1), capture(one).weights(1))


def test_a_capture_within_a_capture_is_apart_from_it() -> None:
    """A hook of a user's own may look into another model, or into the same."""
    model, other = model_of("bert"), model_of("gpt2")
    wanted = capture(model).weights(2), capture(other, TEXTS[1]).weights(0)
    inner: list[np.ndarray] = []

    def look(*_: Any) -> None:
        if not inner:
            inner.append(capture(other, TEXTS[1]).weights(0))

    hook = model.encoder.layer[0].register_forward_hook(look)
    outer = capture(model)
    hook.remove()
    np.testing.assert_array_equal(outer.weights(2), wanted[0])
    np.testing.assert_array_equal(inner[0], wanted[1])


@pytest.mark.parametrize("error", [None, RuntimeError, KeyboardInterrupt])
def test_nothing_is_left_in_the_classes_that_others_use(error: Any) -> None:
    kinds = (AttentionInterface, PreTrainedConfig, torch.nn.Module)
    before = [dict(vars(kind)) for kind in kinds]
    hooks = torch.nn.modules.module
    registers = ("_global_forward_hooks", "_global_forward_pre_hooks")
    model = model_of("bert", "flex_attention").train()
    if error:

        def stop(*_: Any) -> None:
            raise error("stop here")

        model.encoder.layer[1].register_forward_hook(stop)
        with pytest.raises(error, match="stop here"):
            capture(model)
    else:
        capture(model)
    assert [dict(vars(kind)) for kind in kinds] == before
    assert not any(getattr(hooks, name) for name in registers)
