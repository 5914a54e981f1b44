"""A model that writes: its own `generate`, and the attention that produced each token."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from attnwidget.capture.arrange import part_of
from attnwidget.capture.growth import Growth
from attnwidget.capture.inputs import Reading, read, read_tokens
from attnwidget.capture.options import check_options
from attnwidget.capture.run import placed, recording, settled
from attnwidget.capture.source import ModelSource
from attnwidget.capture.supported import check_model, positions
from attnwidget.sources.labels import SPACE

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from attnwidget.capture.recorder import Recorder


class _PastPositionsError(Exception):
    """The model has no position for another token."""


def write(
    model: PreTrainedModel,
    tokenizer: Any,
    text: Any,
    options: Mapping[str, Any],
    grown: Callable[[ModelSource], None],
    *,
    inputs: Mapping[str, Any] | None = None,
    batch_index: int = 0,
    tokenize: Mapping[str, Any] | None = None,
    strict: bool = False,
) -> ModelSource:
    """Let `model` write on from `text` or `inputs` under ``model.generate(**options)``.

    After each token, `grown` gets the source so far: the row of a token is what the model looked
    at when it wrote the next one. The last token written was never read, and has no row. An
    interrupt ends the writing, and what is there is returned; so does the end of the model's
    positions, and the notice of the source says so. The model is left as it was found.

    Raises
        TypeError, ValueError: for options that can't be shown, and as `ModelSource.capture` does.
    """
    check_model(model)
    check_options(model, options, inputs)
    reading = read(model, tokenizer, text, inputs, batch_index, tokenize)
    growth = Growth(lambda module: part_of(model, module) == "cross")
    writing = _Writing(model, tokenizer, reading, batch_index, growth, grown)
    hooks = [
        model.register_forward_pre_hook(writing.before_step),
        model.register_forward_hook(writing.after_step),
    ]
    try:
        with recording(model, reading.inputs, batch_index, growth.keep) as recorder:
            writing.recorder = recorder
            feed = placed(model, reading.inputs)
            model.generate(**feed, **_with(options, writing))
    except KeyboardInterrupt:
        if writing.source is None:
            raise
    except (_PastPositionsError, IndexError, RuntimeError) as error:
        if not writing.ended_by(error):
            raise
    finally:
        for hook in hooks:
            hook.remove()
    if writing.source is None:
        raise ValueError("generate: nothing was written; want options under which a token is")
    writing.source.check_proof(strict)
    return writing.source


class _Writing:
    """Called by `generate` after each token, as one of its stopping criteria that never stops."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: Any,
        reading: Reading,
        row: int,
        growth: Growth,
        grown: Callable[[ModelSource], None],
    ) -> None:
        self.source: ModelSource | None = None
        self.recorder: Recorder | None = None
        self._model, self._tokenizer, self._reading = model, tokenizer, reading
        self._row, self._growth, self._grown = row, growth, grown
        self._positions, self._in_table = positions(model)
        self._ids: torch.Tensor | None = None
        self._in_pass = False
        # Another thread may call the model meanwhile; that is no step of this text.
        self._thread = threading.get_ident()

    def before_step(self, _model: Any, _args: Any) -> None:
        """Raise _PastPositionsError before a step that would look beyond a table of positions.

        The model itself would raise IndexError, and on a GPU stop the whole process from using it.
        """
        if threading.get_ident() != self._thread:
            return
        self._in_pass = True
        ids = self._ids
        if not self._in_table or ids is None or self._positions is None:
            return
        if ids.shape[1] > self._positions + self._padded():
            raise _PastPositionsError

    def _padded(self) -> int:
        """Return how many tokens of each text are padding, which takes no position."""
        mask = self._reading.inputs.get("attention_mask")
        if mask is None or mask.ndim != 2 or self._model.config.is_encoder_decoder:
            return 0
        return int((mask == 0).sum(-1).min())

    def after_step(self, _model: Any, _args: Any, _output: Any) -> None:
        """Take note that the model's pass is over: later errors are not of its positions."""
        if threading.get_ident() == self._thread:
            self._in_pass = False

    def ended_by(self, error: Exception) -> bool:
        """Whether `error` says no more than that the model has no position for another token.

        If so, the notice of the source says how far the writing came.
        """
        if not self._in_pass or self.source is None:
            return False
        if self._ids is None or self._positions is None:
            return False
        known = (
            isinstance(error, (_PastPositionsError, IndexError)) or "out of bounds" in f"{error}"
        )
        if not known or self._ids.shape[1] <= self._positions:
            return False
        name = "target" if self._model.config.is_encoder_decoder else "source"
        written = self._ids.shape[1] - self._prompt(name)
        self.source = self.source.with_notice(
            f"{self.source.notice} Writing stopped after {written} token{'s' * (written != 1)}, "
            f"because {type(self._model).__name__} has {self._positions} positions."
        )
        return True

    def __call__(self, ids: torch.Tensor, _scores: Any, **_: Any) -> torch.Tensor:
        import torch

        self._ids = ids
        assert self.recorder is not None
        capture = settled(self._model, self._growth.calls(), self.recorder)
        name = "target" if self._model.config.is_encoder_decoder else "source"
        text = read_tokens(self._model, self._tokenizer, ids, self._row, self._reading.inputs)
        # The token written last has not been read.
        texts = {**self._reading.texts, name: text.without_last()}
        reading = replace(self._reading, texts=texts, inputs=self._read(name, ids[:, :-1]))
        source = ModelSource.of_capture(self._model, capture, reading)
        written = _joined(text.tokens[self._prompt(name) :])
        notice = (
            f"Written so far: “{written}”. The row of a token is what the model looked at when it "
            f"wrote the next one. {source.notice}"
        )
        self.source = source.with_notice(notice.rstrip())
        self._grown(self.source)
        return torch.zeros(len(ids), dtype=torch.bool, device=ids.device)

    def _read(self, name: str, ids: torch.Tensor) -> dict[str, Any]:
        """Return the inputs with what was written, as one pass would read them."""
        import torch

        inputs = dict(self._reading.inputs)
        inputs["decoder_input_ids" if name == "target" else "input_ids"] = ids
        mask = inputs.get("attention_mask")
        if name == "source" and mask is not None:
            more = mask.new_ones((len(mask), ids.shape[1] - mask.shape[1]))
            inputs["attention_mask"] = torch.cat([mask, more], dim=1)
        return inputs

    def _prompt(self, name: str) -> int:
        known = self._reading.texts.get(name)
        if known is not None:
            return len(known.tokens)
        # A decoder starts from a token of its own; embeddings in place of ids are no tokens.
        return 1 if name == "target" else 0


def _joined(tokens: Sequence[str]) -> str:
    text = "".join(tokens)
    return text.replace(SPACE, " ") if SPACE in text else " ".join(tokens)


def _with(options: Mapping[str, Any], writing: _Writing) -> dict[str, Any]:
    from transformers import StoppingCriteriaList

    given = options.get("stopping_criteria") or []
    given = given if isinstance(given, (list, tuple)) else [given]
    return {**options, "stopping_criteria": StoppingCriteriaList([*given, writing])}
