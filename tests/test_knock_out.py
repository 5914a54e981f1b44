"""Knock-outs in a running model, against the model's own eager code with a patched softmax."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest
import torch
from architectures import ARCHITECTURES
from architectures_eager import PLACES, attention_modules, eager_copy, family_of

from attnwidget.capture.knock_out import knock_out

HIDDEN = 5000  # a masked score is so far below the largest of its row
# The number of a layer is not known from the module: one module for all layers, or two of a number.
UNNUMBERED = {("albert", "self"), ("swin", "self"), ("sam", "cross")}
SCOPES = {
    "edge": {"head": 1, "query": 4, "key": 2},
    "column": {"head": 0, "key": 3},
    "row": {"query": 4},
    "head": {"head": 1},
    "layer": {},
}


def cells_of(record, n_q, n_k, has_sink):
    """Return the cells (n_q, n_k) that a knock-out touches; a sink, the last column, stays."""
    cells = np.zeros((n_q, n_k), bool)
    query, key = record.get("query"), record.get("key")
    rows = slice(None) if query is None else slice(query, query + 1)
    columns = slice(0, n_k - has_sink) if key is None else slice(key, key + 1)
    cells[rows, columns] = True
    return cells


def changed(scores, cells, kind, keys):
    """The weights (n_q, n_k) of a head after the edit of `cells`, a bool map, in float64."""
    scores = np.array(scores, np.float64)
    seen = scores > scores.max(axis=-1, keepdims=True) - HIDDEN
    scores[~seen] = -np.inf

    def softmax(values):
        top = values.max(axis=-1, keepdims=True)
        powers = np.exp(values - np.where(np.isfinite(top), top, 0))
        total = powers.sum(axis=-1, keepdims=True)
        return np.divide(powers, total, out=np.zeros_like(powers), where=total > 0)

    weights = softmax(scores)
    if kind == "remove":
        return np.where(cells.any(axis=1)[:, None], softmax(np.where(cells, -np.inf, scores)),
                        weights)  # fmt: skip
    if kind == "zero":
        return np.where(cells, 0, weights)
    if kind == "first":
        moved = np.where(cells, weights, 0).sum(axis=1)
        weights = np.where(cells, 0, weights)
        weights[np.arange(len(weights)), seen.argmax(axis=1)] += moved
        return weights
    means = weights.sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    after = np.where(cells & seen, means, weights)
    for q in np.flatnonzero((cells | ~(seen & keys)).all(axis=1)):
        after[q, keys] *= weights[q, keys].sum() / after[q, keys].sum()
    return after


@contextmanager
def patched_softmax(model, targets, edit):
    """Pass each softmax over keys inside of the target modules through `edit`."""
    inside = []
    with ExitStack() as contexts:
        for module in targets:
            hooks = [
                module.register_forward_pre_hook(lambda m, _: inside.append(m)),
                module.register_forward_hook(lambda *_: inside.pop() and None, always_call=True),
            ]
            for hook in hooks:
                contexts.callback(hook.remove)
        for owner in (torch.nn.functional, torch):
            own = owner.softmax

            def softmax(scores, *args, _own=own, **options):
                result = _own(scores, *args, **options)
                return edit(scores, result, inside[-1]) if inside and scores.ndim >= 3 else result

            owner.softmax = softmax
            contexts.callback(setattr, owner, "softmax", own)
        yield


def by_eager(model, inputs, modules, record, has_sink):
    other = eager_copy(model)
    with torch.no_grad():  # BigBird exchanges its attention modules in the first pass
        other(**inputs)
    names = {name for _, name, _ in modules}
    targets = [module for name, module in other.named_modules() if name in names]

    def edit(scores, result, module):
        heads = heads_of(module)
        n_q, n_k = scores.shape[-2:]
        maps = scores.detach().reshape(-1, heads, n_q, n_k).numpy()
        edited = result.detach().clone().reshape(-1, heads, n_q, n_k)
        cells = cells_of(record, n_q, n_k, has_sink)
        # A sink, the last column, is no key: it stays where a whole row is knocked out.
        keys = np.arange(n_k) < n_k - has_sink
        for entry in range(len(maps)):
            for head in [record["head"]] if "head" in record else range(heads):
                weights = changed(maps[entry, head], cells, record["kind"], keys)
                edited[entry, head][cells.any(axis=1)] = torch.tensor(
                    weights[cells.any(axis=1)], dtype=edited.dtype
                )
        return edited.reshape(result.shape)

    with torch.no_grad(), patched_softmax(other, targets, edit):
        return flat(other(**inputs))


def flat(outputs):
    """The last hidden states or logits, and what else is a tensor of numbers on top."""
    names = ("logits", "last_hidden_state", "pred_masks", "text_embeds")
    found = next(outputs[name] for name in names if name in outputs)
    return found.detach().double().numpy()


CASES = [name for name in ARCHITECTURES if name not in {"longformer", "qwen2-vl-images"}]


@pytest.mark.parametrize("kind", ["remove", "zero", "mean", "first"])
@pytest.mark.parametrize("name", CASES)
def test_the_edited_model_is_the_eager_model_with_another_softmax(name, kind):
    one = ARCHITECTURES[name]
    model, has_sink = one.make(), name == "gpt-oss"
    if name == "t5":
        model = model.double()
    inputs = one.inputs()
    with torch.no_grad():
        before = flat(model(**inputs))
    for stack, layers in one.layers.items():
        numbered = (name, stack) not in UNNUMBERED
        layer = layers[-1] if numbered else None
        modules = [entry for entry in attention_modules(eager_copy(model)) if entry[0] == stack]
        pattern = PLACES[family_of(model)][stack]
        if numbered:
            modules = [m for m in modules if int(re.fullmatch(pattern, m[1])[1]) == layer]
        for scope in SCOPES.values():
            record = {**scope, "kind": kind}
            full = {"stack": stack, "layer": layer, **record}
            with torch.no_grad(), knock_out(model, [full]):
                edited = flat(model(**inputs))
            wanted = by_eager(model, inputs, modules, record, has_sink)
            np.testing.assert_allclose(edited, wanted, rtol=0, atol=1e-5, err_msg=str(full))
            with torch.no_grad():
                np.testing.assert_array_equal(flat(model(**inputs)), before)


def heads_of(module):
    names = ("num_attention_heads", "num_heads", "n_heads", "n_head")
    owners = (module, getattr(module, "config", None))
    return next(
        getattr(o, n) for o in owners for n in names if isinstance(getattr(o, n, None), int)
    )


@pytest.mark.parametrize("name", [name for name in CASES if ARCHITECTURES[name].padded])
def test_padding_at_the_left(name):
    one = ARCHITECTURES[name]
    model, inputs = one.make(), one.padded()
    stack, layers = next(iter(one.layers.items()))
    numbered = (name, stack) not in UNNUMBERED
    modules = [entry for entry in attention_modules(eager_copy(model)) if entry[0] == stack]
    if numbered:
        pattern = PLACES[family_of(model)][stack]
        modules = [m for m in modules if int(re.fullmatch(pattern, m[1])[1]) == layers[0]]
    record = {"key": 3, "kind": "remove"}
    full = {"stack": stack, "layer": layers[0] if numbered else None, **record}
    with torch.no_grad(), knock_out(model, [full]):
        edited = flat(model(**inputs))
    wanted = by_eager(model, inputs, modules, record, name == "gpt-oss")
    # Rows of padding: sdpa and eager differ by design.
    rows = slice(inputs["attention_mask"].shape[1] - int(inputs["attention_mask"].sum()), None)
    rows = rows if edited.shape[1] == inputs["attention_mask"].shape[1] else slice(None)
    np.testing.assert_allclose(edited[:, rows], wanted[:, rows], rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ["remove", "zero", "first"])
@pytest.mark.parametrize("name", ["gpt2", "llama", "mistral", "gpt-j", "gpt-neo", "t5", "bart"])
def test_a_cache_changes_nothing(name, kind):
    """Token by token with a cache, each pass gives what the whole text gives."""
    one = ARCHITECTURES[name]
    model, inputs = one.make(), one.inputs()
    edits = [
        {"layer": 0, "query": 4, "key": 2, "kind": kind},
        {"layer": 1, "key": 1, "kind": kind},
        {"layer": 1, "head": 0, "query": 3, "kind": kind},
    ]
    if "decoder_input_ids" in inputs:
        edits = [{"stack": stack, **edit} for edit in edits for stack in ("decoder", "cross")]
        edits = [edit for edit in edits if edit["layer"] in one.layers["cross"]]
    text = "decoder_input_ids" if "decoder_input_ids" in inputs else "input_ids"
    whole = inputs[text]
    with torch.no_grad(), knock_out(model, edits):
        wanted = flat(model(**inputs, use_cache=False))
        cache, steps = None, []
        for i in range(whole.shape[1]):
            step = {**inputs, text: whole[:, i : i + 1]}
            outputs = model(**step, past_key_values=cache, use_cache=True)
            cache = outputs.past_key_values
            steps.append(flat(outputs))
    np.testing.assert_allclose(np.concatenate(steps, axis=1), wanted, rtol=0, atol=1e-5)


def test_the_kind_mean_needs_the_whole_text():
    model = ARCHITECTURES["llama"].make()
    with torch.no_grad(), knock_out(model, [{"layer": 0, "kind": "mean"}]):
        cache = model(torch.tensor([[3, 4, 5]]), use_cache=True).past_key_values
        with pytest.raises(ValueError, match=r"needs all queries .* want use_cache=False"):
            model(torch.tensor([[6]]), past_key_values=cache)


def test_generate_runs_with_the_edits_and_the_model_is_left_as_found():
    model = ARCHITECTURES["llama"].make()
    ids = torch.tensor([[3, 4, 5, 6]])
    options = {"max_new_tokens": 6, "min_new_tokens": 6, "do_sample": False}
    plain = model.generate(ids, **options)
    state = dict(model.__dict__), model.config.to_dict(), len(model._forward_hooks)
    with knock_out(model, [{"key": 2}]):
        edited = model.generate(ids, **options)
        # Each step by hand, without a cache.
        steps = ids
        for _ in range(6):
            with torch.no_grad():
                logits = model(steps, use_cache=False).logits[:, -1]
            steps = torch.cat([steps, logits.argmax(-1, keepdim=True)], dim=1)
    assert edited.tolist() == steps.tolist()
    assert model.generate(ids, **options).tolist() == plain.tolist()
    assert (model.config.to_dict(), len(model._forward_hooks)) == state[1:]
    assert not any(m._forward_pre_hooks or m._forward_hooks for m in model.modules())


@pytest.mark.parametrize("name", ["bert", "gpt2", "llama", "gpt-j", "gpt-oss"])
def test_no_edit_is_bit_identical_and_later_positions_stay_alone(name):
    one = ARCHITECTURES[name]
    model, inputs = one.make(), one.inputs()
    with torch.no_grad():
        before = flat(model(**inputs))
        with knock_out(model, []):
            np.testing.assert_array_equal(flat(model(**inputs)), before)
        if name != "bert":
            # The experts of GPT-OSS multiply other tokens together, which rounds otherwise.
            rounding = 1e-6 if name == "gpt-oss" else 0
            with knock_out(model, [{"query": 4}]):
                after = flat(model(**inputs))
            np.testing.assert_allclose(after[:, :4], before[:, :4], rtol=0, atol=rounding)
            assert np.abs(after[:, 4:] - before[:, 4:]).max() > 1e-3


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_gradients_flow_through_the_edited_model(implementation):
    model = ARCHITECTURES["bert"].make()
    model.set_attn_implementation(implementation)
    inputs = ARCHITECTURES["bert"].inputs()
    weight = model.encoder.layer[0].attention.self.value.weight
    heads = model.config.num_attention_heads
    with knock_out(model, [{"layer": 0, "head": 1, "kind": "zero"}]):
        model(**inputs).last_hidden_state.square().sum().backward()
    size = weight.shape[0] // heads
    gradient = weight.grad.view(heads, size, -1).abs().amax(dim=(1, 2))
    # A head without weights sends its values nowhere.
    assert gradient[1] == 0
    assert gradient[0] > 0


def test_other_threads_run_the_edited_model():
    model, inputs = ARCHITECTURES["bert"].make(), ARCHITECTURES["bert"].inputs()
    found = []

    def run():
        with torch.no_grad():
            found.append(flat(model(**inputs)))

    with knock_out(model, [{"key": 0}]):
        run()
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    run()
    np.testing.assert_array_equal(found[0], found[1])
    assert np.abs(found[0] - found[2]).max() > 1e-3


def test_a_pass_of_another_thread_in_the_middle_of_a_pass_changes_nothing():
    model = ARCHITECTURES["llama"].make()
    ids = torch.tensor([[3, 4, 5, 6, 7]])
    projection = model.model.layers[0].self_attn.q_proj

    def last(between):
        """Run the last token with a cache, and `between` after the attention module has begun."""
        with torch.no_grad():
            cache = model(ids[:, :4], use_cache=True).past_key_values
            hook = projection.register_forward_pre_hook(lambda *_: between())
            try:
                return model(ids[:, 4:], past_key_values=cache).logits.numpy()
            finally:
                hook.remove()

    me = threading.get_ident()

    def other_pass():
        def run():
            with torch.no_grad():
                model(ids[:, :3], use_cache=False)

        if threading.get_ident() == me:
            thread = threading.Thread(target=run)
            thread.start()
            thread.join()

    plain = last(lambda: None)
    with knock_out(model, [{"layer": 0, "query": 4, "key": 2}]):
        alone = last(lambda: None)
        np.testing.assert_array_equal(last(other_pass), alone)
    assert np.abs(alone - plain).max() > 1e-4


BAD = [
    ([{"layer": 9}], ValueError, r"knockouts\[0\].layer: got 9, want one of 0, 1"),
    ([{"head": 40}], ValueError, r"knockouts\[0\].head: got 40, want 0..\d+"),
    ([{"stack": "cross"}], ValueError, r"stack: got 'cross', want one of self"),
    ([{"kind": "noise"}], ValueError, r"kind: got 'noise', want one of remove, zero, mean, first"),
    ([{"query": -1}], ValueError, r"knockouts\[0\].query: got -1"),
    ([{"query": 1.5}], TypeError, r"knockouts\[0\].query: got 1.5"),
    ([{"heads": 1}], ValueError, r"got 'heads', want some of stack, layer, head"),
    ({"layer": 1}, TypeError, "want a list of records"),
    ([7], TypeError, r"knockouts\[0\]: got int, want a KnockOut or a dictionary"),
]


@pytest.mark.parametrize(("value", "error", "words"), BAD)
def test_what_is_not_there_is_refused_before_the_model_runs(value, error, words):
    model = ARCHITECTURES["bert"].make()
    with pytest.raises(error, match=words), knock_out(model, value):
        raise AssertionError("the context began")
    assert not any(m._forward_pre_hooks for m in model.modules())


@pytest.mark.parametrize(
    ("name", "edit", "words"),
    [
        ("albert", {"layer": 1}, "do not say which layer they are; want layer=None"),
        ("longformer", {"layer": 1}, "computes a band of the map"),
    ],
)
def test_attention_that_cannot_be_edited_is_refused(name, edit, words):
    model = ARCHITECTURES[name].make()
    with pytest.raises(ValueError, match=words), knock_out(model, [edit]):
        raise AssertionError("the context began")


def test_knock_out_needs_no_jupyter():
    code = (
        "import sys; from attnwidget import KnockOut, knock_out; "
        "assert not {'ipywidgets', 'anywidget', 'traitlets', 'IPython'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
