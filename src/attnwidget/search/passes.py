"""`Passes`: the edited passes of a scan, many knock-outs in one pass of copies of the text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.capture.copies import repeated
from attnwidget.capture.knock_out import (
    attention_modules,
    editing_places,
    resolved,
    resolved_for_copies,
)
from attnwidget.capture.lend import borrowed
from attnwidget.capture.restart import BUDGET, Tape
from attnwidget.capture.rows import batch_size
from attnwidget.capture.run import placed
from attnwidget.capture.supported import forward_parameters
from attnwidget.search.target import Target, target_of

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from transformers import PreTrainedModel

    from attnwidget.capture.inputs import Reading
    from attnwidget.sources.knockouts import KnockOut

# So many tokens are in a pass, in all copies together, and so many copies at most.
_TOKENS = {"cpu": 2048}
_TOKENS_OF_ACCELERATOR = 65_536
_COPIES = 64


@dataclass(eq=False)
class Passes:
    """The edited passes of a model on one text; `size` is the number of copies in a pass.

    The knock-outs of a pass start at the same layer. The first pass from a layer has a copy without
    a knock-out, which must give what the unedited pass gives. Otherwise the passes from this layer
    have one copy each, and run from the first layer on where this copy differs too.
    """

    model: PreTrainedModel
    inputs: Mapping[str, Any]
    tape: Tape
    target: Target
    before: torch.Tensor
    size: int
    has_copies: bool = True
    # Of the passes from a layer, whether they may have copies, and whether they start at the layer.
    _starts: dict[frozenset[Any], tuple[bool, bool]] = field(default_factory=dict)
    # The attention modules of a stack and a layer.
    _modules: dict[tuple[Any, Any], frozenset[Any]] = field(default_factory=dict)

    @property
    def baseline(self) -> float:
        """The number of the unedited pass."""
        return float(self.target.number(self.before)[0])

    def effects(self, edits: Sequence[KnockOut]) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """Yield the number of edits that are done, and the numbers of their passes.

        Edits are done in their order. Where the memory does not suffice, a pass has half as many
        copies; the error is raised where it does not suffice for one.
        """
        done = 0
        while done < len(edits):
            start = self._start(edits[done])
            more = 1
            limit = self.size if start not in self._starts else self._room(start)
            while more < limit and done + more < len(edits):
                if self._start(edits[done + more]) != start:
                    break
                more += 1
            numbers = self._measured(start, list(edits[done : done + more]))
            done += len(numbers)
            yield len(numbers), numbers

    def _start(self, edit: KnockOut) -> frozenset[Any]:
        """Return the attention modules that an edit changes."""
        key = edit.stack, edit.layer
        if key not in self._modules:
            places = resolved(self.model, [edit])
            self._modules[key] = frozenset(place.module for place in places)
        return self._modules[key]

    def _room(self, start: frozenset[Any]) -> int:
        return self.size if self._starts[start][0] else 1

    def _measured(self, start: frozenset[Any], edits: list[KnockOut]) -> NDArray[np.float64]:
        """Return the numbers of the first of these edits, as many as a pass has."""
        if start not in self._starts:
            result = self._first(start, edits)
            if result is not None:
                return result
        has_copies, restarts = self._starts[start]
        while True:
            some = edits[: self.size if has_copies else 1]
            try:
                read = self._pass(start, [[edit] for edit in some], restarts)
                return self._numbers(read)
            except Exception as error:
                self._less(error)

    def _first(self, start: frozenset[Any], edits: list[KnockOut]) -> NDArray[np.float64] | None:
        """Find out how passes from a layer are run; return the numbers of the first pass, if any.

        The result of the unedited copy says whether copies, and a start at the layer, can be used.
        """
        while self.has_copies and self.size > 1:
            some = edits[: self.size - 1]
            try:
                read = self._pass(start, [[], *([edit] for edit in some)], True)
            except Exception as error:
                if not is_memory(error):
                    break
                self._less(error)
                continue
            if self._is_as_before(read[:1]):
                self._starts[start] = True, True
                return self._numbers(read[1:])
            break
        read = self._pass(start, [[]], True)
        restarts = self._is_as_before(read)
        if restarts and self.size > 1:
            # The start at the layer is right, so it is the copies that are not.
            self.has_copies = False
        self._starts[start] = False, restarts
        return None

    def _is_as_before(self, read: torch.Tensor) -> bool:
        import torch

        before = self.before.double()
        precise = self.before.dtype == torch.float64 or self.model.dtype in {
            torch.float32,
            torch.float64,
        }
        scale = max(1.0, float(before.nan_to_num(0, 0, 0).abs().max()))
        rounding = 2e-6 if precise else 16 * torch.finfo(self.model.dtype).eps
        return torch.allclose(read.double(), before, rtol=0, atol=rounding * scale, equal_nan=True)

    def _pass(
        self, start: frozenset[Any], copies: list[list[KnockOut]], restarts: bool
    ) -> torch.Tensor:
        """Return what the target reads in a pass of copies, each with knock-outs."""
        n = len(copies)
        inputs = repeated(self.inputs, n)
        places = resolved_for_copies(self.model, copies)
        for place in places:
            place.is_of_thread = True
        below = self.tape.before(start) if restarts else []
        with (
            editing_places(self.model, places),
            self.tape.returning(below, lambda output: repeated(output, n)),
        ):
            return self.target.read(self.model(**inputs, **self.target.options), n)

    def _numbers(self, read: torch.Tensor) -> NDArray[np.float64]:
        numbers: NDArray[np.float64] = self.target.number(read).double().cpu().numpy()
        return numbers

    def _less(self, error: Exception) -> None:
        """Halve the size of a pass where the memory did not suffice; raise any other error."""
        if not is_memory(error) or self.size == 1:
            raise error
        _forget()
        self.size //= 2


@contextmanager
def passes(
    model: PreTrainedModel, reading: Reading, target: Any, position: Any, size: int | None
) -> Iterator[Passes]:
    """Run the unedited pass, and yield the edited passes; the model is lent to this thread.

    Raises
    ------
    TypeError, ValueError
        If the target is wrong.
    """
    import torch

    inputs = placed(model, reading.inputs)
    if "use_cache" in forward_parameters(model):
        inputs["use_cache"] = False  # a layer that does not run adds no keys to a cache
    with borrowed(model), torch.no_grad():
        tape = Tape(model, [module for _, _, module in attention_modules(model)], BUDGET)
        with tape.recording():
            outputs = model(**inputs)
        aim = target_of(target, model, outputs, reading, position)
        # Read as the edited passes are: with the options that leave other logits out.
        before = aim.read(model(**inputs, **aim.options) if aim.options else outputs, 1)
        yield Passes(model, inputs, tape, aim, before, size or _default_size(inputs))


def _default_size(inputs: Mapping[str, Any]) -> int:
    import torch

    tensors = [value for value in inputs.values() if isinstance(value, torch.Tensor)]
    lengths = [value.shape[1] for value in tensors if value.ndim == 2]
    device = next((value.device.type for value in tensors), "cpu")
    tokens = _TOKENS.get(device, _TOKENS_OF_ACCELERATOR)
    return max(1, min(_COPIES, tokens // max(lengths, default=64)))


def one_text(model: PreTrainedModel, reading: Reading) -> dict[str, Any]:
    """Return the inputs of the text that a reading shows.

    Raises
    ------
    ValueError
        If an input of a batch has no row for each text.
    """
    import torch

    batch = batch_size(model, reading.inputs)
    if batch == 1:
        return dict(reading.inputs)
    result = {}
    for name, value in reading.inputs.items():
        is_tensor = isinstance(value, torch.Tensor) and value.ndim > 0
        if is_tensor and len(value) not in {1, batch}:
            raise ValueError(
                f"inputs: {name} has {len(value)} rows for {batch} texts; want the inputs of a "
                "single text"
            )
        row = slice(reading.row, reading.row + 1)
        result[name] = value[row] if is_tensor and len(value) == batch else value
    return result


def is_memory(error: BaseException) -> bool:
    """Return whether an error says that the memory does not suffice."""
    import torch

    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    words = str(error).lower()
    return isinstance(error, RuntimeError) and (
        "out of memory" in words or "allocate memory" in words
    )


def _forget() -> None:
    """Return the memory of freed tensors to the device."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
