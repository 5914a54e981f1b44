"""A model runs again with knock-outs, from the first edited layer on: the outputs and the maps."""

from __future__ import annotations

import re
import threading

import numpy as np
import pytest
import torch
from architectures import ARCHITECTURES
from architectures_eager import PLACES, attention_modules, eager_copy, family_of
from test_knock_out import UNNUMBERED, cells_of, changed, heads_of, patched_softmax

from attnwidget import AttentionWidget
from attnwidget.capture.knock_out import knock_out
from attnwidget.capture.rerun import ModelRunner
from attnwidget.capture.source import ModelSource
from attnwidget.sources.runs import Stopped

CASES = [name for name in ARCHITECTURES if name not in {"longformer", "qwen2-vl-images"}]


def never():
    return False


def captured(name):
    one = ARCHITECTURES[name]
    return ModelSource.capture(one.make(), None, inputs=one.inputs())


def tensors(returned, first=0):
    """The tensors that a model returned; of the logits those from position `first` on."""
    found = {k: v for k, v in returned.items() if isinstance(v, torch.Tensor)}
    if first:
        found["logits"] = found["logits"][:, first:]
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_restart_is_the_whole_run_exactly(name):
    one, source = ARCHITECTURES[name], captured(name)
    for stack, layers in one.layers.items():
        if (name, stack) in UNNUMBERED:
            continue
        for layer in {layers[0], layers[-1]}:
            edit = {"stack": stack, "layer": layer, "head": 1, "query": 4, "key": 2}
            outcome = source.runner.run(source.runner.checked([edit]), never)
            # The first layer of all has no layer before it.
            is_first = source.runner.checked([edit])[0].layer == source.layers[0].index
            assert outcome.is_partial or (is_first and layer == layers[0]), outcome.words
            more = {}
            if outcome.outputs.first:  # a causal text: what is before the query stays as it is
                assert outcome.outputs.first == 4
                more = {"logits_to_keep": len(source.tokens) - 4}
            with torch.no_grad(), knock_out(source.model, [edit]):
                whole = tensors(source.model(**one.inputs(), **more))
            assert whole.keys() == outcome.outputs.tensors.keys()
            for key, tensor in outcome.outputs.tensors.items():
                assert torch.equal(tensor, whole[key]), (stack, layer, key)


@pytest.mark.parametrize("name", ["albert", "swin"])
def test_a_model_that_shares_its_layers_runs_whole(name):
    source = captured(name)
    edit = {"head": 1, "query": 4, "key": 2}
    outcome = source.runner.run(source.runner.checked([edit]), never)
    assert not outcome.is_partial
    with torch.no_grad(), knock_out(source.model, [edit]):
        whole = tensors(source.model(**ARCHITECTURES[name].inputs()))
    for key, tensor in outcome.outputs.tensors.items():
        assert torch.equal(tensor, whole[key])


def eager_maps(source, inputs, stack, layer, record, has_sink):
    """The weights of each layer of a stack, of the eager model with another softmax."""
    other = eager_copy(source.model)
    pattern = PLACES[family_of(source.model)][stack]
    modules = {name for part, name, _ in attention_modules(other) if part == stack}
    numbers = {
        module: int(re.fullmatch(pattern, name)[1])
        for name, module in other.named_modules()
        if name in modules
    }
    maps = {}

    def edit(scores, result, module):
        heads = heads_of(module)
        n_q, n_k = scores.shape[-2:]
        weights = result.detach().clone().reshape(heads, n_q, n_k)
        if numbers[module] == layer:
            given = scores.detach().reshape(heads, n_q, n_k).numpy()
            cells = cells_of(record, n_q, n_k, has_sink)
            keys = np.arange(n_k) < n_k - has_sink
            edited = changed(given[record["head"]], cells, record["kind"], keys)
            edited = torch.tensor(edited, dtype=weights.dtype)
            weights[record["head"]] = torch.where(
                torch.tensor(cells.any(axis=1))[:, None], edited, weights[record["head"]]
            )
        maps[numbers[module]] = weights[..., : n_k - has_sink].numpy()
        return weights.reshape(result.shape)

    with torch.no_grad(), patched_softmax(other, list(numbers), edit):
        other(**inputs)
    return maps


@pytest.mark.parametrize("kind", ["remove", "zero", "mean", "first"])
@pytest.mark.parametrize(
    ("name", "stack"),
    [("bert", "self"), ("gpt2", "self"), ("llama", "self"), ("gpt-oss", "self"),
     ("gpt-j", "self"), ("bloom", "self"), ("bart", "decoder"), ("bart", "cross")],
)  # fmt: skip
def test_the_maps_after_are_those_of_the_eager_model(name, stack, kind):
    one, source = ARCHITECTURES[name], captured(name).of(stack)
    layers = one.layers[stack]
    for cells in ({"query": 4, "key": 2}, {"key": 3}, {"query": 3}, {}):
        record = {"head": 1, "kind": kind, **cells}
        edit = {"stack": stack, "layer": layers[1], **record}
        outcome = source.runner.run(source.runner.checked([edit]), never)
        after = source.of_run(outcome)
        wanted = eager_maps(source, one.inputs(), stack, layers[1], record, name == "gpt-oss")
        for layer in layers:
            np.testing.assert_allclose(after.weights(layer), wanted[layer], atol=2e-6, rtol=0)
            for head in range(len(wanted[layer])):
                alone = after.weights(layer, head)
                np.testing.assert_allclose(alone, wanted[layer][head], atol=2e-6, rtol=0)
                some = after.weights(layer, head, rows=[4, 1])
                np.testing.assert_allclose(some, alone[[4, 1]], atol=1e-6, rtol=0)
        # What comes before the edited layer is the captured run itself.
        np.testing.assert_array_equal(after.weights(layers[0]), source.weights(layers[0]))
        assert np.abs(after.weights(layers[1]) - source.weights(layers[1])).max() > 1e-3


@pytest.mark.parametrize("kind", ["remove", "zero", "mean", "first"])
@pytest.mark.parametrize("name", ["bert", "gpt2", "gpt-oss"])
def test_the_card_shows_the_weights_of_the_edited_head(name, kind):
    one = ARCHITECTURES[name]
    model = one.make()
    edit = {"layer": 1, "head": 1, "query": 4, "key": 2, "kind": kind}
    w = AttentionWidget.from_model(model, inputs=one.inputs(), layer=1, head=1, knockouts=[edit])
    n = len(w.tokens)
    wanted = w.weights(1, 1)
    np.testing.assert_allclose(w.attention[:, :n], wanted, atol=2e-6, rtol=0)
    assert bool(w.locked is not None and w.locked[4, 2]) is (kind == "remove")
    assert "with knock-outs: " in w.notice
    w.shown_run = "before"
    before = AttentionWidget.from_model(model, inputs=one.inputs(), layer=1, head=1)
    np.testing.assert_array_equal(w.attention, before.attention)
    np.testing.assert_array_equal(w.locked, before.locked)
    assert "with knock-outs" not in w.notice


def test_earlier_positions_of_a_causal_model_are_as_before():
    source = captured("llama")
    base = source.runner.run(source.runner.checked([{"layer": 0, "query": 6}]), never)
    outcome = source.runner.run(source.runner.checked([{"layer": 0, "query": 3, "key": 1}]), never)
    after = source.of_run(outcome)
    for layer in (0, 1, 2):
        rows = slice(0, 3)
        np.testing.assert_array_equal(after.weights(layer)[:, rows], source.weights(layer)[:, rows])
    assert outcome.reach[0].query == 3
    assert base.reach[0].query == 6
    effect = outcome.effect_at(None)
    np.testing.assert_array_equal(effect.loss[1, :4], effect.loss[0, :4])
    assert np.abs(effect.delta_loss[4:]).min() > 1e-6


@pytest.mark.parametrize(
    ("name", "edit", "reach"),
    [
        ("bert", {"layer": 1, "query": 4}, {("self", 1, None)}),
        ("gpt2", {"layer": 1, "query": 4}, {("self", 1, 4)}),
        ("gpt2", {"layer": 1, "key": 3}, {("self", 1, 3)}),
        ("gpt2", {"layer": 2, "head": 0}, {("self", 2, 0)}),
        ("bart", {"stack": "encoder", "layer": 1, "query": 4},
         {("encoder", 1, None), ("decoder", 1, None), ("cross", 0, None)}),
        ("bart", {"stack": "decoder", "layer": 1, "query": 2},
         {("decoder", 1, 2), ("cross", 1, 2)}),
        ("bart", {"stack": "cross", "layer": 1, "query": 3, "key": 5},
         {("decoder", 2, 3), ("cross", 1, 3)}),
    ],
)  # fmt: skip
def test_the_reach_holds_what_changed(name, edit, reach):
    """Outside of the reach nothing changes; inside, the last layer of each stack does."""
    source = captured(name)
    outcome = source.runner.run(source.runner.checked([edit]), never)
    assert {(part.stack, part.layer, part.query) for part in outcome.reach} == reach
    first = {part.stack: part for part in outcome.reach}
    for layer in source.layers:
        shown = source.of(layer.stack)
        before = shown.weights(layer.index)
        moved = np.abs(shown.of_run(outcome).weights(layer.index) - before)
        part = first.get(layer.stack)
        if part is None or layer.index < part.layer:
            assert moved.max() == 0
        else:
            assert moved[:, : part.query or 0].max(initial=0) == 0
            assert moved[:, part.query or 0 :].max() > 0


# When there is no restart


def runner_of(source, **options):
    calls = source._layer_calls, source._calls
    return ModelRunner(source.model, source.reading, *calls, **options)


def test_a_small_budget_makes_the_run_whole():
    source = captured("gpt2")
    runner = runner_of(source, budget=1000)
    edits = runner.checked([{"layer": 2, "query": 4, "key": 2}])
    outcome = runner.run(edits, never)
    assert not outcome.is_partial
    assert "the outputs of its layers need more than" in outcome.words
    part = source.runner.run(edits, never)
    assert part.is_partial
    assert torch.equal(part.outputs.tensors["logits"], outcome.outputs.tensors["logits"])


def test_an_output_that_is_overwritten_makes_the_run_whole():
    source = captured("gpt2")
    last = source.model.transformer.h[2]
    hook = last.register_forward_pre_hook(lambda _, args: (args[0].add_(1),))
    try:
        runner = runner_of(source)
        outcome = runner.run(runner.checked([{"layer": 2, "query": 4, "key": 2}]), never)
        with torch.no_grad(), knock_out(source.model, [{"layer": 2, "query": 4, "key": 2}]):
            whole = source.model(**source.reading.inputs, logits_to_keep=3).logits
    finally:
        hook.remove()
    assert not outcome.is_partial
    assert torch.equal(outcome.outputs.tensors["logits"], whole)


def test_a_layer_that_reads_what_another_left_behind_makes_the_run_whole():
    source = captured("gpt2")
    first, last = source.model.transformer.h[0], source.model.transformer.h[2]
    left = {}
    hooks = [
        source.model.register_forward_pre_hook(lambda *_: left.clear()),
        first.attn.register_forward_hook(lambda *_: left.update(factor=2)),
        last.register_forward_hook(lambda _, __, out: out * left.get("factor", 1)),
    ]
    try:
        runner = runner_of(source)
        outcome = runner.run(runner.checked([{"layer": 2, "query": 4, "key": 2}]), never)
    finally:
        for hook in hooks:
            hook.remove()
    assert not outcome.is_partial


# The model is left as found, and only this thread's passes are edited


def state_of(model):
    return [
        (name, set(module.__dict__), len(module._forward_hooks), len(module._forward_pre_hooks))
        for name, module in model.named_modules()
    ]


def test_the_model_is_left_as_found_also_after_a_stop_and_an_error():
    source = captured("llama")
    model, runner = source.model, source.runner
    before = state_of(model)
    edits = runner.checked([{"layer": 1, "key": 2}])
    asked = []
    with pytest.raises(Stopped):
        runner.run(edits, lambda: bool(asked.append(1)) or len(asked) > 2)
    assert state_of(model) == before
    runner.run(edits, never)
    assert state_of(model) == before

    def fail(*_):
        raise RuntimeError("out of order")

    hook = model.model.layers[2].register_forward_hook(fail)
    with pytest.raises(RuntimeError, match="out of order"):
        runner.run(edits, never)
    hook.remove()
    assert state_of(model) == before


@pytest.mark.parametrize("name", ["bert", "gpt-j"])
def test_a_pass_of_another_thread_in_the_middle_of_a_run_is_not_edited(name):
    one, source = ARCHITECTURES[name], captured(name)
    model = source.model
    with torch.no_grad():
        plain = tensors(model(**one.inputs()))
    runner = source.runner
    edits = runner.checked([{"key": 2}])
    alone = runner.run(edits, never)
    me, others = threading.get_ident(), []
    layer = (model.encoder.layer if name == "bert" else model.transformer.h)[1]

    def run_other():
        with torch.no_grad():
            others.append(tensors(model(**one.inputs())))

    def between(*_):
        if threading.get_ident() == me and not others:
            thread = threading.Thread(target=run_other)
            thread.start()
            thread.join()

    hook = layer.register_forward_pre_hook(between)
    outcome = runner.run(edits, never)
    hook.remove()
    for key, tensor in plain.items():
        assert torch.equal(others[0][key], tensor)
        assert torch.equal(outcome.outputs.tensors[key], alone.outputs.tensors[key])
        assert key == "pooler_output" or not torch.equal(alone.outputs.tensors[key], tensor)


def train(model):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    ids = torch.tensor([[3, 4, 5]])
    model(input_ids=ids, labels=ids).loss.backward()
    optimizer.step()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (train, "its weights have changed since it was opened"),
        (lambda model: model.load_state_dict(model.state_dict()), "its weights have changed"),
        (lambda model: model.double(), r"its weights were torch.float32 and are torch.float64"),
        (lambda model: model.add_module("more", torch.nn.Linear(2, 2)), "it has other parameters"),
    ],
)
def test_a_model_that_changed_since_is_refused_with_the_remedy(change, words):
    source = captured("gpt2")
    edits = source.runner.checked([{"layer": 1}])
    source.runner.run(edits, never)
    change(source.model)
    for act in (lambda: source.runner.checked([{"layer": 0}]),
                lambda: source.runner.run(edits, never)):  # fmt: skip
        with pytest.raises(ValueError, match=f"{words}.*open it again with AttentionWidget"):
            act()
