"""Commands and settings of knock-outs: what is taken out of the model, and what its run shows."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from attnwidget.maths.validate import choice, index
from attnwidget.session.experiment import SHOWN_RUNS, outcome_fits
from attnwidget.session.transitions import show
from attnwidget.sources.knockouts import KnockOut, check_knockouts

if TYPE_CHECKING:
    from attnwidget.session.snapshot import Snapshot
    from attnwidget.sources.runs import Outcome

_NO_MODEL = (
    "there is no model here that can be run again; want `mask`, which edits the map on "
    "screen, or a widget from AttentionWidget.from_model"
)
_GENERATED = (
    "The model generated this text token by token, and does not run again on it; open "
    "the text with AttentionWidget.from_model(model, tokenizer, text)"
)


def checked(now: Snapshot, value: Any) -> tuple[KnockOut, ...]:
    """Return knock-outs of the model that `now` shows."""
    if value is None:
        return ()
    runner = now.source.runner
    if runner is not None:
        return runner.checked(value)
    if isinstance(value, Sequence) and not len(value):
        return ()
    raise ValueError(f"knockouts: {now.experiment.why_not or _NO_MODEL}")


def with_knockouts(
    now: Snapshot, knockouts: tuple[KnockOut, ...], stroke: Hashable = None
) -> Snapshot:
    """Return the state with other knock-outs, which the session then runs.

    The same knock-outs change nothing, but a run that was stopped or failed is done again.
    """
    experiment = now.experiment
    if knockouts == experiment.knocked_out:
        outcome = experiment.own_outcome
        if outcome is None or outcome.state == "done":
            return now
        return now.evolve(experiment=replace(experiment, outcome=None))
    return now.evolve(
        history=now.recorded(stroke), experiment=replace(experiment, knocked_out=knockouts)
    )


def set_knockouts(now: Snapshot, value: Any) -> Snapshot:
    """Return the state with other knock-outs."""
    return with_knockouts(now, checked(now, value))


def set_shown_run(now: Snapshot, value: Any) -> Snapshot:
    """Return the state with the maps before or after the knock-outs on screen."""
    value = choice("shown_run", value, SHOWN_RUNS)
    experiment = now.experiment
    if value == experiment.shown_run:
        return now
    return now.evolve(experiment=replace(experiment, shown_run=value))


def set_effect_position(now: Snapshot, value: Any) -> Snapshot:
    """Return the state with another position at which the effect is read; None is the default."""
    runner = now.source.runner
    if value is not None:
        if runner is None:
            raise ValueError("effect_position: there is no model here that can be run again")
        value = index("effect_position", value, range(runner.positions))
    experiment = now.experiment
    if value == experiment.effect_position:
        return now
    return now.evolve(experiment=replace(experiment, effect_position=value))


def without_hidden_run(before: Snapshot, after: Snapshot) -> Snapshot:
    """Return the state after a command, without a run whose maps were not on screen.

    While the model runs, the maps on screen stay as they are: those of an earlier run, which has
    been put back since, must not come instead.
    """
    experiment = after.experiment
    is_hidden = before.experiment.shown is None and experiment.outcome is not None
    if experiment is before.experiment or not experiment.is_running or not is_hidden:
        return after
    return after.evolve(experiment=replace(experiment, outcome=None))


def followed_run(now: Snapshot) -> Snapshot:
    """Return the state with the maps of the run that is to be on screen."""
    experiment = now.experiment
    runner = now.source.runner
    why_not = _GENERATED if runner is None and now.source.is_model else ""
    if experiment.runner is not runner or experiment.why_not != why_not:
        experiment = replace(experiment, runner=runner, why_not=why_not)
        now = now.evolve(experiment=experiment)
    source = now.source.of_run(experiment.shown)
    return now if source is now.source else show(now, source)


@dataclass(frozen=True)
class ChangeKnockOuts:
    """Take out more of the model's attention, or less: first `remove`, then `add`.

    Knock-outs of one `stroke` undo together. The effect is read at `position` from then on; None
    leaves the position as it is.
    """

    add: Any
    remove: Any
    stroke: Hashable = None
    position: Any = None
    may_wait: str = ""

    def apply(self, now: Snapshot) -> Snapshot:
        """Return the state with the knock-outs; the command done twice is done once."""
        # What is put back needs no model, which may have changed since.
        removed = check_knockouts(self.remove)
        kept = tuple(edit for edit in now.experiment.knocked_out if edit not in removed)
        added = checked(now, self.add)
        every = checked(now, [*kept, *added]) if added else kept
        after = with_knockouts(now, every, self.stroke)
        return after if self.position is None else set_effect_position(after, self.position)


@dataclass(frozen=True, eq=False)
class Ran:
    """Take the outcome of a run, unless other knock-outs are wanted by now."""

    outcome: Outcome
    may_wait: str = ""

    def apply(self, now: Snapshot) -> Snapshot:
        """Return the state with the outcome; it is not in the history."""
        experiment, outcome = now.experiment, self.outcome
        if not outcome_fits(experiment, outcome):
            return now
        experiment = replace(experiment, outcome=outcome)
        return now.evolve(experiment=experiment.with_record())


@dataclass(frozen=True)
class StopRun:
    """Stop the run that is under way."""

    may_wait: str = ""

    def apply(self, now: Snapshot) -> Snapshot:
        """Return the state with a stopped run; the same state where no run is under way."""
        experiment = now.experiment
        if not experiment.is_running or experiment.runner is None:
            return now
        return now.evolve(experiment=replace(experiment, outcome=experiment.stopped()))
