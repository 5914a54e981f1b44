"""Checking a student's own attention function, and saying in words what is wrong with it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.lessons.cases import Case, cases, given
from attnwidget.lessons.diagnosis import Finding, diagnose
from attnwidget.lessons.mistakes import MISTAKES
from attnwidget.lessons.student import Run, Student

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import ArrayLike, NDArray

__all__ = ["CheckResult", "check"]


@dataclass(frozen=True, eq=False, repr=False)
class CheckResult:
    """What `check` found; true in a condition where the function is right.

    `mistake` is None if `ok`, else a name in `mistakes.MISTAKES` or "other"; `also` names what
    is wrong besides. `message` says it in words. `case` is the case that the arrays belong to:
    "given" for the caller's own inputs, unless those came out right and another one did not.
    `mask` (n_q, n_k) is what that case hides, True = masked.
    `expected` is the right answer (n_q, n_k), `got` what came back, of any shape, None where that
    was no numbers; `difference` is got - expected, None where the shapes differ.
    """

    ok: bool
    mistake: str | None
    message: str
    difference: NDArray[np.float64] | None
    expected: NDArray[np.float64]
    got: NDArray[np.float64] | None
    case: str
    mask: NDArray[np.bool_]
    also: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        return f"{'right' if self.ok else self.mistake}: {self.message}"

    __repr__ = __str__


def check(
    fn: Callable[..., Any],
    Q: ArrayLike,
    K: ArrayLike,
    mask: ArrayLike | None = None,
    *,
    scale: float | None = None,
) -> CheckResult:
    """Try an attention function and name its mistake.

    `fn(Q, K)` or `fn(Q, K, mask)` is to return the weights softmax(Q Kᵀ · scale), shape
    (n_q, n_k), as an array, tensor, nested list, or first in a tuple. It is tried on `Q`
    (n_q, d_k), `K` (n_k, d_k) and `mask`, and on inputs of other sizes, large scores, masks and a
    row with every key masked, where any answer will do. It gets float64 copies, as tensors
    where arrays fail and torch is loaded. `mask` is as `as_mask` reads it and is handed over as
    it is written here; the other cases' masks follow its form, bool (True = masked) without one.
    `scale` is 1/√d_k where it is None.

    What `fn` does wrong, raising included, is in the result. Raises TypeError where `fn` can't be
    called, ValueError or TypeError where `Q`, `K`, `mask` or `scale` are unfit.
    """
    student = Student(fn)
    own = given(Q, K, mask, scale, student.takes)
    tried = cases(own, student.takes)
    if not student.known:
        student.probe(tried["masked"])
        own = given(Q, K, mask, scale, student.takes)
        tried = cases(own, student.takes)
    runs = {"given": _run_given(student, own)}
    runs.update((name, student.run(case)) for name, case in tried.items())
    found = diagnose(runs, student.takes)
    if not found:
        return _result(True, runs["given"], None, (), _all_right(runs, student.takes))
    shown = _shown(runs, found[0])
    also = tuple(dict.fromkeys(f.name for f in found[1:] if f.name != found[0].name))
    return _result(False, shown, found[0].name, also, _message(runs, shown, found))


def _run_given(student: Student, own: Case) -> Run:
    run = student.run(own)
    empty: NDArray[np.bool_] = ~own.open_rows[:, 0]
    if run.error is None or not empty.any() or own.handed is None:
        return run
    # No answer is wrong for a row with every key masked, an error included: try the others.
    handed = own.handed.copy()
    handed[empty if handed.shape == own.hidden.shape else ...] = 0
    hidden = own.hidden & ~empty[:, None]
    again = student.run(Case.of("given", own.told, own.Q, own.K, hidden, handed, own.scale))
    if again.error is not None:
        return run
    note = f"Where a row has every key masked it {run.fault}; here such rows were left open."
    return replace(again, notes=(*again.notes, note))


def _result(
    ok: bool, run: Run, mistake: str | None, also: tuple[str, ...], message: str
) -> CheckResult:
    case = run.case
    want, got = case.want, run.got
    difference = got - want if got is not None and got.shape == want.shape else None
    for array in (want, got, difference):
        if array is not None:
            array.flags.writeable = False
    return CheckResult(ok, mistake, message, difference, want, got, case.name, case.hidden, also)


def _shown(runs: Mapping[str, Run], finding: Finding) -> Run:
    """Return the run that shows the finding: the caller's own if that is wrong."""
    order = ["given", finding.case, "non-square", "square", "masked", "large", "empty row"]
    wrong = [runs[name] for name in order if name in runs and not runs[name].right]
    if finding.name == "in-place" or not wrong:
        return runs["given"]
    return wrong[0]


def _all_right(runs: Mapping[str, Run], takes: str) -> str:
    parts = [runs["given"].case.told]
    parts += [f"{name} inputs" for name in ("non-square", "square")] + ["scores about ±1000"]
    if takes != "never":
        parts.append("masks")
    sentences = [f"Right on {', '.join(parts[:-1])} and {parts[-1]}."]
    if takes == "never":
        sentences.append("It takes no mask, so none was tried.")
    sentences += dict.fromkeys(note for run in runs.values() for note in run.notes)
    empty = runs.get("empty row")
    if empty is not None:
        sentences += _on_empty_rows(empty)
    return " ".join(sentences)


def _on_empty_rows(run: Run) -> list[str]:
    rows = run.case.hidden.all(axis=1)
    if run.error is not None:
        return [f"For a row with every key masked it {run.fault}; attnwidget gives 0 there."]
    if run.got is None or run.got.shape != run.case.want.shape:
        return []
    row = run.got[rows]
    if np.isnan(row).any():
        return ["A row with every key masked came out as NaN; attnwidget gives 0 there."]
    if not np.allclose(row, 0, atol=1e-5):
        return ["A row with every key masked still got attention; attnwidget gives 0 there."]
    return []


def _message(runs: Mapping[str, Run], shown: Run, found: list[Finding]) -> str:
    first = found[0]
    sentences = [first.what] if first.what else []
    if first.name == "in-place":
        changed = dict.fromkeys(name for run in runs.values() for name in run.changed)
        sentences.append(f"Changed: {', '.join(changed)}.")
    else:
        own = runs["given"]
        start = f"{_begin(own.case.told)} came out right, but on " if own is not shown else "On "
        sentences.append(f"{start}{shown.case.told} {_evidence(shown)}.")
    sentences.append(_mend(first, shown, runs["given"]))
    sentences += [f"Also {f.name}: {f.what}" for f in found[1:] if f.name != first.name]
    sentences += shown.notes
    return " ".join(s for s in sentences if s)


def _begin(text: str) -> str:
    return text[:1].upper() + text[1:]


def _evidence(run: Run) -> str:
    """Return what the function did there, in the words that follow a comma-free "On ..."."""
    if run.fault or run.got is None:
        return f"it {run.fault}"
    got, want = run.got, run.case.want
    off = np.where(run.case.open_rows, np.abs(got - want), 0)
    off[np.isnan(off)] = np.inf
    row, column = (int(i) for i in np.unravel_index(int(off.argmax()), off.shape))
    return (
        f"it gives {got[row, column]:.4g} for query {row} and key {column}, where "
        f"{want[row, column]:.4g} is right"
    )


def _mend(finding: Finding, shown: Run, own: Run) -> str:
    if finding.name == "other":
        if own.right and shown.fault and shown is not own:
            return "Take the sizes from Q.shape and K.shape: fixed ones fit one sentence only."
        return ""
    d_k = shown.case.Q.shape[1]
    scale = shown.case.scale
    if finding.name == "no-scale" and not math.isclose(scale, d_k**-0.5, rel_tol=1e-6):
        return f"The scale is set to {scale:.4g} here: multiply Q Kᵀ by that."
    mend = MISTAKES[finding.name].mend
    handed = own.case.handed
    if finding.name == "mask-sign" and handed is not None and (handed == -1).any():
        mend += " The mask given says -1 for masked, and -1 * -1e9 is +1e9: write 1 instead."
    return mend
