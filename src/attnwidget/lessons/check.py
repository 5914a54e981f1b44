"""`check`: call a student's attention function, and describe the mistake in it."""

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
    """The result of `check`, which is true in a condition if the function is right.

    `mistake` is None if `ok`, else a name in `mistakes.MISTAKES` or "other". `also` has the names
    of further mistakes. `message` describes the mistakes in sentences. `case` names the inputs that
    the arrays belong to: "given" for the caller's inputs, and another name only if the function is
    right on the caller's inputs and wrong on others. `mask` (n_q, n_k) is the mask of the case,
    True = masked. `expected` is the right result (n_q, n_k), `got` the function's result, of any
    shape, or None if the result has no numbers. `difference` is got - expected, None if the shapes
    differ.
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
    """Call an attention function on several inputs, and describe the mistake in it.

    `fn(Q, K)` or `fn(Q, K, mask)` should return the weights softmax(Q Kᵀ · scale), shape
    (n_q, n_k), as an array, a tensor, a nested list, or in a tuple. `scale` is 1/√d_k by default.

    The function is called with `Q` (n_q, d_k), `K` (n_k, d_k) and `mask`, then with inputs of other
    sizes, large scores, and masks. For a row with every key masked any result counts as right. The
    function gets float64 copies; if arrays fail and torch is loaded, it gets tensors. `mask` has
    any form that `as_mask` accepts, and `fn` gets the mask in the same form. The masks of the other
    inputs have this form too, or are bool (True = masked) if `mask` is None.

    An error that `fn` raises is part of the result.

    Raises
    ------
    TypeError
        If `fn` is not a function, or an argument has a wrong type.
    ValueError
        If `Q`, `K`, `mask` or `scale` do not fit.
    """
    student = Student(fn)
    given_case = given(Q, K, mask, scale, student.takes)
    others = cases(given_case, student.takes)
    if not student.known:
        student.probe(others["masked"])
        given_case = given(Q, K, mask, scale, student.takes)
        others = cases(given_case, student.takes)
    runs = {"given": _run_given(student, given_case)}
    runs.update((name, student.run(case)) for name, case in others.items())
    findings = diagnose(runs, student.takes)
    if not findings:
        return _result(True, runs["given"], None, (), _all_right(runs, student.takes))
    first = findings[0]
    run = _example(runs, first)
    also = tuple(dict.fromkeys(f.name for f in findings[1:] if f.name != first.name))
    return _result(False, run, first.name, also, _message(runs, run, findings))


def _run_given(student: Student, case: Case) -> Run:
    run = student.run(case)
    empty: NDArray[np.bool_] = ~case.open_rows[:, 0]
    if run.error is None or not empty.any() or case.mask_argument is None:
        return run
    # An error is no mistake for a row with every key masked, so unmask such rows and try again.
    mask_argument = case.mask_argument.copy()
    mask_argument[empty if mask_argument.shape == case.hidden.shape else ...] = 0
    hidden = case.hidden & ~empty[:, None]
    retry = student.run(
        Case.of("given", case.title, case.Q, case.K, hidden, mask_argument, case.scale)
    )
    if retry.error is not None:
        return run
    note = f"For a row with every key masked the function {run.fault}; here the check unmasked "
    note += "such rows."
    return replace(retry, notes=(*retry.notes, note))


def _result(
    ok: bool, run: Run, mistake: str | None, also: tuple[str, ...], message: str
) -> CheckResult:
    case = run.case
    expected, got = case.expected, run.got
    difference = got - expected if got is not None and got.shape == expected.shape else None
    for array in (expected, got, difference):
        if array is not None:
            array.flags.writeable = False
    return CheckResult(
        ok, mistake, message, difference, expected, got, case.name, case.hidden, also
    )


def _example(runs: Mapping[str, Run], finding: Finding) -> Run:
    """Return a run that shows the finding, if possible the run on the caller's inputs."""
    order = ["given", finding.case, "non-square", "square", "masked", "large", "empty row"]
    wrong = [runs[name] for name in order if name in runs and not runs[name].right]
    if finding.name == "in-place" or not wrong:
        return runs["given"]
    return wrong[0]


def _all_right(runs: Mapping[str, Run], takes: str) -> str:
    parts = [runs["given"].case.title]
    parts += [f"{name} inputs" for name in ("non-square", "square")] + ["scores about ±1000"]
    if takes != "never":
        parts.append("masks")
    sentences = [f"The function is right on {', '.join(parts[:-1])} and {parts[-1]}."]
    if takes == "never":
        sentences.append("The function takes no mask, so the check tried no mask.")
    sentences += dict.fromkeys(note for run in runs.values() for note in run.notes)
    empty = runs.get("empty row")
    if empty is not None:
        sentences += _on_empty_rows(empty)
    return " ".join(sentences)


def _on_empty_rows(run: Run) -> list[str]:
    rows = run.case.hidden.all(axis=1)
    if run.error is not None:
        return [
            f"For a row with every key masked the function {run.fault}; attnwidget gives 0 there."
        ]
    if run.got is None or run.got.shape != run.case.expected.shape:
        return []
    row = run.got[rows]
    if np.isnan(row).any():
        return ["A row with every key masked is NaN; attnwidget gives 0 there."]
    if not np.allclose(row, 0, atol=1e-5):
        return ["A row with every key masked still gets attention; attnwidget gives 0 there."]
    return []


def _message(runs: Mapping[str, Run], run: Run, findings: list[Finding]) -> str:
    first = findings[0]
    sentences = [first.description] if first.description else []
    if first.name == "in-place":
        changed = dict.fromkeys(name for run in runs.values() for name in run.changed)
        sentences.append(f"Changed arguments: {', '.join(changed)}.")
    else:
        given_run = runs["given"]
        start = "On "
        if run is not given_run:
            start = f"The function is right on {given_run.case.title}, but on "
        sentences.append(f"{start}{run.case.title} {_evidence(run)}.")
    sentences.append(_remedy(first, run, runs["given"]))
    sentences += [f"Also {f.name}: {f.description}" for f in findings[1:] if f.name != first.name]
    sentences += run.notes
    return " ".join(s for s in sentences if s)


def _evidence(run: Run) -> str:
    """Return the function's fault, or its worst number, as the end of the sentence "On ..."."""
    if run.fault or run.got is None:
        return f"the function {run.fault}"
    got, expected = run.got, run.case.expected
    error = np.where(run.case.open_rows, np.abs(got - expected), 0)
    error[np.isnan(error)] = np.inf
    row, column = (int(i) for i in np.unravel_index(int(error.argmax()), error.shape))
    return (
        f"the function gives {got[row, column]:.4g} for query {row} and key {column}, where "
        f"{expected[row, column]:.4g} is right"
    )


def _remedy(finding: Finding, run: Run, given_run: Run) -> str:
    if finding.name == "other":
        if given_run.right and run.fault and run is not given_run:
            return (
                "Take the sizes from Q.shape and K.shape, because fixed sizes fit only a single "
                "sentence."
            )
        return ""
    d_k = run.case.Q.shape[1]
    scale = run.case.scale
    if finding.name == "no-scale" and not math.isclose(scale, d_k**-0.5, rel_tol=1e-6):
        return f"The scale is {scale:.4g} here: multiply Q Kᵀ by this number."
    remedy = MISTAKES[finding.name].mend
    mask = given_run.case.mask_argument
    if finding.name == "mask-sign" and mask is not None and (mask == -1).any():
        remedy += (
            " The given mask has -1 for a masked cell, and -1 * -1e9 is +1e9: write 1 instead."
        )
    return remedy
