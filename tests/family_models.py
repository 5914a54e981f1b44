"""A model of each family: inputs with padding, eager attention, and all state of the model."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from models import (
    FAMILIES,
)
from transformers import (
    AttentionInterface,
    AttentionMaskInterface,
    PreTrainedModel,
)

TEXT = "the cat sat on a mat there"
N = 7
TOLERANCE = 1e-6
# Which of the N tokens are padding.
PADDINGS = {"none": [], "left": [0, 1], "right": [5, 6]}


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Tiny models gain nothing from threads, and lose much where other programs run."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@cache
def family(name: str) -> PreTrainedModel:
    return FAMILIES[name]()


def inputs_of(padding: str) -> tuple[dict[str, torch.Tensor], list[int]]:
    """Inputs of N tokens, and the places of the real ones."""
    ids = torch.tensor([[5, 11, 3, 9, 2, 8, 13]])
    seen = torch.ones_like(ids)
    seen[0, PADDINGS[padding]] = 0
    ids[seen == 0] = 0
    return {"input_ids": ids, "attention_mask": seen}, np.flatnonzero(seen[0].numpy()).tolist()


def eager(model: PreTrainedModel, inputs: Any) -> list[np.ndarray]:
    """transformers' own weights, (h, n, n) for each attention layer, of the same parameters."""
    other = copy.deepcopy(model).eval()
    other.set_attn_implementation("eager")
    with torch.no_grad():
        attentions = other(**inputs, output_attentions=True).attentions
    return [layer[0].float().numpy() for layer in attentions if layer is not None]


def first_tensor(output: Any) -> torch.Tensor:
    return output[0]


def every_config(model: PreTrainedModel) -> list[Any]:
    return list({id(m.config): m.config for m in model.modules() if hasattr(m, "config")}.values())


def state(model: PreTrainedModel) -> dict[str, Any]:
    kinds = [key for key in vars(model) if "hooks" in key]
    return {
        "implementations": [config._attn_implementation for config in every_config(model)],
        "configs": [copy.deepcopy(vars(config)) for config in every_config(model)],
        "training": [module.training for module in model.modules()],
        "hooks": [[dict(getattr(m, kind)) for kind in kinds] for m in model.modules()],
        "attributes": [sorted(vars(module)) for module in model.modules()],
        "forward": [module.forward for module in model.modules()],
        "requires_grad": [p.requires_grad for p in model.parameters()],
        "inference": [t.is_inference() for t in (*model.parameters(), *model.buffers())],
        "grad mode": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "random": torch.get_rng_state().tolist(),
        "registered": (sorted(AttentionInterface()), sorted(AttentionMaskInterface())),
    }
