"""A pass that starts at a layer gives exactly what the whole pass gives."""

from __future__ import annotations

import threading

import pytest
import torch
from architectures import ARCHITECTURES

from attnwidget.capture.knock_out import knock_out, resolved
from attnwidget.capture.layer_cache import keeping_layers
from attnwidget.capture.supported import forward_parameters
from attnwidget.sources.knockouts import check_knockouts

# The stack and the layer that is edited, and how many layers a restart at this layer skips.
CASES = [
    ("bert", "self", 2, 2),
    ("gpt2", "self", 1, 1),
    ("llama", "self", 2, 2),
    ("jamba", "self", 3, 3),
    ("t5", "decoder", 2, 4),
    ("t5", "encoder", 1, 1),
    ("bart", "cross", 0, 2),
    ("clip", "self", 1, 3),
    ("vit", "self", 1, 1),
    ("gpt-j", "self", 2, 2),
    ("bloom", "self", 1, 1),
    ("xlnet", "self", 2, 2),
    ("albert", "self", None, 0),
]


def made(name):
    one = ARCHITECTURES[name]
    model, inputs = one.make(), one.inputs()
    if "use_cache" in forward_parameters(model):
        inputs = {**inputs, "use_cache": False}
    return model, inputs


def tensors(outputs):
    return {k: v for k, v in outputs.items() if isinstance(v, torch.Tensor)}


@pytest.mark.parametrize(("name", "stack", "layer", "skipped"), CASES)
def test_a_restart_equals_the_whole_pass(name, stack, layer, skipped):
    model, inputs = made(name)
    edit = [{"stack": stack, "layer": layer, "key": 1}]
    modules = [place.module for place in resolved(model, check_knockouts(edit))]
    with torch.no_grad():
        with keeping_layers(model) as cache:
            model(**inputs)
        with knock_out(model, edit):
            wanted = tensors(model(**inputs))
            for _ in range(2):  # the first restart must not change what is kept
                with cache.restarting(modules):
                    result = tensors(model(**inputs))
                assert wanted.keys() == result.keys()
                for key, tensor in wanted.items():
                    assert torch.equal(tensor, result[key]), key
    assert len(cache.below(modules)) == skipped
    assert cache.nbytes > 0 or not skipped


def test_copies_of_two_texts():
    model, inputs = made("llama")
    ids = torch.cat([inputs["input_ids"], inputs["input_ids"].flip(1)])
    module = model.model.layers[2].self_attn
    with torch.no_grad():
        with keeping_layers(model, batch=2) as cache:
            plain = model(ids, use_cache=False).logits
        with cache.restarting([module], copies=3):
            logits = model(ids.repeat(3, 1), use_cache=False).logits
    torch.testing.assert_close(logits, plain.repeat(3, 1, 1), rtol=0, atol=1e-6)


def test_layers_below_do_not_run_and_other_threads_run_them():
    model, inputs = made("gpt2")
    module, first, calls = model.transformer.h[2].attn, model.transformer.h[0].ln_1, []
    with torch.no_grad(), keeping_layers(model) as cache:
        plain = model(**inputs).logits
    first.register_forward_hook(lambda *_: calls.append(threading.get_ident()))
    other = []

    def run():
        with torch.no_grad():
            other.append(model(**inputs).logits)

    with torch.no_grad(), cache.restarting([module]):
        model(**inputs)
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    assert len(calls) == 1
    assert calls != [threading.get_ident()]
    assert torch.equal(other[0], plain)
    assert not any("forward" in layer.__dict__ for layer in model.modules())


def test_a_layer_that_changes_its_input_in_place():
    model, inputs = made("gpt2")
    layer = model.transformer.h[1]

    def double(_layer, args):
        args[0].mul_(2)

    layer.register_forward_pre_hook(double)
    with torch.no_grad():
        with keeping_layers(model) as cache:
            plain = model(**inputs).logits
        for _ in range(2):
            with cache.restarting([layer.attn]):
                assert torch.equal(model(**inputs).logits, plain)


def test_past_the_bytes_nothing_is_kept_and_the_pass_runs_whole():
    model, inputs = made("bert")
    module = model.encoder.layer[2].attention.self
    with torch.no_grad():
        with keeping_layers(model, max_bytes=1) as cache:
            plain = model(**inputs).last_hidden_state
        assert cache.is_full
        assert cache.nbytes == 0
        assert cache.below([module]) == []
        with cache.restarting([module]):
            assert torch.equal(model(**inputs).last_hidden_state, plain)


def test_a_pass_that_fails_leaves_the_model_as_found():
    model, inputs = made("bert")
    module = model.encoder.layer[2].attention.self
    with torch.no_grad(), keeping_layers(model) as cache:
        model(**inputs)
    with pytest.raises(KeyboardInterrupt), cache.restarting([module]):
        raise KeyboardInterrupt
    assert not any(
        "forward" in m.__dict__ or m._forward_hooks or m._forward_pre_hooks for m in model.modules()
    )
