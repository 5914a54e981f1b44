"""One forward pass of a transformers model that keeps what each attention call was given.

The model runs as it was loaded. Where it asks transformers' AttentionInterface for an attention
function, that function runs, and what it was given and what it returned are recorded beside it.
Attention outside the interface is read from inside its modules. Each recorded call is proven
against what the attention returned, and attention modules that ran without a record are named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnwidget.capture.coverage import Missing, in_words, one_map_a_run
from attnwidget.capture.fallback import watching
from attnwidget.capture.intercept import listening
from attnwidget.capture.lend import borrowed
from attnwidget.capture.proof import proven_together
from attnwidget.capture.recorder import Recorder
from attnwidget.capture.records import Call, one_a_layer
from attnwidget.capture.rows import Rows
from attnwidget.capture.supported import refused

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Capture:
    """The attention calls of one run, in the order in which they were made, and what is missing."""

    calls: list[Call]
    missing: list[Missing]


# Something that watches a pass of a model: it gives the function that is called after each layer.
Watch = Callable[["PreTrainedModel"], AbstractContextManager[Callable[[], None]]]


@contextmanager
def unwatched(_model: PreTrainedModel) -> Iterator[Callable[[], None]]:
    """Give a function that does nothing."""
    yield lambda: None


def run(
    model: PreTrainedModel,
    inputs: Mapping[str, torch.Tensor],
    batch_index: int = 0,
    watch: Watch = unwatched,
) -> Capture:
    """Run `model` once on `inputs` and return its attention calls.

    The pass is ``model(**inputs)`` in evaluation mode and without gradients. Each call is that of
    the text `batch_index` of the batch. Whatever happens, the model is left as it was found.
    `watch` hears of each layer; the pass may be interrupted. Raises ValueError where no attention
    of the model could be recorded.
    """
    calls: list[Call] = []
    feed = placed(model, inputs)
    if model.config.model_type == "prophetnet":  # transformers' own pass fails with a cache
        feed.setdefault("use_cache", False)
    with watch(model) as step:

        def keep(call: Call) -> None:
            calls.append(call)
            step()

        with recording(model, inputs, batch_index, keep, proves=False) as recorder:
            model(**feed)
    return settled(model, proven_together(calls, recorder.outputs), recorder)


def settled(model: PreTrainedModel, calls: list[Call], recorder: Recorder) -> Capture:
    """Return the calls that can be shown and what else ran; ValueError where none can."""
    single, more = one_map_a_run(model, one_a_layer(calls, recorder.segments))
    missing = [*recorder.missing(), *more]
    if single:
        return Capture(single, missing)
    if calls:
        modules = {call.module for call in calls}
        raise refused(model, f"calls attention {len(calls)} times in {len(modules)} modules")
    words = in_words(model, missing)
    raise refused(model, f"made no attention call that could be seen. {words}".rstrip(". "))


def placed(model: PreTrainedModel, inputs: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """Return `inputs` on the device of the model's first weights."""
    import torch

    device = next((p.device for p in model.parameters() if not p.is_meta), torch.device("cpu"))
    return {k: v.to(device) if hasattr(v, "to") else v for k, v in inputs.items()}


@contextmanager
def recording(
    model: PreTrainedModel,
    inputs: Mapping[str, torch.Tensor],
    batch_index: int,
    keep: Callable[[Call], None],
    *,
    proves: bool = True,
) -> Iterator[Recorder]:
    """Hand `keep` every attention call that this thread has `model` make.

    The model is lent for that time, and left as it was found. Calls come proven, unless `proves`
    is False: then the recorder keeps the `outputs` to prove them with.
    """
    import torch

    with ExitStack() as held:
        names = held.enter_context(borrowed(model))
        recorder = Recorder(model, names, Rows(model, inputs, batch_index), keep, proves)
        recorder.read_lengths(inputs, batch_index)
        held.enter_context(recorder.following())
        held.enter_context(listening(recorder.listener))
        if recorder.must_watch:
            held.enter_context(watching(recorder.frame))
        # Not inference mode: a model that keeps a tensor of the run must be able to train after it.
        held.enter_context(torch.no_grad())
        yield recorder
