"""Notice that a model has changed: trained, loaded anew, or moved to another device or type."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from attnwidget.capture.recognise import modules_by_name

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_REMEDY = "open it again with AttentionWidget.from_model, or call refresh() of the widget"


class Weights:
    """The identity of a model's weights at a moment.

    torch counts each change of a tensor in place (an optimiser's step, `load_state_dict`), so that
    no number is read. A change through ``parameter.data`` is not counted.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self._marks = _marks(modules_by_name(model))
        self._kinds = _kinds(model)

    def changed(self, model: PreTrainedModel, modules: Iterable[Any]) -> str:
        """Return what has changed since, with the remedy; "" if nothing has.

        `modules` are the modules of `model`.
        """
        if _marks(modules) == self._marks:
            return ""
        kinds = _kinds(model)
        words = "its weights have changed"
        if kinds.keys() != self._kinds.keys():
            words = "it has other parameters"
        for name, (device, dtype) in self._kinds.items():
            now = kinds.get(name, (device, dtype))
            if now[0] != device:
                words = f"it was moved from {device} to {now[0]}"
            elif now[1] != dtype:
                words = f"its weights were {dtype} and are {now[1]}"
            else:
                continue
            break
        return f"model: {words} since it was opened; {_REMEDY}"


def _marks(modules: Iterable[Any]) -> list[tuple[int, int, int]]:
    return [
        (id(parameter), parameter._version, _place(parameter))
        for module in modules
        for parameter in module._parameters.values()
        if parameter is not None
    ]


def _kinds(model: PreTrainedModel) -> dict[str, tuple[Any, Any]]:
    return {name: (p.device, p.dtype) for name, p in model.named_parameters()}


def _place(parameter: Any) -> int:
    try:
        return int(parameter.data_ptr())
    except (RuntimeError, NotImplementedError):  # a tensor without memory of its own
        return 0
