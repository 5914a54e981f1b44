"""Run a model's `generate`, and capture the attention that produced each token."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from attnwidget.capture.arrange import part_of
from attnwidget.capture.growth import Growth
from attnwidget.capture.inputs import Reading, read, read_tokens
from attnwidget.capture.options import check_options
from attnwidget.capture.pieces import Pieces
from attnwidget.capture.run import placed, recording, settled
from attnwidget.capture.source import ModelSource
from attnwidget.capture.supported import check_model, positions
from attnwidget.sources.generation import Generation

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from attnwidget.capture.recorder import Recorder
    from attnwidget.sources.generation import State

_ABOUT_ROWS = "The row of a token is what the model looked at when it generated the next token."


class _PastPositionsError(Exception):
    """The model has no position for another token."""


def capture_generation(
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
    is_stopped: Callable[[], bool] = lambda: False,
    key: str = "",
) -> ModelSource:
    """Continue `text` or `inputs` with ``model.generate(**options)``.

    After each token, `grown` is called with the source so far, whose `generation` has the text so
    far. The row of a token is the attention that produced the next token. The last token has no
    row, because the model never read it. The generation ends early when `is_stopped` returns True
    after a token, at an interrupt, or at the end of the model's positions. The source so far is
    then returned; its `generation` has the state, and the notice states the end of the positions.
    The model is left unchanged.

    Raises
    ------
    TypeError, ValueError
        If an option cannot be shown, or for the reasons of `ModelSource.capture`.
    """
    check_model(model)
    check_options(model, options, inputs)
    reading = read(model, tokenizer, text, inputs, batch_index, tokenize)
    growth = Growth(lambda module: part_of(model, module) == "cross")
    steps = _Steps(model, tokenizer, reading, batch_index, growth, grown, is_stopped, key)
    steps.ends = _end_tokens(model, options)
    hooks = [
        model.register_forward_pre_hook(steps.before_pass),
        model.register_forward_hook(steps.after_pass),
    ]
    state: State = "done"
    try:
        with recording(model, reading.inputs, batch_index, growth.keep) as recorder:
            steps.recorder = recorder
            feed = placed(model, reading.inputs)
            model.generate(**feed, **_with(options, steps))
    except KeyboardInterrupt:
        if steps.source is None:
            raise
        state = "stopped"
    except (_PastPositionsError, IndexError, RuntimeError) as error:
        if not steps.ended_by(error):
            raise
        state = "full"
    finally:
        for hook in hooks:
            hook.remove()
    source = steps.source
    if source is None or source.generation is None:
        raise ValueError("generate: no token was generated; want options that allow a token")
    source.check_proof(strict)
    state = "stopped" if steps.was_stopped else state
    return source.with_generation(replace(source.generation, state=state))


class _Steps:
    """The steps of a generation, as a stopping criterion, which `generate` calls after each."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: Any,
        reading: Reading,
        row: int,
        growth: Growth,
        grown: Callable[[ModelSource], None],
        is_stopped: Callable[[], bool],
        key: str,
    ) -> None:
        self.source: ModelSource | None = None
        self.recorder: Recorder | None = None
        self.was_stopped = False
        # The tokens that end the text. Other texts of the batch may go on, which are not shown.
        self.ends: frozenset[int] = frozenset()
        self._model, self._tokenizer, self._reading = model, tokenizer, reading
        self._row, self._growth, self._grown = row, growth, grown
        self._is_stopped, self._key = is_stopped, key
        self._name = "target" if model.config.is_encoder_decoder else "source"
        self._positions, self._in_table = positions(model)
        self._ids: torch.Tensor | None = None
        self._in_pass = False
        # The logits of the last position that the model has read, from which a token is chosen.
        self._logits: torch.Tensor | None = None
        self._pieces: Pieces | None = None
        # Ignore calls of the model in other threads, which are not steps of this text.
        self._thread = threading.get_ident()

    def before_pass(self, _model: Any, _args: Any) -> None:
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

    def after_pass(self, _model: Any, _args: Any, output: Any) -> None:
        """Keep the logits of the pass. A later error does not come from the positions."""
        if threading.get_ident() != self._thread:
            return
        self._in_pass = False
        logits = getattr(output, "logits", None)
        if logits is None or logits.ndim != 3 or len(logits) <= self._row:
            self._logits = None
        else:
            self._logits = logits[self._row, -1].clone()

    def ended_by(self, error: Exception) -> bool:
        """Return whether the reason of `error` is that the model has no position left.

        If so, the notice of the source states the number of generated tokens.
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
        n = self._ids.shape[1] - self._prompt()
        self.source = self.source.with_notice(
            f"{self.source.notice} The generation ended after {n} token{'s' * (n != 1)}, "
            f"because {type(self._model).__name__} has {self._positions} positions."
        )
        return True

    def __call__(self, ids: torch.Tensor, _scores: Any, **_: Any) -> torch.Tensor:
        import torch

        self._ids = ids
        assert self.recorder is not None
        capture = settled(self._model, self._growth.calls(), self.recorder)
        text = read_tokens(self._model, self._tokenizer, ids, self._row, self._reading.inputs)
        # The last token has not been read.
        texts = {**self._reading.texts, self._name: text.without_last()}
        reading = replace(self._reading, texts=texts, inputs=self._read(ids[:, :-1]))
        source = ModelSource.of_capture(self._model, capture, reading)
        source = source.with_notice(f"{_ABOUT_ROWS} {source.notice}".rstrip())
        token, label = int(ids[self._row, -1]), text.tokens[-1]
        self.source = source.with_generation(self._generation(source, token, label))
        self._grown(self.source)
        self.was_stopped = self._is_stopped()
        is_over = self.was_stopped or token in self.ends
        return torch.full((len(ids),), is_over, dtype=torch.bool, device=ids.device)

    def _generation(self, source: ModelSource, token: int, label: str) -> Generation:
        """Return the generation with another `token`; `source` has the rows before the token."""
        before = None if self.source is None else self.source.generation
        if self._pieces is None or before is None:
            assert self._ids is not None
            prompt = self._ids[self._row, : self._prompt()].tolist()
            self._pieces = Pieces(self._tokenizer, prompt)
            rows = len(source.of(_generating_stack(source)).tokens)
            before = Generation(self._pieces.prompt(), prompt_rows=rows, key=self._key)
        return replace(
            before,
            tokens=(*before.tokens, self._pieces.add(token, label)),
            probabilities=(*before.probabilities, self._probability(token)),
        )

    def _probability(self, token: int) -> float | None:
        """Return the softmax of the model's logits at `token`; None if it is not known."""
        logits = self._logits
        if logits is None or token >= len(logits):
            return None
        probability = float(logits.float().softmax(-1)[token])
        return probability if probability <= 1 else None  # not for NaN

    def _read(self, ids: torch.Tensor) -> dict[str, Any]:
        """Return the inputs of a single pass over the prompt and the tokens generated so far."""
        import torch

        inputs = dict(self._reading.inputs)
        inputs["decoder_input_ids" if self._name == "target" else "input_ids"] = ids
        mask = inputs.get("attention_mask")
        if self._name == "source" and mask is not None:
            more = mask.new_ones((len(mask), ids.shape[1] - mask.shape[1]))
            inputs["attention_mask"] = torch.cat([mask, more], dim=1)
        return inputs

    def _prompt(self) -> int:
        """Return the number of tokens of the prompt among the ids of the text."""
        known = self._reading.texts.get(self._name)
        if known is not None:
            return len(known.tokens)
        # A decoder's prompt is its start token. Embeddings in place of ids have no tokens.
        return 1 if self._name == "target" else 0


def _generating_stack(source: ModelSource) -> str:
    """Return the stack whose rows are the tokens of the generated text."""
    stacks = [layer.stack for layer in source.layers if layer.stack_id.part in {"self", "decoder"}]
    return stacks[0] if stacks else source.stack


def _end_tokens(model: PreTrainedModel, options: Mapping[str, Any]) -> frozenset[int]:
    """Return the tokens at which `generate` ends a text."""
    import torch

    config = options.get("generation_config") or model.generation_config
    ends = options.get("eos_token_id", getattr(config, "eos_token_id", None))
    return frozenset() if ends is None else frozenset(torch.as_tensor(ends).flatten().tolist())


def _with(options: Mapping[str, Any], steps: _Steps) -> dict[str, Any]:
    from transformers import StoppingCriteriaList

    given = options.get("stopping_criteria") or []
    given = given if isinstance(given, (list, tuple)) else [given]
    return {**options, "stopping_criteria": StoppingCriteriaList([*given, steps])}
