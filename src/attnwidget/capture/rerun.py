"""`ModelRunner`: run a model again on the text that was captured, with knock-outs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.capture.edited_calls import Place
from attnwidget.capture.effect import Outputs, Reader, reader
from attnwidget.capture.knock_out import attention_modules, resolved
from attnwidget.capture.reach import Reaching, is_of
from attnwidget.capture.recognise import modules_by_name
from attnwidget.capture.records import Call
from attnwidget.capture.restart import BUDGET, Tape
from attnwidget.capture.run import placed, recording, settled
from attnwidget.capture.stack_calls import StackCalls
from attnwidget.capture.supported import forward_parameters
from attnwidget.capture.unchanged import Weights
from attnwidget.maths.validate import index
from attnwidget.sources.effect import Reach
from attnwidget.sources.knockouts import KnockOut, check_knockouts
from attnwidget.sources.runs import MOST_KNOCKOUTS, Outcome, Stopped
from attnwidget.sources.stacks import Layer, StackId

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import PreTrainedModel

    from attnwidget.capture.inputs import Reading
    from attnwidget.sources.effect import Effect


@dataclass(frozen=True, eq=False)
class _Base:
    """The pass without knock-outs: what the layers and the model returned, and the losses."""

    tape: Tape
    outputs: Outputs
    reader: Reader
    losses: NDArray[np.float64]


class ModelRunner:
    """Runs `model` on a reading with knock-outs, from the first edited layer on where it can.

    `layer_calls` are the attention calls of the captured pass. The first run makes a pass without
    knock-outs first, which keeps what each layer returned, up to `budget` bytes. A restart is used
    if the same restart without knock-outs returns exactly what the whole pass returns.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        reading: Reading,
        layer_calls: Sequence[tuple[Layer, Call]],
        calls: StackCalls,
        budget: int = BUDGET,
    ) -> None:
        self._model, self._reading = model, reading
        self._row = reading.row
        self._layer_calls, self._calls = tuple(layer_calls), calls
        self._budget = budget
        self._weights = Weights(model)
        self._lock = threading.Lock()
        self._base: _Base | None = None
        self._exact: dict[frozenset[Any], bool] = {}

    @property
    def model(self) -> PreTrainedModel:
        """The model that runs."""
        return self._model

    @property
    def inputs(self) -> Mapping[str, Any]:
        """The input that the model is run on."""
        return self._reading.inputs

    @property
    def batch_index(self) -> int:
        """The text of the batch whose maps and effects are shown."""
        return self._row

    @property
    def positions(self) -> int:
        """The number of rows of the stack whose tokens the model's output belongs to."""
        parts = [layer.stack_id.part for layer, _ in self._layer_calls]
        last = "decoder" if "decoder" in parts else parts[-1]
        return max(
            call.shape[1] for layer, call in self._layer_calls if layer.stack_id.part == last
        )

    # Which knock-outs there are

    def checked(self, knockouts: Any) -> tuple[KnockOut, ...]:
        """Return knock-outs of the model without repetition; see `Runner.checked`."""
        records = tuple(dict.fromkeys(self._with_part(e) for e in check_knockouts(knockouts)))
        if len(records) > MOST_KNOCKOUTS:
            raise ValueError(
                f"knockouts: got {len(records):,}, want at most {MOST_KNOCKOUTS:,}; an entry that "
                "is left out stands for all"
            )
        if records:
            resolved(self._model, records, self._attention, self._checked_names())
        for i, edit in enumerate(records):
            self._check_positions(f"knockouts[{i}]", edit)
        return records

    def _with_part(self, edit: KnockOut) -> KnockOut:
        """Return the knock-out with the name of a stack without its size, "cross 8×64"."""
        parts = {layer.stack: layer.stack_id.part for layer, _ in self._layer_calls}
        return replace(edit, stack=parts[edit.stack]) if edit.stack in parts else edit

    def _check_positions(self, name: str, edit: KnockOut) -> None:
        shapes = [
            call.shape
            for layer, call in self._layer_calls
            if edit.stack in {None, layer.stack_id.part} and edit.layer in {None, layer.index}
        ]
        for entry, axis in (("query", 1), ("key", 2)):
            position = getattr(edit, entry)
            if position is not None and shapes:
                index(f"{name}.{entry}", position, range(max(shape[axis] for shape in shapes)))

    def _checked_names(self) -> dict[Any, str]:
        """Return the names of the model's modules; raise ValueError if the model has changed."""
        names = modules_by_name(self._model)
        words = self._weights.changed(self._model, names)
        if words:
            raise ValueError(words)
        return names

    # The run

    def run(self, knockouts: Sequence[KnockOut], is_stopped: Callable[[], bool]) -> Outcome:
        """Run the model with the knock-outs; see `Runner.run`."""
        with self._lock:
            names = self._checked_names()
            if is_stopped():
                raise Stopped
            base = self._base = self._base or self._without(is_stopped)
            places = resolved(self._model, knockouts, self._attention, names)
            for place in places:
                place.is_of_thread = True
            layers = base.tape.before([place.module for place in places])
            if not self._is_exact(base, layers, is_stopped):
                layers = []
            reach = self._reaching.reach(base.tape, places)
            first = self._first_logits(base, reach)
            keep = {} if first is None else {"logits_to_keep": self.positions - first}
            start = time.perf_counter()
            outputs, calls = self._pass(
                places, base.tape, layers, is_stopped, keep, first or 0, names
            )
            seconds = time.perf_counter() - start
            loss = base.losses
            if len(loss):  # the logits before the first that can change are those before
                after = base.reader.losses(outputs)
                kept = np.arange(len(loss)) <= outputs.first
                loss = np.stack([loss, np.where(kept, loss, after)])
        edits = {place.name: tuple(place.knockouts) for place in places}

        def effect_at(position: int | None) -> Any:
            return base.reader.effect(base.outputs, outputs, loss, reach, position)

        return Outcome(
            self,
            tuple(knockouts),
            "done",
            self._words(base, layers, reach),
            seconds,
            bool(layers),
            self._merged(calls, edits),
            outputs,
            reach,
            effect_at,
        )

    def compared(
        self, first: Sequence[KnockOut], second: Sequence[KnockOut], position: int | None
    ) -> Effect:
        """Return what changes from a run to another; see `Runner.compared`."""

        def never() -> bool:
            return False

        runs = [self.run(knockouts, never) for knockouts in (first, second)]
        base = self._base
        assert base is not None  # a run has made it
        before, after = (run.outputs.whole(base.outputs) for run in runs)
        losses = [base.reader.losses(outputs) for outputs in (before, after)]
        loss = np.stack(losses) if len(losses[0]) else losses[0]
        reach = tuple(dict.fromkeys(part for run in runs for part in run.reach))
        return base.reader.effect(before, after, loss, reach, position)

    def _without(self, is_stopped: Callable[[], bool]) -> _Base:
        modules = [module for _, _, module in self._attention]
        tape = Tape(self._model, modules, self._budget)
        with tape.recording():
            outputs, _ = self._pass([], tape, [], is_stopped, {}, 0)
        read = reader(self._model, self._reading, outputs)
        return _Base(tape, outputs, read, read.losses(outputs))

    def _pass(
        self,
        places: Sequence[Place],
        tape: Tape,
        layers: Collection[Any],
        is_stopped: Callable[[], bool],
        options: Mapping[str, Any],
        first: int,
        names: dict[Any, str] | None = None,
    ) -> tuple[Outputs, list[Call]]:
        """Run the model once; `layers` return what they returned before."""
        calls: list[Call] = []

        def keep(call: Call) -> None:
            if is_stopped():
                raise Stopped
            calls.append(call)

        feed = {**placed(self._model, self._reading.inputs), **options}
        if self._model.config.model_type == "prophetnet":
            feed.setdefault("use_cache", False)
        with ExitStack() as contexts:
            recorder = contexts.enter_context(
                recording(
                    self._model, self._reading.inputs, self._row, keep, proves=False, names=names
                )
            )
            contexts.enter_context(tape.returning(layers))
            for place in places:
                contexts.enter_context(place.edited(self._model))
            returned = self._model(**feed)
        single = settled(self._model, calls, recorder).calls if calls else []
        return Outputs.of(returned, first), single

    def _is_exact(self, base: _Base, layers: Sequence[Any], is_stopped: Callable[[], bool]) -> bool:
        """Whether the restart without knock-outs returns exactly what the whole pass returned."""
        key = frozenset(layers)
        if key and key not in self._exact:
            try:
                outputs, _ = self._pass([], base.tape, layers, is_stopped, {}, 0)
                self._exact[key] = outputs.equal(base.outputs)
            except Stopped:
                raise
            except Exception:  # a layer needs what another layer leaves behind
                self._exact[key] = False
        return bool(key) and self._exact[key]

    def _merged(self, calls: Sequence[Call], edits: Mapping[str, tuple[KnockOut, ...]]) -> Any:
        """Return the calls of the run; those of layers that did not run are those before."""
        new: dict[str, list[Call]] = {}
        for call in calls:
            own = next((e for name, e in edits.items() if is_of(call.module, name)), ())
            new.setdefault(call.module, []).append(replace(call, edits=own))
        changed: dict[tuple[StackId, int], Call] = {}
        for layer, call in self._layer_calls:
            after = new.get(call.module)
            if after:
                changed[layer.stack_id, layer.index] = after.pop(0)
        return self._calls.with_calls(changed)

    @cached_property
    def _attention(self) -> list[tuple[str, int | None, Any]]:
        return attention_modules(self._model)

    @cached_property
    def _reaching(self) -> Reaching:
        names = modules_by_name(self._model)
        modules = {names[module]: module for _, _, module in self._attention}
        return Reaching(self._model, self._layer_calls, self._calls, modules)

    def _first_logits(self, base: _Base, reach: Sequence[Reach]) -> int | None:
        """Return the first row of logits that can change; None if all logits are wanted."""
        logits = base.outputs.tensors.get("logits")
        if base.reader.kind != "next token" or logits is None:
            return None
        rows = {part.query for part in reach if part.stack == "self"}
        if len(rows) != 1 or None in rows or logits.shape[1] != self.positions:
            return None
        if "logits_to_keep" not in forward_parameters(self._model):
            return None
        return rows.pop() or None

    def _words(self, base: _Base, layers: Collection[Any], reach: Sequence[Reach]) -> str:
        if layers:
            return f"The model ran from layer {min(part.layer for part in reach)} on."
        if base.tape.is_full:
            return (
                "The whole model ran, because the outputs of its layers need more than "
                f"{self._budget // 2**20} MiB."
            )
        return "The whole model ran."
