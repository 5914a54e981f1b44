"""`Target`: the number of a model's output that a scan looks at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.capture.copies import of_copy
from attnwidget.search.position import position_of
from attnwidget.search.token import token_of

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from attnwidget.capture.inputs import Reading

_FORMS = (
    'a token (its text or its id), a pair of tokens, "kl", a class, or a function of the outputs '
    "that returns a number"
)


@dataclass(frozen=True, eq=False)
class Target:
    """The number of a model's output that a scan looks at.

    `words` says what it is. `read` takes from the outputs of a pass what the number is computed
    from, a tensor with a row for each of the copies, and `number` computes the number of each row.
    `options` are arguments of the pass that spare the model what is not read.
    """

    words: str
    read: Callable[[Any, int], torch.Tensor]
    number: Callable[[torch.Tensor], torch.Tensor]
    options: Mapping[str, Any] = field(default_factory=dict)


def target_of(
    target: Any, model: PreTrainedModel, outputs: Any, reading: Reading, position: Any = None
) -> Target:
    """Return the target, of which `outputs` are those of the unedited pass of one text.

    Raises
    ------
    TypeError, ValueError
        If `target` or `position` is wrong, or the model has no such output.
    """
    if callable(target):
        if position is not None:
            raise ValueError(
                "position: got a function as target, which chooses the position itself; want None"
            )
        return _of_function(target, outputs)
    if not isinstance(target, (str, int, np.integer, tuple, list)) or isinstance(target, bool):
        raise TypeError(f"target: got {type(target).__name__}, want {_FORMS}")
    logits = getattr(outputs, "logits", None)
    if logits is None or getattr(logits, "ndim", 0) not in {2, 3}:
        raise ValueError(
            f"target: {type(model).__name__} returns no logits of tokens or classes; want a "
            "function of its outputs that returns a number, such as "
            "lambda outputs: outputs.last_hidden_state[:, 0].norm(dim=-1)"
        )
    if logits.ndim == 2:
        return _of_classes(target, model, logits, position)
    return _of_tokens(target, model, logits, reading, position)


def _of_tokens(
    target: Any, model: PreTrainedModel, logits: torch.Tensor, reading: Reading, position: Any
) -> Target:
    import torch

    from attnwidget.capture.supported import forward_parameters

    at = position_of(position, model, reading, logits.shape[1])
    options: dict[str, Any] = {}
    place = at
    if "logits_to_keep" in forward_parameters(model):
        options["logits_to_keep"] = torch.tensor([at], device=logits.device)
        place = 0
    where = f"at position {at}"

    def row(outputs: Any, _copies: int) -> torch.Tensor:
        return outputs.logits[:, place].float()

    if isinstance(target, str) and target == "kl":
        before = logits[:, at].double().log_softmax(-1)

        def divergence(read: torch.Tensor) -> torch.Tensor:
            after = read.double().log_softmax(-1)
            return (before.exp() * (before - after)).sum(-1)

        words = f"KL divergence of the next token {where} from the unedited model, in nats"
        if not _is_causal(model):
            words = words.replace("next token", "token")
        return Target(words, row, divergence, options)
    size = logits.shape[-1]
    if isinstance(target, (tuple, list)):
        if len(target) != 2:
            raise ValueError(f"target: got {len(target)} tokens, want one, or a pair")
        (first, a), (second, b) = (token_of(each, reading.tokenizer, size) for each in target)
        return Target(
            f"logit of {first} minus logit of {second} {where}",
            row,
            lambda read: read[:, a] - read[:, b],
            options,
        )
    words, token = token_of(target, reading.tokenizer, size)
    return Target(f"logit of {words} {where}", row, lambda read: read[:, token], options)


def _is_causal(model: PreTrainedModel) -> bool:
    return type(model).__name__.endswith(("CausalLM", "LMHeadModel", "ConditionalGeneration"))


def _of_classes(target: Any, model: PreTrainedModel, logits: torch.Tensor, position: Any) -> Target:
    if position is not None:
        raise ValueError(
            f"position: {type(model).__name__} returns classes of the whole input; want None"
        )

    def row(outputs: Any, _copies: int) -> torch.Tensor:
        return outputs.logits.float()

    if isinstance(target, str) and target == "kl":
        before = logits.double().log_softmax(-1)
        words = "KL divergence of the classes from the unedited model, in nats"
        return Target(
            words,
            row,
            lambda read: (before.exp() * (before - read.double().log_softmax(-1))).sum(-1),
        )
    if isinstance(target, (tuple, list)):
        if len(target) != 2:
            raise ValueError(f"target: got {len(target)} classes, want one, or a pair")
        (first, a), (second, b) = (_class(each, model, logits.shape[-1]) for each in target)
        words = f"logit of {first} minus logit of {second}"
        return Target(words, row, lambda read: read[:, a] - read[:, b])
    words, number = _class(target, model, logits.shape[-1])
    return Target(f"logit of {words}", row, lambda read: read[:, number])


def _class(value: Any, model: PreTrainedModel, count: int) -> tuple[str, int]:
    """Return a class in words, and the number of the class."""
    names = {int(i): str(name) for i, name in (model.config.id2label or {}).items()}
    known = [names.get(i, str(i)) for i in range(count)]
    wanted = ", ".join(repr(name) for name in known[:8]) + ", …" * (count > 8)
    if isinstance(value, str):
        if value not in known:
            raise ValueError(f"target: got the class {value!r}, want one of {wanted}")
        value = known.index(value)
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"target: got {value!r}, want the name or the number of a class")
    if not 0 <= value < count:
        raise ValueError(f"target: got class {value}, want 0..{count - 1} ({wanted})")
    return f"the class {known[value]!r}", int(value)


def _of_function(function: Callable[[Any], Any], outputs: Any) -> Target:
    """Return a target of a function of the outputs.

    A function that returns a number for each text is called once for all copies. Other functions
    are called for each copy, with the outputs of the copy.
    """
    import torch

    name = getattr(function, "__name__", type(function).__name__)
    words = "a function of the outputs" if name == "<lambda>" else f"{name}(outputs)"
    many = np.ndim(_numbers(function(outputs))) == 1

    def read(outputs: Any, copies: int) -> torch.Tensor:
        if many:
            numbers = _numbers(function(outputs))
            if numbers.shape == (copies,):
                return torch.from_numpy(numbers)
        each = [_numbers(function(of_copy(outputs, i, copies))) for i in range(copies)]
        return torch.from_numpy(np.array([float(numbers.reshape(())) for numbers in each]))

    return Target(words, read, lambda numbers: numbers)


def _numbers(value: Any) -> Any:
    """Return a number, or a number for each text, as an array of float64."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.double() if value.is_floating_point() else value
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        raise TypeError(
            f"target: the function returned {type(value).__name__}, want a number, or a number "
            "for each text"
        ) from None
    if array.ndim > 1 or (array.ndim == 1 and not len(array)):
        raise ValueError(
            f"target: the function returned shape {array.shape}, want a number, or a number for "
            "each text; for instance the mean over the other axes"
        )
    return array
