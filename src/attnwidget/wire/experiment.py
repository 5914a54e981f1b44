"""Knock-outs, runs and their effect, as they cross the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnwidget.sources.effect import Effect
    from attnwidget.sources.knockouts import KnockOut
    from attnwidget.sources.runs import RunRecord, RunState


def knockouts_message(knockouts: Sequence[KnockOut]) -> list[dict[str, Any]]:
    """Return the records as dictionaries."""
    return [edit.as_dict() for edit in knockouts]


def run_state_message(state: RunState | None) -> dict[str, Any] | None:
    """Return whether the model runs; None without a model that can run."""
    if state is None:
        return None
    return {
        "state": state.state,
        "words": state.words,
        "seconds": state.seconds,
        "partial": state.is_partial,
    }


def runs_message(runs: Sequence[RunRecord]) -> list[dict[str, Any]]:
    """Return the runs that are kept."""
    return [
        {
            "name": run.name,
            "knockouts": knockouts_message(run.knockouts),
            "number": _number(run.number),
            "unit": run.unit,
            "seconds": run.seconds,
            "partial": run.is_partial,
        }
        for run in runs
    ]


def effect_message(effect: Effect | None) -> dict[str, Any] | None:
    """Return the effect without whole distributions."""
    if effect is None:
        return None
    message: dict[str, Any] = {
        "kind": effect.kind,
        "what": effect.what,
        "number": _number(effect.number),
        "unit": effect.unit,
        "reach": [
            {"stack": part.stack, "layer": part.layer, "query": part.query} for part in effect.reach
        ],
    }
    if effect.kind in {"tokens", "classes"}:
        message |= {
            "kl": _number(effect.kl),
            "rows": _rows(effect),
            "position": effect.position,
            "token": effect.token,
            "positions": effect.positions,
            "loss": None,
        }
        if len(effect.loss):
            before, after = (_numbers(row) for row in effect.loss)
            message["loss"] = {"before": before, "after": after}
    elif effect.kind == "vectors":
        message["tokens"] = {"cosine": _numbers(effect.cosine), "norm": _numbers(effect.norm)}
        if effect.pooled is not None:
            cosine, norm = map(_number, effect.pooled)
            message["pooled"] = {"cosine": cosine, "norm": norm, "over": effect.pooled_over}
    else:
        message["rows"] = [
            {"name": name, "change": _number(change)} for name, change in effect.changes.items()
        ]
    return message


def _rows(effect: Effect) -> list[dict[str, Any]]:
    return [
        {
            "token": label,
            "id": int(effect.ids[i]),
            "logit": _numbers(effect.logits[:, i]),
            "p": _numbers(effect.probabilities[:, i]),
        }
        for i, label in enumerate(effect.labels)
    ]


def _numbers(values: NDArray[np.float64]) -> list[float | None]:
    return [_number(value) for value in values]


def _number(value: float | None) -> float | None:
    """Return a number of JSON, which has neither NaN nor infinity."""
    return float(value) if value is not None and np.isfinite(value) else None
