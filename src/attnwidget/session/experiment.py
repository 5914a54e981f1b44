"""`Experiment`: the knock-outs of a model, the run with them, and the runs that were done."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from attnwidget.maths.validate import choice
from attnwidget.sources.knockouts import KnockOut, named
from attnwidget.sources.runs import Outcome, RunRecord, RunState

if TYPE_CHECKING:
    from attnwidget.sources.effect import Effect
    from attnwidget.sources.runs import Runner

SHOWN_RUNS = ("before", "after")
# So many runs are kept.
_MOST_RUNS = 100


@dataclass(frozen=True, eq=False)
class Experiment:
    """Knock-outs of a model, and what is known of the run with them.

    `runner` runs the model of the source on screen, None without such a model; `why_not` says why a
    model cannot run again. `knocked_out` is
    what is wanted, and `outcome` what came of the last run, which may be of other knock-outs.
    `effect_position` is where the effect is read, None for the default of the model.
    """

    runner: Runner | None = None
    knocked_out: tuple[KnockOut, ...] = ()
    outcome: Outcome | None = None
    shown_run: str = "after"
    effect_position: int | None = None
    runs: tuple[RunRecord, ...] = ()
    why_not: str = ""

    @property
    def knockouts(self) -> tuple[KnockOut, ...]:
        """What is knocked out."""
        return self.knocked_out

    @property
    def own_outcome(self) -> Outcome | None:
        """The outcome of the run with the present knock-outs; None before the run has ended."""
        outcome = self.outcome
        is_own = outcome is not None and outcome_fits(self, outcome) and self.knocked_out
        return outcome if is_own else None

    @property
    def is_running(self) -> bool:
        """Whether a run is due."""
        return self.runner is not None and bool(self.knocked_out) and self.own_outcome is None

    @property
    def shown(self) -> Outcome | None:
        """The run whose maps are on screen, None for the maps before the knock-outs.

        While a run is under way, the maps on screen are those of the last run.
        """
        outcome = self.outcome
        is_due = self.shown_run == "after" and bool(self.knocked_out)
        if not is_due or outcome is None or outcome.runner is not self.runner:
            return None
        return outcome if outcome.state == "done" else None

    def of_run(self, run: str) -> Outcome | None:
        """Return the run "after" the knock-outs; None for the run "before"."""
        if choice("run", run, SHOWN_RUNS) == "before":
            return None
        return replace(self, shown_run="after").shown

    @cached_property
    def effect(self) -> Effect | None:
        """The effect of the knock-outs; None without a finished run."""
        outcome = self.own_outcome
        if outcome is None or outcome.effect_at is None:
            return None
        return outcome.effect_at(self.effect_position)

    @cached_property
    def run_state(self) -> RunState | None:
        """Whether the model runs; None without a model that can run."""
        if self.runner is None:
            return RunState("unable", self.why_not) if self.why_not else None
        if self.is_running:
            return RunState("running")
        outcome = self.own_outcome
        if outcome is None:
            return RunState("idle")
        return RunState(outcome.state, outcome.words, outcome.seconds, outcome.is_partial)

    def stopped(self) -> Outcome:
        """Return the outcome of a run that was stopped."""
        assert self.runner is not None
        return Outcome(self.runner, self.knocked_out, "stopped", "The run was stopped.")

    def failed(self, words: str) -> Outcome:
        """Return the outcome of a run that failed."""
        assert self.runner is not None
        return Outcome(self.runner, self.knocked_out, "failed", words)

    def with_record(self) -> Experiment:
        """Return the experiment with its finished run among the runs that are kept."""
        outcome, effect = self.own_outcome, self.effect
        if outcome is None or effect is None:
            return self
        record = RunRecord(
            named(outcome.knockouts),
            outcome.knockouts,
            effect.number,
            effect.unit,
            outcome.seconds or 0.0,
            outcome.is_partial,
            replace(effect, log_probabilities=np.empty(0)),
            outcome.runner,
        )
        known = [(run.runner, run.knockouts) for run in self.runs]
        if (record.runner, record.knockouts) in known:
            at = known.index((record.runner, record.knockouts))
            runs = (*self.runs[:at], record, *self.runs[at + 1 :])
        else:
            runs = (*self.runs[1 - _MOST_RUNS :], record)
        return replace(self, runs=runs)


def outcome_fits(experiment: Experiment, outcome: Outcome) -> bool:
    """Whether an outcome is of the present model and knock-outs."""
    return outcome.runner is experiment.runner and outcome.knockouts == experiment.knocked_out
