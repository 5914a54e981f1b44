"""A model that writes: its own `generate`, and the attention that produced each token."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from attnwidget.sources.capture import Recorder, placed, recording, settled
from attnwidget.sources.growth import Growth
from attnwidget.sources.model import ModelSource
from attnwidget.sources.reading import Reading, read_inputs, read_text, read_tokens
from attnwidget.sources.stacks import kind_of
from attnwidget.sources.supported import check_model

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

# Options under which a row is not what produced a token, or steps are not one text's.
_REFUSED = {
    "num_beams": (1, "beams change places while they are written"),
    "num_return_sequences": (1, "one text is shown"),
    "assistant_model": (None, "another model writes too"),
    "prompt_lookup_num_tokens": (None, "several tokens are written in one step"),
    "cache_implementation": (None, "the default cache is read"),
}


def write(
    model: PreTrainedModel,
    tokenizer: Any,
    text: Any,
    options: Mapping[str, Any],
    grown: Callable[[ModelSource], None],
    *,
    inputs: Mapping[str, Any] | None = None,
    batch_index: int = 0,
) -> ModelSource:
    """Let `model` write on from `text` or `inputs` under ``model.generate(**options)``.

    After each token, `grown` gets the source so far: the row of a token is what the model looked
    at when it wrote the next one. The last token written was never read, and has no row. An
    interrupt ends the writing, and what is there is returned. The model is left as it was found.

    Raises
        TypeError, ValueError: for options that can't be shown, and as `ModelSource.capture` does.
    """
    check_model(model)
    _check(model, options)
    if inputs is None:
        reading = read_text(model, tokenizer, text)
    else:
        reading = read_inputs(model, tokenizer, inputs, batch_index)
    growth = Growth(lambda module: kind_of(model, module) == "cross")
    writing = _Writing(model, tokenizer, reading, batch_index, growth, grown)
    try:
        with recording(model, reading.inputs, batch_index, growth.keep) as recorder:
            writing.recorder = recorder
            feed = placed(model, reading.inputs)
            model.generate(**feed, **_with(options, writing))
    except KeyboardInterrupt:
        if writing.source is None:
            raise
    assert writing.source is not None
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

    def __call__(self, ids: torch.Tensor, _scores: Any, **_: Any) -> torch.Tensor:
        import torch

        assert self.recorder is not None
        capture = settled(self._model, self._growth.calls(), self.recorder)
        name = "target" if self._model.config.is_encoder_decoder else "source"
        text = read_tokens(
            self._model, self._tokenizer, ids[self._row].tolist(), self._reading.inputs
        )
        # The token written last has not been read.
        read = text.without_last()
        texts = {**self._reading.texts, name: read}
        reading = replace(self._reading, texts=texts, inputs=self._read(name, ids[:, :-1]))
        source = ModelSource.of_capture(self._model, capture, reading)
        self.source = source.written(text.tokens[self._prompt(name) :])
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
        return len(known.tokens) if known is not None else 1


def _with(options: Mapping[str, Any], writing: _Writing) -> dict[str, Any]:
    from transformers import StoppingCriteriaList

    given = options.get("stopping_criteria") or []
    return {**options, "stopping_criteria": StoppingCriteriaList([*given, writing])}


def _check(model: PreTrainedModel, options: Any) -> None:
    if not isinstance(options, Mapping):
        raise TypeError(
            f"generate: got {type(options).__name__}, want options of model.generate as a "
            'mapping, {"max_new_tokens": 20}'
        )
    if not model.can_generate():
        raise ValueError(f"generate: {type(model).__name__} doesn't write; want one with a head")
    for name, (only, why) in _REFUSED.items():
        asked = options.get(name, getattr(model.generation_config, name, None))
        if asked is not None and asked != only:
            raise ValueError(f"generate: {name} is {asked!r}, want {only!r}: {why}")
