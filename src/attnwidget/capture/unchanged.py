"""Notice that a model has changed: trained, loaded anew, or moved to another device or type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_REMEDY = "open it again with AttentionWidget.from_model, or call refresh() of the widget"


class Weights:
    """The identity of a model's weights at a moment.

    torch counts each change of a tensor in place (an optimiser's step, `load_state_dict`), so that
    no number is read. A change through ``parameter.data`` is not counted.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self._marks = _marks(model)

    def changed(self, model: PreTrainedModel) -> str:
        """Return what has changed since, with the remedy; "" if nothing has."""
        now = _marks(model)
        if now == self._marks:
            return ""
        words = "its weights have changed"
        if now.keys() != self._marks.keys():
            words = "it has other parameters"
        else:
            for name, (device, dtype, _, _) in now.items():
                old_device, old_dtype = self._marks[name][:2]
                if device != old_device:
                    words = f"it was moved from {old_device} to {device}"
                    break
                if dtype != old_dtype:
                    words = f"its weights were {old_dtype} and are {dtype}"
                    break
        return f"model: {words} since it was opened; {_REMEDY}"


def _marks(model: PreTrainedModel) -> dict[str, tuple[Any, ...]]:
    return {
        name: (parameter.device, parameter.dtype, parameter._version, _place(parameter))
        for name, parameter in model.named_parameters()
    }


def _place(parameter: Any) -> int:
    try:
        return int(parameter.data_ptr())
    except (RuntimeError, NotImplementedError):  # a tensor without memory of its own
        return 0
