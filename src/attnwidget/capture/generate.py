"""Run a model's `generate`, and capture the attention that produced each token."""

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
    """Continue `text` or `inputs` with ``model.generate(**options)``.

    After each token, `grown` is called with the source so far. The row of a token is the attention
    that produced the next token. The last token has no row, because the model never read it. The
    writing ends early at an interrupt, or at the end of the model's positions; the source so far is
    then returned, and in the second case the notice states the end. The model is left unchanged.

    Raises
    ------
    TypeError, ValueError
        If an option cannot be shown, or for the reasons of `ModelSource.capture`.
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
        raise ValueError("generate: no token was written; want options that allow a token")
    writing.source.check_proof(strict)
    return writing.source


class _Writing:
    """A stopping criterion that never stops. `generate` calls it after each token."""

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
        # Ignore calls of the model in other threads, which are not steps of this text.
        self._thread = threading.get_ident()

    def before_step(self, _model: Any, _args: Any) -> None:
        """Raise _PastPositionsError before a step beyond the model's table of positions.

        The model would raise IndexError, and on a GPU the whole process could not use the GPU
        afterwards.
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
        """Return the number of padding tokens that every text has, which take no position."""
        mask = self._reading.inputs.get("attention_mask")
        if mask is None or mask.ndim != 2 or self._model.config.is_encoder_decoder:
            return 0
        return int((mask == 0).sum(-1).min())

    def after_step(self, _model: Any, _args: Any, _output: Any) -> None:
        """Note that the model's pass is over. A later error does not come from the positions."""
        if threading.get_ident() == self._thread:
            self._in_pass = False

    def ended_by(self, error: Exception) -> bool:
        """Return whether the reason of `error` is that the model has no position left.

        If so, the notice of the source states the number of tokens written.
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
        """Return the inputs of a single pass over the prompt and the tokens written so far."""
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
        # A decoder's prompt is its start token. Embeddings in place of ids have no tokens.
        return 1 if name == "target" else 0


def _joined(tokens: Sequence[str]) -> str:
    text = "".join(tokens)
    return text.replace(SPACE, " ") if SPACE in text else " ".join(tokens)


def _with(options: Mapping[str, Any], writing: _Writing) -> dict[str, Any]:
    from transformers import StoppingCriteriaList

    given = options.get("stopping_criteria") or []
    given = given if isinstance(given, (list, tuple)) else [given]
    return {**options, "stopping_criteria": StoppingCriteriaList([*given, writing])}
