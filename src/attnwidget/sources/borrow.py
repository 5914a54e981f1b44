"""A model lent for one run: in evaluation mode, with attention of ours, and all of it undone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel


@contextmanager
def borrowed(model: PreTrainedModel, attention: Callable[..., Any] | None) -> Iterator[None]:
    """Let `attention` serve the model's calls of the AttentionInterface, then undo everything.

    None leaves the implementation as it is, unless it is one that can't be watched: where a model
    computes attention by itself, its paths may differ (Falcon's eager adds ALiBi twice). Whatever
    the run changes in the model, or an exception leaves behind, is taken back: attention
    implementation, training mode, attributes and submodules of every module.
    """
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    # A name of its own: a second capture, in another thread, is not disturbed.
    name = f"attnwidget_{uuid4().hex}"
    configs = [(config, config._attn_implementation_internal) for config in _configs(model)]
    modules = [(module, *_contents(module)) for module in model.modules()]
    try:
        if attention:
            AttentionInterface.register(name, attention)
            # Without a mask function, transformers hands an implementation no mask at all.
            AttentionMaskInterface.register(name, sdpa_mask)
        # Set by hand, not by set_attn_implementation and eval(): what they set besides, and
        # what a subclass makes of them, could not be put back.
        for config, implementation in configs:
            if attention or implementation not in {None, "eager", "sdpa"}:
                config._attn_implementation_internal = name if attention else "eager"
        for module, *_ in modules:
            module.__dict__["training"] = False
        yield
    finally:
        for config, implementation in configs:
            config._attn_implementation_internal = implementation
        # BigBird swaps its attention modules for a short text; transformers leaves hooks behind.
        for module, held, registers in modules:
            _put_back(module, held, registers)
        if attention:
            # register() has no counterpart.
            AttentionInterface._global_mapping.pop(name, None)
            AttentionMaskInterface._global_mapping.pop(name, None)


def _contents(module: Any) -> tuple[dict[str, Any], list[tuple[Any, Any]]]:
    """Return what a module holds, and its registers (submodules, buffers, hooks) with theirs."""
    held = dict(module.__dict__)
    # Most registers are empty, and there are hundreds of modules: those are not copied.
    return held, [(v, dict(v) if v else {}) for v in held.values() if isinstance(v, dict)]


def _put_back(module: Any, held: dict[str, Any], registers: list[tuple[Any, Any]]) -> None:
    here = module.__dict__
    if here.keys() != held.keys():
        for name in here.keys() - held.keys():
            del here[name]
    here.update(held)
    for register, contents in registers:
        # In place: who may remove a hook holds on to the register.
        if register or contents:
            register.clear()
            register.update(contents)


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
