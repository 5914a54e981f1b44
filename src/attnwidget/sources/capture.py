"""One forward pass of a transformers model that keeps what each attention call was given.

The model runs its own scaled dot-product attention (transformers' ``sdpa``), so its output is
what it always is under sdpa; a function of ours, registered for the time of the pass, keeps the
queries, keys and values on their way in. The mask function has to be registered beside it:
transformers hands an implementation without one no mask at all.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

from attnwidget.sources.supported import SUPPORTED, check_kwargs

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from transformers import PreTrainedConfig, PreTrainedModel

__all__ = ["Call", "hidden", "layer_numbers", "run"]

# An additive mask hides where it is this low; real ones use the lowest float or -inf.
_HIDES = -1e4


@dataclass(frozen=True, eq=False)
class Call:
    """One attention call, as the model made it.

    `module` is the qualified module name, `layer_idx` the number that the module carries, if
    any. Shapes: `q` (1, h, n, d_k), `k` (1, h_kv, n, d_k), `v` (1, h_kv, n, d_v), after
    rotation. `mask` is what sdpa was given, broadcastable to (1, h, n, n): bool, True = seen,
    or additive; `causal` says that sdpa masked the future by itself.
    """

    module: str
    layer_idx: int | None
    q: torch.Tensor
    k: torch.Tensor
    v: torch.Tensor
    scale: float
    mask: torch.Tensor | None
    causal: bool


def run(model: PreTrainedModel, inputs: Mapping[str, torch.Tensor]) -> list[Call]:
    """Run `model` once on `inputs` in evaluation and inference mode; return its attention calls.

    `inputs` has ``input_ids`` (1, n). The calls come in the order in which they were made.
    Whatever happens, the model is left as it was found: attention implementation, training
    mode of every module, transformers' registries. Raises ValueError where the pass shows that
    the model's attention is not of the supported kind.
    """
    import torch

    embedding: Any = model.get_input_embeddings()
    device = embedding.weight.device
    feed: dict[str, Any] = {name: value.to(device) for name, value in inputs.items()}
    accepted = inspect.signature(model.forward).parameters
    if "use_cache" in accepted:
        feed["use_cache"] = False
    calls: list[Call] = []
    record = _recorder(model, feed["input_ids"].shape[1], calls)
    with _borrowed(model, record), torch.inference_mode():
        model(**feed)
    if not calls:
        raise ValueError(
            f"model: {type(model).__name__} made no call to transformers' AttentionInterface. "
            f"{SUPPORTED}"
        )
    # One module may serve every layer (ALBERT); that is not one map made of several (DiffLlama).
    layers = getattr(model.config, "num_hidden_layers", None)
    if _shared(calls) and len(calls) != layers:
        raise ValueError(
            f"model: {type(model).__name__} calls attention {len(calls)} times in {layers} "
            f"layers. {SUPPORTED}"
        )
    return calls


def layer_numbers(calls: Sequence[Call]) -> list[int]:
    """Return the model's own layer number of each call.

    That is the `layer_idx` of the module, else the first number in its name. Where a module
    serves several layers (ALBERT), or neither tells the layers apart, it is the call's place in
    the order of calls.
    """
    by_name = [next((int(p) for p in c.module.split(".") if p.isdecimal()), None) for c in calls]
    for numbers in ([call.layer_idx for call in calls], by_name):
        known = [number for number in numbers if number is not None]
        if not _shared(calls) and len(set(known)) == len(calls):
            return known
    return list(range(len(calls)))


def _shared(calls: Sequence[Call]) -> bool:
    return len({call.module for call in calls}) < len(calls)


def hidden(model: str, calls: Sequence[Call]) -> list[NDArray[np.bool_] | None]:
    """Return what each call masks, True = masked, or None where it masks nothing.

    Shape (n, n), or (h, n, n) where the heads differ; read-only. Calls that were given the same
    mask share one array. Raises ValueError that names the `model` where a mask is a bias
    that does more than hide.
    """
    made: dict[int | bool, NDArray[np.bool_] | None] = {}
    for call in calls:
        key = call.causal if call.mask is None else id(call.mask)
        if key not in made:
            made[key] = _hidden(model, call)
    return [made[call.causal if call.mask is None else id(call.mask)] for call in calls]


def _hidden(model: str, call: Call) -> NDArray[np.bool_] | None:
    n = call.q.shape[2]
    if call.mask is None:
        return _frozen(~np.tri(n, dtype=bool)) if call.causal else None
    low = call.mask <= _HIDES if call.mask.is_floating_point() else ~call.mask.bool()
    if call.mask.is_floating_point() and bool((call.mask[~low] != 0).any()):
        raise ValueError(
            f"model: {model} adds a bias to its attention scores in {call.module}. {SUPPORTED}"
        )
    heads = low[0].expand(-1, n, n).cpu().numpy()
    return _frozen(np.array(heads[0] if len(heads) == 1 else heads)) if heads.any() else None


def _frozen(array: NDArray[np.bool_]) -> NDArray[np.bool_]:
    array.setflags(write=False)
    return array


def _recorder(model: PreTrainedModel, n: int, calls: list[Call]) -> Callable[..., Any]:
    """Return an attention function that appends to `calls` and lets sdpa do the work."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    names = {module: name for name, module in model.named_modules()}

    def record(
        module: torch.nn.Module,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: torch.Tensor | None,
        scaling: float | None = None,
        is_causal: bool | None = None,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, None]:
        name = names.get(module, type(module).__name__)
        check_kwargs(model, name, kwargs)
        if query.shape[0] != 1 or query.shape[2] != n or key.shape[2] != n:
            raise ValueError(
                f"model: {type(model).__name__} attends in {name} from {query.shape[2]} queries to "
                f"{key.shape[2]} keys (batch {query.shape[0]}), want {n} to {n}. {SUPPORTED}"
            )
        # The same rule as in transformers' sdpa: the module speaks where the call does not.
        causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
        number = getattr(module, "layer_idx", None)
        calls.append(
            Call(
                module=name,
                layer_idx=number if isinstance(number, int) else None,
                q=query.detach(),
                k=key.detach(),
                v=value.detach(),
                scale=query.shape[-1] ** -0.5 if scaling is None else float(scaling),
                mask=attention_mask,
                causal=bool(causal) and attention_mask is None and n > 1,
            )
        )
        return sdpa_attention_forward(
            module,
            query,
            key,
            value,
            attention_mask,
            scaling=scaling,
            is_causal=is_causal,
            **kwargs,
        )

    return record


@contextmanager
def _borrowed(model: PreTrainedModel, attention: Callable[..., Any]) -> Iterator[None]:
    """Let `attention` serve the model's attention calls, in evaluation mode, then undo it all."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    # A name of its own: a second capture, in another thread, is not disturbed.
    name = f"attnwidget_{uuid4().hex}"
    configs = [(config, config._attn_implementation_internal) for config in _configs(model)]
    training = [module for module in model.modules() if module.training]
    try:
        AttentionInterface.register(name, attention)
        AttentionMaskInterface.register(name, sdpa_mask)
        # Set by hand, not by set_attn_implementation and eval(): what they set besides, and
        # what a subclass makes of them, could not be put back.
        for config, _ in configs:
            config._attn_implementation_internal = name
        for module in training:
            module.training = False
        yield
    finally:
        for config, implementation in configs:
            config._attn_implementation_internal = implementation
        for module in training:
            module.training = True
        # register() has no counterpart.
        AttentionInterface._global_mapping.pop(name, None)
        AttentionMaskInterface._global_mapping.pop(name, None)


def _configs(model: PreTrainedModel) -> list[PreTrainedConfig]:
    """Every configuration that a module of `model` may read, each once."""
    from transformers import PreTrainedConfig

    found: dict[int, PreTrainedConfig] = {}
    waiting = [getattr(module, "config", None) for module in model.modules()]
    while waiting:
        config = waiting.pop()
        if isinstance(config, PreTrainedConfig) and id(config) not in found:
            found[id(config)] = config
            waiting.extend(getattr(config, key, None) for key in config.sub_configs)
    return list(found.values())
