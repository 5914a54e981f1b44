"""The weights that a model's own code computes under eager attention, for every attention module.

This file uses nothing of attnwidget. A copy of the model with the same parameters is built with
eager attention. The weights come from two places. The function `eager_attention_forward` of a
modelling file returns them; this file wraps that function for the time of the pass. A module that
does not call that function, because it computes attention in its own code, returns the weights
where `output_attentions=True` is asked for; a forward hook keeps them.
"""

from __future__ import annotations

import copy
import inspect
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from transformers import PreTrainedModel

# (qualified name of the attention module, number of the call of that module, from 0)
Key = tuple[str, int]
# Each tensor is (batch, heads, n_q, n_k), float32.
Weights = dict[Key, torch.Tensor]

SEED = 1  # Informer chooses keys by chance, so each pass starts from the same state.
_EAGER = "eager_attention_forward"


def eager_copy(model: PreTrainedModel) -> PreTrainedModel:
    """Return a model with the same parameters that was built with eager attention."""
    config = copy.deepcopy(model.config)
    other = type(model)._from_config(config, attn_implementation="eager", dtype=model.dtype)
    other.load_state_dict(model.state_dict())
    return other.eval()


def eager_weights(model: PreTrainedModel, inputs: Mapping[str, Any]) -> Weights:
    """Return the weights of every attention module of `model` in one forward pass on `inputs`.

    A module that calls `eager_attention_forward` has the weights that this function returned. Any
    other module has the 4-dimensional tensors among the module's outputs whose last axis sums to 1.
    """
    other = eager_copy(model)
    by_function: dict[str, list[torch.Tensor]] = {}
    by_module: dict[str, list[torch.Tensor]] = {}
    seen: list[torch.Tensor] = []  # The references keep the tensors alive, so that `is` is safe.
    names: dict[int, str] = {}

    def name_of(module: torch.nn.Module) -> str:
        if id(module) not in names:  # BigBird makes new modules in the first pass.
            names.update({id(part): name for name, part in other.named_modules()})
        return names[id(module)]

    def keep_call(module: torch.nn.Module, weights: torch.Tensor) -> None:
        seen.append(weights)
        by_function.setdefault(name_of(module), []).append(weights.detach().float())

    def keep_output(module: torch.nn.Module, _: Any, output: Any) -> None:
        # Inner modules return first, so the innermost module has the tensor.
        for value in _parts(output):
            known = any(value is tensor for tensor in seen)
            if torch.is_tensor(value) and not known and _are_weights(value):
                seen.append(value)
                by_module.setdefault(name_of(module), []).append(value.detach().float())

    with ExitStack() as stack:
        for namespace in _modelling_files(other):
            stack.enter_context(_listening(namespace, keep_call))
        for module in list(other.modules()):
            # I-BERT has a class of its own for softmax inside its attention module.
            if "attention" in type(module).__name__.lower():
                handle = module.register_forward_hook(keep_output)
                stack.callback(handle.remove)
        torch.manual_seed(SEED)
        with torch.no_grad():
            other(**inputs, **_settings(other))
    return {
        (name, number): weights
        for name, calls in {**by_module, **by_function}.items()
        for number, weights in enumerate(calls)
    }


def outputs_of_modules(model: PreTrainedModel, inputs: Mapping[str, Any], kind: str) -> Any:
    """Return what every module of the class named `kind` returned, by Key, in one forward pass.

    For an oracle of a model that returns scores, bands or the like.
    """
    found: dict[Key, Any] = {}
    with ExitStack() as stack:
        for name, module in model.named_modules():
            if type(module).__name__ == kind:

                def keep(_: Any, __: Any, output: Any, name: str = name) -> None:
                    found[name, sum(key[0] == name for key in found)] = output

                stack.callback(module.register_forward_hook(keep).remove)
        torch.manual_seed(SEED)
        with torch.no_grad():
            model(**inputs, **_settings(model))
    assert found, f"the model has no module {kind}"
    return found


def of_row(weights: torch.Tensor, row: int, batch: int = 2) -> torch.Tensor:
    """Return the weights (heads, n_q, n_k) of one row of the batch.

    Where the first axis holds several windows for each row of the batch (Swin), the row's first
    window is returned.
    """
    return weights[row * (len(weights) // batch)]


def _settings(model: PreTrainedModel) -> dict[str, Any]:
    accepted = inspect.signature(model.forward).parameters
    settings: dict[str, Any] = {"output_attentions": True}
    if not {"output_attentions", "kwargs"} & accepted.keys():
        settings = {}
        model.config.output_attentions = True
    return settings | ({"use_cache": False} if "use_cache" in accepted else {})


def _parts(output: Any) -> list[Any]:
    if isinstance(output, tuple | list):  # I-BERT nests its tuples.
        return [part for value in output for part in _parts(value)]
    return [output]


def _are_weights(value: torch.Tensor) -> bool:
    if value.ndim != 4 or not value.is_floating_point() or not value.numel():
        return False
    sums = value.detach().double().sum(-1)
    return bool((value >= 0).all()) and bool((sums - 1).abs().max() < 1e-4)


def _modelling_files(model: PreTrainedModel) -> list[Any]:
    """Return every Python module that defines a class of a part of `model` and the function."""
    files = {base.__module__ for part in model.modules() for base in type(part).__mro__}
    return [sys.modules[file] for file in sorted(files) if hasattr(sys.modules.get(file), _EAGER)]


@contextmanager
def _listening(namespace: Any, keep: Any) -> Iterator[None]:
    original = getattr(namespace, _EAGER)

    def wrapped(module: torch.nn.Module, *args: Any, **settings: Any) -> Any:
        output, weights = original(module, *args, **settings)
        keep(module, weights)
        return output, weights

    setattr(namespace, _EAGER, wrapped)
    try:
        yield
    finally:
        setattr(namespace, _EAGER, original)
