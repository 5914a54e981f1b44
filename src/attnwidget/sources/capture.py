"""One forward pass of a transformers model that keeps what each attention call was given.

Where the model calls transformers' AttentionInterface, a function of ours, registered for the
time of the pass, keeps the queries, keys and values on their way into scaled dot-product
attention. What sdpa can't do, softcaps and sinks, the modelling file's own eager function does.
Attention outside the interface is watched from inside its modules.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from attnwidget.sources.borrow import borrowed
from attnwidget.sources.calls import Call, one_a_layer
from attnwidget.sources.progress import progress
from attnwidget.sources.supported import check_kwargs, computes_itself, refused, uses_interface
from attnwidget.sources.watch import watched

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


def run(
    model: PreTrainedModel, inputs: Mapping[str, torch.Tensor], batch_index: int = 0
) -> list[Call]:
    """Run `model` once on `inputs` in evaluation and inference mode; return its attention calls.

    The calls come in the order in which they were made, each for the text `batch_index` of the
    batch. Whatever happens, the model is left as it was found; a pass that takes seconds shows how
    far it is, and may be interrupted. Raises ValueError where the pass shows that the model's
    attention is of no known kind.
    """
    calls: list[Call] = []
    feed = placed(model, inputs)
    if "use_cache" in inspect.signature(model.forward).parameters:
        feed["use_cache"] = False
    with progress(model) as step:

        def keep(call: Call) -> None:
            calls.append(call)
            step()

        with recording(model, inputs, batch_index, keep):
            model(**feed)
    calls = one_a_layer(calls)
    check_calls(model, calls)
    return calls


def placed(model: PreTrainedModel, inputs: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """Return `inputs` on the device of the model's first weights."""
    import torch

    device = next((p.device for p in model.parameters() if not p.is_meta), torch.device("cpu"))
    return {k: v.to(device) if hasattr(v, "to") else v for k, v in inputs.items()}


def _batch_of(inputs: Mapping[str, torch.Tensor]) -> int:
    return next(int(value.shape[0]) for value in inputs.values() if hasattr(value, "shape"))


def _cropped(
    inputs: Mapping[str, torch.Tensor], keep: Callable[[Call], None]
) -> Callable[[Call], None]:
    """Return `keep` without the places that Longformer adds behind a text."""
    ids = inputs.get("input_ids")
    if ids is None:
        return keep
    n = ids.shape[1]

    def crop(call: Call) -> None:
        if call.scores is not None and call.q is None:
            call = replace(call, scores=call.scores[:, :n, :n])
        keep(call)

    return crop


def _global_tokens(inputs: Mapping[str, torch.Tensor], row: int) -> list[int]:
    """Return the tokens of Longformer's global attention."""
    given = inputs.get("global_attention_mask")
    return [] if given is None else [int(i) for i in given[row].nonzero()]


def check_calls(model: PreTrainedModel, calls: list[Call]) -> None:
    """Raise ValueError for a pass without attention, or several maps of one layer."""
    if not calls:
        raise refused(model, "made no attention call that could be seen")
    # One module may serve every layer (ALBERT); that is not one map made of several (DiffLlama).
    modules = {call.module for call in calls}
    layers = getattr(model.config, "num_hidden_layers", None)
    if len(modules) < len(calls) and not (len(modules) == 1 and len(calls) == layers):
        raise refused(model, f"calls attention {len(calls)} times in {len(modules)} modules")


@contextmanager
def recording(
    model: PreTrainedModel,
    inputs: Mapping[str, torch.Tensor],
    batch_index: int,
    keep: Callable[[Call], None],
) -> Iterator[None]:
    """Hand `keep` every attention call that `model` makes, and leave the model as it was found."""
    import torch

    batch = _batch_of(inputs)

    def row(rows: int) -> int:
        # Windows of an image stand in the first axis too (Swin): its first one.
        return batch_index * (rows // batch) if rows >= batch else 0

    names = {module: name for name, module in model.named_modules()}
    marks = _global_tokens(inputs, batch_index)
    kinds = {type(module) for module in names}
    alone, interface = any(map(computes_itself, kinds)), any(map(uses_interface, kinds))
    with ExitStack() as held:
        record = _recorder(model, names, row, keep) if interface else None
        held.enter_context(borrowed(model, record))
        if alone:
            held.enter_context(watched(model, row, _cropped(inputs, keep), marks))
        held.enter_context(torch.inference_mode())
        yield


def _recorder(
    model: PreTrainedModel,
    names: Mapping[Any, str],
    row: Callable[[int], int],
    keep: Callable[[Call], None],
) -> Callable[..., Any]:
    """Return an attention function that records, and lets sdpa or eager do the work."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    def record(
        module: torch.nn.Module,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: torch.Tensor | None,
        scaling: float | None = None,
        is_causal: bool | None = None,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, Any]:
        name = names.get(module, type(module).__name__)
        check_kwargs(model, name, kwargs)
        at, queries = row(query.shape[0]), query.shape[2]
        # The same rule as in transformers' sdpa: the module speaks where the call does not.
        causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
        number = getattr(module, "layer_idx", None)
        softcap, sink = kwargs.get("softcap"), kwargs.get("s_aux")
        bias = kwargs.get("position_bias")
        call = Call(
            module=name,
            layer_idx=number if isinstance(number, int) else None,
            q=query[at].detach(),
            k=key[at].detach(),
            v=value[at].detach(),
            scale=query.shape[-1] ** -0.5 if scaling is None else float(scaling),
            mask=_of_row(attention_mask, at),
            causal=bool(causal) and attention_mask is None and queries > 1,
            position_bias=_of_row(bias, at),
            softcap=None if softcap is None else float(softcap),
            sink=None if sink is None else sink.detach().float(),
            rows=query.shape[0],
        )
        keep(call)
        kwargs["scaling"] = scaling
        if softcap is None and sink is None:
            kwargs["is_causal"] = is_causal
            return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
        # sdpa knows neither; the modelling file's own function adds a mask of floats.
        mask = _additive(attention_mask, call.causal, query, key)
        return _eager(module)(module, query, key, value, mask, **kwargs)

    return record


def _of_row(mask: torch.Tensor | None, at: int) -> torch.Tensor | None:
    if mask is None:
        return None
    return mask[at if mask.shape[0] > 1 else 0].detach() if mask.ndim == 4 else mask.detach()


def _additive(
    mask: torch.Tensor | None, causal: bool, query: torch.Tensor, key: torch.Tensor
) -> torch.Tensor | None:
    import torch

    if mask is None and causal:
        size = query.shape[2], key.shape[2]
        mask = torch.ones(size, dtype=torch.bool, device=query.device).tril()[None, None]
    if mask is None or mask.is_floating_point():
        return mask
    least = torch.finfo(query.dtype).min
    return torch.zeros_like(mask, dtype=query.dtype).masked_fill(~mask.bool(), least)


def _eager(module: torch.nn.Module) -> Callable[..., Any]:
    """Return the eager attention function of the file that defines the class of `module`."""
    for base in type(module).__mro__:
        found = getattr(sys.modules.get(base.__module__), "eager_attention_forward", None)
        if found is not None:
            return found
    raise ValueError(f"model: no eager attention is known for {type(module).__name__}")
