"""Recognise the attention modules of a model by class name, by code, or by their projections."""

from __future__ import annotations

import dis
import inspect
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

# A3Module is MGP-STR's.
_NAMED = re.compile(r"attention|attn|A3Module", re.IGNORECASE)
# Parts of attention that compute no weights, and modules that are only named after it.
_PARTS = re.compile(
    r"(Output|Norm|AdapterLayer|Projection|Structure|Bias|MLP|Residual|Cell|Merger|Loss|Kwargs)\d*$"
)
_SEPARATE = (
    {"q_proj", "k_proj", "v_proj"},
    {"query", "key", "value"},
    {"query_proj", "key_proj", "value_proj"},
    {"q_lin", "k_lin", "v_lin"},
    {"to_q", "to_k", "to_v"},
    {"linear_q", "linear_k", "linear_v"},
    {"wq", "wk", "wv"},
    {"q", "k", "v"},
)
_JOINED = {"qkv", "qkv_proj", "query_key_value", "c_attn", "Wqkv", "in_proj_qkv", "in_proj_qkvz"}
_HEADS = ("num_heads", "num_attention_heads", "n_heads", "n_head", "num_head", "nhead", "heads")


def modules_by_name(model: Any) -> dict[Any, str]:
    """Return the qualified name of each module, the first name of a shared module, in order.

    The names and the order are those of ``model.named_modules()``, whose generator in a generator
    takes three times as long.
    """
    names: dict[Any, str] = {}
    waiting = [("", model)]
    while waiting:
        name, module = waiting.pop()
        if module in names:
            continue
        names[module] = name
        children = module._modules
        if len(children):
            start = f"{name}." if name else ""
            inner = [(start + key, child) for key, child in children.items() if child is not None]
            waiting += reversed(inner)
    return names


def looks_like_attention(module: Any) -> bool:
    """Return whether the class or the children of `module` suggest that it is attention."""
    kind: Any = type(module)
    if _is_named(kind):
        return True
    if not len(module._modules):
        return False
    children = set(module._modules.keys())  # of a scripted module it is no dictionary
    return not _JOINED.isdisjoint(children) or any(parts <= children for parts in _SEPARATE)


@lru_cache(1024)
def _is_named(kind: Any) -> bool:
    if hasattr(kind, "from_pretrained") or _PARTS.search(kind.__name__):
        return False
    if _NAMED.search(kind.__name__) is not None:
        return True
    return any("scaled_dot_product_attention" in names for names in _globals(kind))


def uses_interface(module: Any) -> bool:
    """Return whether `module` uses transformers' AttentionInterface."""
    kind: Any = type(module)
    return _asks(kind) != ""


def always_asks_interface(module: Any) -> bool:
    """Return whether `module` always computes attention through the interface.

    Modelling files written for transformers 4 call their eager function directly.
    """
    kind: Any = type(module)
    if _asks(kind) != "always":
        return False
    # GPT-2 computes attention in another way where this attribute is true.
    return not getattr(module, "reorder_and_upcast_attn", False)


@lru_cache(1024)
def _asks(kind: Any) -> str:
    """Return "always", "perhaps", or "" for a class that does not name the interface."""
    if hasattr(kind, "from_pretrained"):  # a whole model names the interface to set it
        return ""
    names = {name for used in _globals(kind) for name in used}
    if "ALL_ATTENTION_FUNCTIONS" not in names:
        return ""
    return "always" if "get_interface" in names else "perhaps"


def sets_attributes(module: Any) -> bool:
    """Return whether `module` may set attributes of modules while it runs.

    BigBird replaces its attention modules, and some rotary embeddings grow with the text.
    """
    rope = module.__dict__.get("rope_type")
    if rope is not None and any(word in str(rope) for word in ("dynamic", "longrope")):
        return True
    kind: Any = type(module)
    return _stores(kind)


@lru_cache(2048)
def _stores(kind: Any) -> bool:
    for base in kind.__mro__:
        library = base.__module__.startswith(("torch.", "transformers."))
        if base is object or (library and not base.__module__.startswith("transformers.models.")):
            continue
        for name, member in vars(base).items():
            if name == "__init__" or name.startswith(("set_input", "set_output", "set_encoder")):
                continue
            code = _code(member)
            if code is not None and _has_store(code):
                return True
    return False


def _has_store(code: Any) -> bool:
    return any(step.opname == "STORE_ATTR" for step in dis.get_instructions(code)) or (
        "register_buffer" in code.co_names
    )


def head_count(module: Any) -> int | None:
    """Return the number of heads that an attention module has as an attribute, None if none."""
    for name in _HEADS:
        count = getattr(module, name, None)
        if isinstance(count, int) and count > 0:
            return count
    return None


def _globals(kind: type) -> Iterator[tuple[str, ...]]:
    """Yield the names that each method of a module's class uses, torch's own bases aside."""
    for base in kind.__mro__:
        if base.__module__.startswith("torch.") or base is object:
            continue
        for member in vars(base).values():
            code = _code(member)
            if code is not None:
                yield code.co_names


def _code(member: Any) -> Any:
    """Return the code of a method or of a property; None of anything else."""
    member = member.fget if isinstance(member, property) else member
    return getattr(inspect.unwrap(member), "__code__", None) if callable(member) else None
