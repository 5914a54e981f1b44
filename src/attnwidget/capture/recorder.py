"""`Recorder`: follow the attention modules of a run, and record their attention calls."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from attnwidget.capture.coverage import Missing, unrecorded
from attnwidget.capture.fallback import Frame
from attnwidget.capture.intercept import Attended, Listener
from attnwidget.capture.layouts import of_row
from attnwidget.capture.proof import proven, some_queries
from attnwidget.capture.recognise import always_asks_interface, looks_like_attention
from attnwidget.capture.records import Call
from attnwidget.capture.rows import Place, Rows
from attnwidget.capture.supported import check_kwargs

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


class Recorder:
    """The attention modules and attention calls of a run of a model.

    `must_watch` is True if some attention may not use the AttentionInterface. `outputs` are the
    outputs of the calls that are not yet proven, by ``id(call)``.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        names: dict[Any, str],
        rows: Rows,
        keep: Callable[[Call], None],
        proves: bool,
    ) -> None:
        self.listener = Listener(self._before, self._after, self._failed)
        self._model, self._keep, self._proves = model, keep, proves
        self.outputs: dict[int, torch.Tensor] = {}
        self.segments = rows.segments
        self._rows, self._names = rows, names
        self._attention = {module for module in names if looks_like_attention(module)}
        self.must_watch = _some_computes_itself(names, self._attention)
        self._thread = threading.get_ident()
        self._frames: list[Frame] = []
        self._inside = 0  # the number of the interface's functions that are running
        self._depth = 0  # the number of the model's passes that are running; a hook may start one
        self._runs: Counter[Any] = Counter()
        self._recorded: set[str] = set()
        self._notes: dict[Any, list[str]] = {}
        self._length: int | None = None
        self._marks: list[int] = []

    def read_lengths(self, inputs: Mapping[str, torch.Tensor], batch_index: int) -> None:
        """Read the length and the global tokens of Longformer's maps from `inputs`."""
        ids, marks = inputs.get("input_ids"), inputs.get("global_attention_mask")
        self._length = None if ids is None else int(ids.shape[-1])
        self._marks = [] if marks is None else [int(i) for i in marks[batch_index].nonzero()]

    def frame(self) -> Frame | None:
        """Return the running attention module if it does not use the interface, else None.

        In a module that uses the interface, other torch functions are no attention (SAM 2 pools).
        """
        if not self._frames or self._inside or self._depth > 1:
            return None
        current = self._frames[-1]
        return None if always_asks_interface(current.module) else current

    def missing(self) -> list[Missing]:
        """Return the attention modules that ran without a record, and the calls with a note."""
        ran = {(self._name(module), type(module).__name__) for module in self._runs}
        ran.discard((self._name(self._model), type(self._model).__name__))
        silent = unrecorded(sorted(ran), self._recorded)
        noted = [
            Missing(self._name(module), type(module).__name__, note)
            for module, notes in self._notes.items()
            for note in notes
        ]
        explained = {entry.module for entry in noted}
        return [*(entry for entry in silent if entry.module not in explained), *noted]

    # Which module runs

    @contextmanager
    def following(self) -> Iterator[None]:
        """Follow the running attention module of this thread."""
        from torch.nn.modules.module import (
            register_module_forward_hook,
            register_module_forward_pre_hook,
        )

        hooks = [
            register_module_forward_pre_hook(self._enter),
            register_module_forward_hook(self._leave, always_call=True),
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _enter(self, module: Any, _args: Any) -> None:
        if threading.get_ident() != self._thread:
            return
        if module is self._model:
            self._depth += 1
            self._runs[module] += self._depth == 1
        elif self._depth > 1:
            return
        elif module in self._attention or self._is_new_attention(module):
            self._runs[module] += 1
            name = self._name(module)
            frame = Frame(
                module, name, lambda rows: self._rows.place(name, rows), self._length, self._marks
            )
            self._frames.append(frame)

    def _leave(self, module: Any, _args: Any, result: Any) -> None:
        if threading.get_ident() != self._thread:
            return
        if module is self._model:
            self._depth -= 1
        elif self._depth <= 1 and self._frames and self._frames[-1].module is module:
            frame = self._frames.pop()
            frame.leave(result)
            for call in frame.calls:
                self._recorded.add(call.module)
                self._keep(replace(call, turn=self._turn(module)))
            if frame.notes:
                self._note(module, frame.notes)

    def _is_new_attention(self, module: Any) -> bool:
        """Return whether `module` is attention that the model has made during the run (BigBird)."""
        if module in self._names:
            return False
        new = {m: name for name, m in self._model.named_modules() if m not in self._names}
        self._names.update(new)
        self._names.setdefault(module, type(module).__name__)  # a module outside the model
        self._attention.update(m for m in new if looks_like_attention(m))
        return module in self._attention

    def _note(self, module: Any, notes: Sequence[str]) -> None:
        known = self._notes.setdefault(module, [])
        known.extend(note for note in notes if note not in known)

    def _name(self, module: Any) -> str:
        return self._names.get(module, type(module).__name__)

    def _turn(self, module: Any) -> tuple[int, int]:
        return self._runs[self._model], self._runs[module]

    # Attention through the interface

    def _before(self) -> None:
        self._inside += 1

    def _failed(self) -> None:
        self._inside -= 1

    def _after(self, attended: Attended) -> None:
        self._inside -= 1
        if self._depth > 1:
            return
        module, name = attended.module, self._name(attended.module)
        check_kwargs(self._model, name, attended.options)
        if attended.query.ndim != 4:
            self._note(module, ["its queries are not laid out as batch, heads, queries and d_k"])
            return
        place = self._rows.place(name, len(attended.query))
        if place.at is None:
            self._note(module, [place.reason])
            return
        call = call_of(attended, name, place, self._turn(module))
        self._recorded.add(name)
        output = _output_of(attended, place.at, some_queries(call))
        if self._proves:
            call = proven(call, output)
        elif output is not None:
            self.outputs[id(call)] = output
        self._keep(call)


def _some_computes_itself(names: Mapping[Any, str], attention: set[Any]) -> bool:
    """Return whether an attention module neither uses the interface nor contains one that does."""
    asking = {name for module, name in names.items() if always_asks_interface(module)}
    covered = asking | {name[:i] for name in asking for i in range(len(name)) if name[i] == "."}
    return any(names[module] not in covered for module in attention)


def call_of(attended: Attended, name: str, place: Place, turn: tuple[int, int]) -> Call:
    """Return the record of an attention function's call, of the entry at `place`."""
    at = place.at
    assert at is not None
    query, key, value, mask = attended.query, attended.key, attended.value, attended.mask
    module, options, rows = attended.module, attended.options, len(query)
    scaling, number = options.get("scaling"), getattr(module, "layer_idx", None)
    softcap, sink = options.get("softcap"), options.get("s_aux")
    # As in transformers' sdpa, the module decides if the call has no `is_causal`. Eager functions
    # mask no cell without a mask.
    causal = options.get("is_causal")
    causal = getattr(module, "is_causal", True) if causal is None else causal
    is_causal = bool(causal) and mask is None and query.shape[2] > 1 and not attended.is_eager
    return Call(
        module=name,
        layer_idx=number if isinstance(number, int) else None,
        q=query[at].detach(),
        k=key[at].detach(),
        v=value[at].detach(),
        scale=query.shape[-1] ** -0.5 if scaling is None else float(scaling),
        mask=of_row(mask, at, rows),
        causal=is_causal,
        position_bias=of_row(options.get("position_bias"), at, rows),
        softcap=None if softcap is None else float(softcap),
        sink=None if sink is None else sink.detach().float().flatten(),
        rows=rows,
        share=place.share,
        turn=turn,
    )


def _output_of(attended: Attended, at: int, queries: list[int]) -> torch.Tensor | None:
    """Return the output of `queries` of entry `at`, (h, n, d_v), None for an unknown layout."""
    output = attended.output[0] if isinstance(attended.output, tuple) else attended.output
    _, h, n_q, _ = attended.query.shape
    d_v = attended.value.shape[-1]
    shape = tuple(getattr(output, "shape", ()))[1:]
    # Test this layout first, because nearly all functions return it, and h may equal n_q.
    if shape in {(n_q, h, d_v), (n_q, h * d_v)}:
        return _rows_of(output[at], 0, queries).view(len(queries), h, d_v).transpose(0, 1)
    if shape == (h, n_q, d_v):
        return _rows_of(output[at], 1, queries)
    return None


def _rows_of(output: torch.Tensor, dim: int, queries: list[int]) -> torch.Tensor:
    import torch

    # Use index_select, because indexing with a list takes five times as long.
    return output.index_select(dim, torch.tensor(queries, device=output.device))
