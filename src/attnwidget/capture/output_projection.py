"""Find the output projection W_O of an attention module among the parts of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from transformers import PreTrainedModel

_INSIDE = ("o_proj", "out_proj", "out_lin", "c_proj", "dense", "Wo", "o")
# Names of parts between the heads' output and W_O: a gate (Laguna's g_proj), a norm.
_BETWEEN = ("sub_norm", "o_norm", "gate", "g_proj")


def output_projection(
    model: PreTrainedModel, module: str, n_heads: int, d_k: int | None, d_v: int
) -> NDArray | None:
    """Return W_O by heads, (h, d_v, d_model) float32, of the attention `module`; None if unknown.

    The rows of W_O are divided among the heads in order, because the heads' outputs are joined in
    this order (Vaswani et al. 2017, section 3.2.2). The result is None for a layer of another size,
    quantised weights, weights that cannot be read as numbers, or a gate between the heads and W_O.
    """
    attention = model.get_submodule(module)
    if any(word in name for name, _ in attention.named_children() for word in _BETWEEN):
        return None
    queries = getattr(attention, "q_proj", None)
    if d_k is not None and getattr(queries, "out_features", n_heads * d_k) != n_heads * d_k:
        return None  # q_proj also computes a gate
    for layer in _candidates(model, attention, module):
        try:
            W_o = _by_heads(layer, n_heads, d_v)
        except Exception:
            # A weight may not behave as a tensor (torchao's has no transpose), and each such class
            # raises other errors.
            return None
        if W_o is not None:
            return W_o
    return None


def _by_heads(layer: Any, n_heads: int, d_v: int) -> NDArray | None:
    weight = _by_input(layer)
    if weight is None or weight.shape[0] != n_heads * d_v:
        return None
    by_heads: NDArray = weight.detach().to("cpu").float().reshape(n_heads, d_v, -1).numpy()
    return by_heads


def _candidates(model: PreTrainedModel, attention: Any, module: str) -> list[Any]:
    layers = [getattr(attention, name, None) for name in _INSIDE]
    # BERT and related models have W_O beside attention.self, as attention.output.dense.
    parent = model.get_submodule(module.rpartition(".")[0])
    layers.append(getattr(getattr(parent, "output", None), "dense", None))
    return [layer for layer in layers if layer is not None]


def _by_input(layer: Any) -> torch.Tensor | None:
    """Return the weight of a linear layer as (in, out), None if the layer is not a plain one."""
    import torch

    if isinstance(layer, torch.nn.Parameter):  # XLNet: (d_model, h, d)
        weight = layer.flatten(1).T
    elif type(layer).__name__ == "Conv1D":  # GPT-2 stores the weight as (in, out)
        weight = layer.weight
    elif isinstance(layer, torch.nn.Linear) and _is_plain(layer):
        weight = layer.weight.T
    else:
        return None
    return None if weight.is_meta or not weight.is_floating_point() else weight


def _is_plain(layer: Any) -> bool:
    """Return whether a subclass of Linear computes only the linear map (LoRA's adds to it)."""
    import torch

    kind = type(layer)
    # Falcon's class computes the same map with another order of rounding.
    return kind.forward is torch.nn.Linear.forward or kind.__module__.startswith(
        "transformers.models."
    )
