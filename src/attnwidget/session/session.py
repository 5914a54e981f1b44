"""`Session`: a source of attention, its mask, and the choice of the map on screen."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from attnwidget.maths.masks import as_mask
from attnwidget.maths.presets import check_presets, preset_mask, recognise
from attnwidget.maths.validate import index
from attnwidget.session.commands import Set, ShowReport
from attnwidget.session.history import History
from attnwidget.session.jobs import Jobs
from attnwidget.session.knock_outs import Ran, followed_run, without_hidden_run
from attnwidget.session.size import check_size, map_shape
from attnwidget.session.snapshot import Snapshot
from attnwidget.session.store import Batch, Change, Command, RefusedError, Store
from attnwidget.sources.api import stack_layers
from attnwidget.sources.runs import Stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike

    from attnwidget.lessons.check import CheckResult
    from attnwidget.session.experiment import Experiment
    from attnwidget.sources.api import Source
    from attnwidget.sources.generation import Generation


class Session(Store[Snapshot]):
    """The state machine behind a widget, without any part of Jupyter.

    >>> from attnwidget.session.commands import Set
    >>> from attnwidget.sources.lab import LabSource
    >>> session = Session(LabSource.create("The cat sat"))
    >>> session.do(Set("layer", 0)).after.shape
    (3, 3)
    """

    def __init__(
        self,
        source: Source,
        *,
        mask: ArrayLike | None = None,
        presets: Any = None,
        layer: int | None = None,
        head: int = 0,
        large: bool = False,
        generated: Generation | None = None,
        **look: Any,
    ) -> None:
        """Start from `source`; `look` are choices by name, such as ``view="steps"``.

        `generated` is the text that a model generates, where `source` is a part of it.

        Raises
        ------
        TypeError, ValueError
            For anything that does not fit, naming the argument.
        """
        layers = {each.index: each for each in stack_layers(source)}
        layer = next(iter(layers)) if layer is None else index("layer", layer, list(layers))
        head = index("head", head, range(layers[layer].n_heads))
        check_size(source, layer, large)
        shape = map_shape(source)
        own = as_mask(mask, *shape)
        wanted = check_presets(presets, shape[1])
        if presets is None:
            wanted = recognise(own, source.tokens, source.key_tokens)
        own |= preset_mask(wanted, source.tokens, source.key_tokens)
        now = Snapshot(source, layer, head, own, wanted, is_large=large, generated=generated)
        now = followed_run(now)
        for name, value in look.items():
            if value is not None:
                now = Set(name, value).apply(now)
        now = now.evolve(history=History())
        _compute(now)
        super().__init__(now)
        self._jobs = Jobs()
        self._follow("python")

    def _next(self, before: Snapshot, command: Command[Snapshot]) -> Snapshot:
        after = command.apply(before)
        if after is before:
            return before
        after = followed_run(without_hidden_run(before, after))
        # Raises an error for values that the maps cannot be computed from, before anything changes.
        _compute(after)
        return after if _is_same_map(before, after) else after.evolve(revision=self._number)

    @property
    def _number(self) -> int:
        """The revision of the next change; all commands of a batch have one."""
        return self.settled.revision + 1

    def _joined(self, batch: Batch[Snapshot], after: Snapshot) -> Snapshot:
        """Return the state after a group: several edits of an atomic group are one undo step."""
        before = batch.before
        if not batch.atomic or len(batch.by) < 2 or after.history is before.history:
            return after
        return after.evolve(history=before.recorded())

    # Runs of the model

    def tell(self, change: Change[Snapshot], errors: Sequence[BaseException] = ()) -> None:
        """Run the model if other knock-outs are wanted, then call the observers.

        A program waits for the run. A page does not: the run is done in a thread, and newer
        knock-outs stop it.
        """
        every = list(errors)
        before, after = change.before.experiment, change.after.experiment
        try:
            if after is not before:
                self._follow(change.by)
        except KeyboardInterrupt as error:
            every.append(error)
        except Exception as error:
            # A program that has not set knock-outs finds the error in the state alone.
            every += [error] if after.knocked_out != before.knocked_out else []
        super().tell(change, every)

    def wait_for_run(self, seconds: float) -> None:
        """Wait for the run beside this thread, at most for so many seconds."""
        self._jobs.wait(seconds)

    def _follow(self, by: str) -> None:
        experiment = self.settled.experiment
        if not experiment.is_running:
            self._jobs.stop()
        elif by == "python":
            with self._jobs.here() as is_stopped:
                self._run(experiment, is_stopped)
        else:
            self._jobs.latest(partial(self._run_beside, experiment))

    def _run(self, experiment: Experiment, is_stopped: Callable[[], bool]) -> None:
        """Run the model, and take the outcome; an error is in the state, and raised."""
        assert experiment.runner is not None
        try:
            outcome = experiment.runner.run(experiment.knocked_out, is_stopped)
        except Stopped:
            return
        except KeyboardInterrupt:
            self.do(Ran(experiment.stopped()))
            raise
        except Exception as error:
            self.do(Ran(experiment.failed(str(error) or type(error).__name__)))
            raise
        try:
            self.do(Ran(outcome))
        except RefusedError as error:  # a head that cannot be shown
            self.do(Ran(experiment.failed(str(error))))
            raise

    def _run_beside(self, experiment: Experiment, is_stopped: Callable[[], bool]) -> None:
        with suppress(Exception):  # the state has the words of the error
            self._run(experiment, is_stopped)

    # Questions

    def source_of(self, stack: str | None = None) -> Source:
        """Return the source with `stack` shown; raise ValueError for an unknown stack."""
        source = self.now.source
        return source if stack is None else source.of(stack)

    def check(self, fn: Callable[..., Any], mask: ArrayLike | None = None) -> CheckResult:
        """Check a student's function, and show the report; see `attnwidget.lessons.check`."""
        from attnwidget.lessons.check import check
        from attnwidget.lessons.report import Report

        now = self.now
        Q, K = now.inputs.Q, now.inputs.K
        if Q is None or K is None:
            raise ValueError("check: it needs Q and K; given weights have none")
        Q, K = (array[now.head] if array.ndim > 2 else array for array in (Q, K))
        if mask is None and now.maps.mask.any():
            mask = now.maps.mask
        # Run the user's function without the lock, because it may take long.
        result = check(fn, Q, K, mask, scale=now.inputs.scale)
        self.do(ShowReport(Report.of_check(result, now.revision).noted(now.left_out)))
        return result


def _compute(now: Snapshot) -> None:
    """Compute the maps; raise an error for a head that cannot be shown."""
    _ = now.maps


def _is_same_map(before: Snapshot, after: Snapshot) -> bool:
    """Whether the map, its labels and the history are the same in both states."""
    return (
        after.source is before.source
        and after.shown == before.shown
        and after.own is before.own
        and after.presets is before.presets
        and after.history is before.history
    )
