"""Runs of a model with parts of its attention knocked out: what runs, and what came of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from attnwidget.sources.effect import Effect, Reach
    from attnwidget.sources.knockouts import KnockOut

#: The largest number of knock-outs of a run.
MOST_KNOCKOUTS = 1_000


class Stopped(Exception):  # noqa: N818
    """A run ended because a newer run was wanted, or because somebody stopped it."""


class Runner(Protocol):
    """A model that can run again on the text that its maps were captured from."""

    @property
    def model(self) -> Any:
        """The model that runs."""

    @property
    def inputs(self) -> Mapping[str, Any]:
        """The input that the model is run on, a batch."""

    @property
    def batch_index(self) -> int:
        """The text of the batch whose maps and effects are shown."""

    @property
    def positions(self) -> int:
        """The number of positions that an effect may be read at."""

    def checked(self, knockouts: Any) -> tuple[KnockOut, ...]:
        """Return knock-outs of the model without repetition.

        Raises
        ------
        TypeError, ValueError
            If the model has no such stack, layer, head or position, cannot be edited, or is not
            the model that was opened any more.
        """

    def run(self, knockouts: Sequence[KnockOut], is_stopped: Callable[[], bool]) -> Outcome:
        """Run the model with the knock-outs; `is_stopped` is asked at each layer.

        Raises
        ------
        Stopped
            If `is_stopped` returned True.
        ValueError
            If the model is not the model that was opened any more.
        """

    def compared(
        self, first: Sequence[KnockOut], second: Sequence[KnockOut], position: int | None
    ) -> Effect:
        """Return what changes in the output from the first knock-outs to the second.

        Both are run anew, because the outputs of runs are not kept.

        Raises
        ------
        ValueError
            If the model is not the model that was opened any more.
        """


@dataclass(frozen=True, eq=False)
class Outcome:
    """The outcome of a run of `runner` with `knockouts`.

    `words` say from which layer on the model ran, or why there is no result. `is_partial` says
    that the layers before the first edit were not computed again. `calls` has the attention of the
    run, for the source that the runner belongs to, and `outputs` what the model returned.
    `effect_at` returns the effect at a position.
    """

    runner: Runner
    knockouts: tuple[KnockOut, ...]
    state: Literal["done", "stopped", "failed"]
    words: str = ""
    seconds: float | None = None
    is_partial: bool = False
    calls: Any = None
    outputs: Any = None
    reach: tuple[Reach, ...] = ()
    effect_at: Callable[[int | None], Effect] | None = None


@dataclass(frozen=True)
class RunState:
    """Whether a model runs with knock-outs: "idle", "running", "done", "stopped" or "failed".

    "unable" is the state of a model that cannot run again. `words` say what ran, or why there is no
    result, and `seconds` how long the run took.
    """

    state: str
    words: str = ""
    seconds: float | None = None
    is_partial: bool = False


@dataclass(frozen=True, eq=False)
class RunRecord:
    """A run that was done: the knock-outs, the effect in one number with its unit, and the time.

    `is_partial` says that the layers before the first edit were not computed again. `effect` is
    the effect without whole distributions, and `runner` has the model and the text.
    """

    name: str
    knockouts: tuple[KnockOut, ...]
    number: float
    unit: str
    seconds: float
    is_partial: bool
    effect: Effect = field(repr=False)
    runner: Runner = field(repr=False)
