"""Run a model's weights in the old model classes of BertViz's neuron view, and check the result.

BertViz vendors pytorch-transformers 1.1 (bertviz.transformers_neuron_view), changed to return
queries and keys with each layer's attention.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.bertviz.page import missing

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch
    from numpy.typing import NDArray
    from transformers import PreTrainedModel

SUPPORTED = "BERT, RoBERTa and GPT-2"
# Allowed differences of attention. Half precision rounds inside the model, so it gets more.
TOLERANCES = {"float16": 5e-3, "bfloat16": 5e-2}
TOLERANCE = 5e-5

_WORDS = {"gpt2": "wte.weight"}
_PLACES = {"gpt2": "wpe.weight"}
_INSTEAD = 'view="neuron" shows the neurons of every captured model'


@dataclass(frozen=True, eq=False)
class Neurons:
    """The `weights` (h, n, n), `queries` and `keys` (h, n, d_k) of a layer."""

    weights: NDArray[np.float32]
    queries: NDArray[np.float32]
    keys: NDArray[np.float32]


def check_model(model: Any) -> str:
    """Return BertViz's name of the model's architecture: "bert", "roberta" or "gpt2".

    Raises
    ------
    TypeError
        If `model` is not a transformers model.
    ValueError
        If `model` has another architecture, or has no weights because it is on the meta device.
    """
    try:
        from transformers import PreTrainedModel
    except ImportError as error:
        raise missing(error) from error
    if not isinstance(model, PreTrainedModel):
        kind = f"{type(model).__module__}.{type(model).__qualname__}"
        raise TypeError(f"model: got {kind}, want a transformers PreTrainedModel")
    kind = str(model.config.model_type)
    if kind not in {"bert", "roberta", "gpt2"}:
        raise ValueError(
            f"model: got {type(model).__name__} ({kind}); BertViz's neuron view has classes for "
            f"{SUPPORTED} only; {_INSTEAD}"
        )
    if any(parameter.is_meta for parameter in model.parameters()):
        raise ValueError(
            f"model: {type(model).__name__} has parameters on the meta device, which hold no "
            "weights; want it loaded onto a real device"
        )
    return kind


def neurons(model: PreTrainedModel, inputs: Mapping[str, torch.Tensor]) -> list[Neurons]:
    """Return the neurons that BertViz's class computes for `inputs` with the weights of `model`.

    `inputs` are ``input_ids`` (1, n) and optionally ``token_type_ids``. The attention is compared
    with transformers' eager attention. `model` is neither run nor changed, because both passes use
    copies that share its weights.

    Raises
    ------
    ValueError
        If the model has no such ids or positions, or if BertViz's class cannot take the weights or
        gives other attention than the model.
    """
    import torch

    kind, base = check_model(model), model.base_model
    state = base.state_dict()
    _check_ids(kind, model, state, inputs["input_ids"])
    with torch.inference_mode():
        try:
            old = _vendored(kind, base.config, state, inputs["input_ids"].shape[1])
            ids, types = (
                None if (tensor := inputs.get(name)) is None else tensor.cpu()
                for name in ("input_ids", "token_type_ids")
            )
            outputs = _forward(old)(old, ids, token_type_ids=types)[-1]
        except (RuntimeError, KeyError, AttributeError, TypeError) as error:
            raise ValueError(
                f"model: the weights of this {type(model).__name__} don't fit BertViz's {kind} "
                f"class ({str(error).splitlines()[0]}); {_INSTEAD}"
            ) from error
        wanted = _eager(base, inputs)
    layers = [
        Neurons(*(layer[name][0].float().numpy() for name in ("attn", "queries", "keys")))
        for layer in outputs
    ]
    _check_same(model, layers, wanted)
    return layers


def _check_ids(
    kind: str, model: PreTrainedModel, state: Mapping[str, torch.Tensor], ids: torch.Tensor
) -> None:
    known = len(state[_WORDS.get(kind, "embeddings.word_embeddings.weight")])
    if not 0 <= int(ids.min()) <= int(ids.max()) < known:
        raise ValueError(
            f"tokenizer: got token id {int(ids.max())}, want 0..{known - 1}, which is what "
            f"{type(model).__name__} knows; load the tokenizer that belongs to the model"
        )
    places = len(state[_PLACES.get(kind, "embeddings.position_embeddings.weight")])
    if kind == "roberta":  # counts positions from padding_idx + 1
        places -= model.config.pad_token_id + 1
    if ids.shape[1] > places:
        raise ValueError(
            f"text: got {ids.shape[1]} tokens, want at most {places}, which is how many positions "
            f"{type(model).__name__} has"
        )


def _vendored(kind: str, config: Any, state: Mapping[str, torch.Tensor], n: int) -> torch.nn.Module:
    """Return BertViz's model of `kind` with the weights of `state`, shared where float32."""
    import torch
    from transformers.activations import ACT2FN

    try:
        import bertviz.transformers_neuron_view as old
    except ImportError as error:
        raise missing(error) from error
    tensors = {name: value.detach().to("cpu", torch.float32) for name, value in state.items()}
    # Build the model on the meta device, which draws no random weights and takes no memory.
    with torch.device("meta"):
        if kind == "gpt2":
            model = old.GPT2Model(
                old.GPT2Config(
                    config.vocab_size, n_positions=config.n_positions, n_ctx=n,
                    n_embd=config.n_embd, n_layer=config.n_layer, n_head=config.n_head,
                    layer_norm_epsilon=config.layer_norm_epsilon,
                )
            )  # fmt: skip
            causal = torch.ones(n, n, device="cpu").tril()[None, None]
            for i, block in enumerate(model.h):
                tensors[f"h.{i}.attn.bias"] = causal
                block.mlp.act = ACT2FN[config.activation_function]
        else:
            named = "RobertaConfig" if kind == "roberta" else "BertConfig"
            sizes = {name: getattr(config, name) for name in _SIZES}
            act = ACT2FN[config.hidden_act]
            settings = getattr(old, named)(config.vocab_size, hidden_act=act, **sizes)
            model = (old.RobertaModel if kind == "roberta" else old.BertModel)(settings)
            model.pooler = (
                torch.nn.Identity()
            )  # not every model has a pooler, and it has no attention
            tensors = {k: v for k, v in tensors.items() if not k.startswith("pooler.")}
            if kind == "roberta":
                model.embeddings.padding_idx = config.pad_token_id
    model.load_state_dict(tensors, strict=True, assign=True)
    return model.eval()


_SIZES = (
    "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
    "max_position_embeddings", "type_vocab_size", "layer_norm_eps",
)  # fmt: skip


def _forward(model: torch.nn.Module) -> Any:
    from bertviz.transformers_neuron_view import BertModel

    # RobertaModel.forward calls BertModel.forward, after a needless warning about texts with <s>.
    return BertModel.forward if isinstance(model, BertModel) else type(model).forward


def _eager(base: PreTrainedModel, inputs: Mapping[str, torch.Tensor]) -> list[NDArray[np.float32]]:
    """Return transformers' eager attention of each layer, (h, n, n).

    It is computed by a copy that shares the weights, because output_attentions leaves hooks behind
    in a model.
    """
    shared: dict[int, Any] = {id(t): t for t in (*base.parameters(), *base.buffers())}
    for module in base.modules():
        for name, value in vars(module).items():
            if "_hooks" in name and isinstance(value, dict):
                shared[id(value)] = OrderedDict()
    twin = copy.deepcopy(base, shared)
    for module in twin.modules():
        vars(module).pop("_output_capturing_hooks_installed", None)
    twin.set_attn_implementation("eager")
    device = next(base.parameters()).device
    placed = {name: value.to(device) for name, value in inputs.items()}
    attentions = twin.eval()(**placed, output_attentions=True).attentions
    return [layer[0].float().cpu().numpy() for layer in attentions]


def _check_same(
    model: PreTrainedModel, layers: list[Neurons], wanted: list[NDArray[np.float32]]
) -> None:
    tolerance = TOLERANCES.get(str(model.dtype).removeprefix("torch."), TOLERANCE)
    for i, (layer, own) in enumerate(zip(layers, wanted, strict=True)):
        off = float(np.abs(layer.weights - own).max())
        if not off <= tolerance:
            raise ValueError(
                f"model: BertViz's old class gives other attention than this "
                f"{type(model).__name__}, {off:.2g} off in layer {i}; {_INSTEAD}"
            )
