"""Run a transformers model once, and record the inputs of each attention call.

The model runs as it was loaded. If a module gets its attention function from transformers'
AttentionInterface, the function runs, and its inputs and output are recorded. Attention outside
the interface is read from the torch functions that the module calls. The weights of each recorded
call are compared with the output of the attention, and attention modules that ran without a record
are reported as missing.
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
    """The attention calls of a run, in the order of the run, and the modules without a record."""

    calls: list[Call]
    missing: list[Missing]


# A context manager around a pass of a model. It yields the function to call after each layer.
Watch = Callable[["PreTrainedModel"], AbstractContextManager[Callable[[], None]]]


@contextmanager
def unwatched(_model: PreTrainedModel) -> Iterator[Callable[[], None]]:
    """Yield a function that does nothing."""
    yield lambda: None


def run(
    model: PreTrainedModel,
    inputs: Mapping[str, torch.Tensor],
    batch_index: int = 0,
    watch: Watch = unwatched,
) -> Capture:
    """Run `model` once on `inputs` and return its attention calls.

    The pass is ``model(**inputs)`` in evaluation mode and without gradients. The calls belong to
    text `batch_index` of the batch. The pass leaves the model unchanged, also after an error or an
    interrupt. `watch` is called for each layer.

    Raises
    ------
    ValueError
        If no attention of the model could be recorded.
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
    """Return the calls that can be shown, and the missing modules; raise ValueError without calls.

    Raises
    ------
    ValueError
        If no call can be shown.
    """
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
    names: dict[Any, str] | None = None,
) -> Iterator[Recorder]:
    """Call `keep` with every attention call that `model` makes in this thread.

    The model is changed during this time only. Each call has been compared with the output of the
    attention. If `proves` is False, the recorder keeps the `outputs` for a later comparison.
    `names` are the names of the modules, if they are known.
    """
    import torch

    with ExitStack() as contexts:
        names = contexts.enter_context(borrowed(model, names))
        recorder = Recorder(model, names, Rows(model, inputs, batch_index), keep, proves)
        recorder.read_lengths(inputs, batch_index)
        contexts.enter_context(recorder.following())
        contexts.enter_context(listening(recorder.listener))
        if recorder.must_watch:
            contexts.enter_context(watching(recorder.frame))
        # Do not use inference mode, because a model that keeps a tensor of the run could not be
        # trained with it later.
        contexts.enter_context(torch.no_grad())
        yield recorder
