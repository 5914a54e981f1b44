"""Calling an attention function that someone else wrote, and reading what comes back.

The function gets copies of everything and its warnings are silenced; whatever it does, short of
ending the program, is kept as a `Run`.
"""

from __future__ import annotations

import inspect
import sys
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.maths.attention import scores, softmax

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from attnwidget.lessons.cases import Case

__all__ = ["Run", "Student"]

_NO_MASKS = frozenset({"v", "value", "values", "scale", "d_k", "dk", "dim", "axis", "temperature"})


@dataclass(frozen=True)
class Run:
    """What came of a case.

    `got` is the float64 result of any shape, None where nothing can be read as numbers; `fault`
    says what is wrong with it as a whole, "" where it has the right shape; `error` is what was
    raised. `changed` names the arguments that were changed, `notes` what a reader should know
    though it is no mistake, `eps` is the precision of the result.
    """

    case: Case
    got: NDArray[np.float64] | None = None
    fault: str = ""
    error: Exception | None = None
    changed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    eps: float = 0.0

    @property
    def tolerance(self) -> float:
        """What rounding may do: more where the scores are large and the result is short."""
        largest = float(np.abs(self.case.Q @ self.case.K.T * self.case.scale).max())
        return min(max(1e-5, 64 * self.eps * (1 + largest)), 1e-2)

    def near(self, want: NDArray[np.float64], cells: NDArray[np.bool_] | None = None) -> bool:
        """Whether the result has the shape of `want` and, at `cells`, its values, NaN as NaN."""
        if self.got is None or self.got.shape != want.shape:
            return False
        got, want = (self.got, want) if cells is None else (self.got[cells], want[cells])
        return bool(np.allclose(got, want, rtol=0, atol=self.tolerance, equal_nan=True))

    @property
    def right(self) -> bool:
        """Whether the result is right; a row with every key masked may be anything."""
        return self.near(self.case.want, self.case.open_rows)


class Student:
    """The function under test, and how it wants to be called.

    `takes` says whether it "never", "may" or "must" take a mask, after `probe` if its signature
    does not tell.
    """

    def __init__(self, fn: Callable[..., Any]) -> None:
        if not callable(fn):
            raise TypeError(
                f"fn: got {type(fn).__name__}, want a function, as in check(attention), not what "
                "a function returns"
            )
        self.fn = fn
        self.keyword: str | None = None
        self.known = True
        self.takes = self._read_signature()

    def _read_signature(self) -> str:
        try:
            parameters = inspect.signature(self.fn).parameters.values()
        except (TypeError, ValueError):
            self.known = False
            return "may"
        places = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        by_name = [p for p in parameters if p.kind == p.KEYWORD_ONLY]
        for p in places[2:] + by_name:
            if "mask" in p.name.lower():
                if p not in places[2:3]:
                    self.keyword = p.name
                return "must" if p.default is p.empty else "may"
        if len(places) > 2:
            if places[2].name.lower() in _NO_MASKS:
                return "never"
            if places[2].default is inspect.Parameter.empty:
                return "must"
            return "may" if places[2].default is None else "never"
        self.known = all(p.kind != p.VAR_POSITIONAL for p in parameters)
        return "never" if self.known else "may"

    def probe(self, case: Case) -> None:
        """Find out on a masked `case` whether a function of unknown signature takes a mask."""
        if self.known:
            return
        run = self.run(case)
        blind = softmax(scores(case.Q, case.K, scale=case.scale)).astype(np.float64)
        if isinstance(run.error, TypeError) or run.near(blind):
            self.takes = "never"

    def run(self, case: Case) -> Run:
        """Call the function on copies of the inputs of `case`.

        Where arrays fail and torch is loaded, tensors are tried; where the dtype of a mask fails,
        bool and float. Only an Exception is caught: an interrupt ends the check.
        """
        handed = None if self.takes == "never" else case.handed
        run = self._run(case, handed)
        if run.error is None or handed is None:
            return run
        for dtype in (np.bool_, np.float64):
            if handed.dtype == dtype or (dtype is np.bool_ and not np.isin(handed, (0, 1)).all()):
                continue
            again = self._run(case, handed.astype(dtype))
            if again.error is None:
                note = f"With a mask of {handed.dtype} it {run.fault}; "
                note += f"with {np.dtype(dtype)} it did not."
                return replace(again, notes=(*again.notes, note))
        return run

    def _run(self, case: Case, handed: NDArray[Any] | None) -> Run:
        run = self._call(case, handed, None)
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(run.error, TypeError | AttributeError):
            tensors = self._call(case, handed, torch)
            if not isinstance(tensors.error, TypeError | AttributeError):
                return tensors
        return run

    def _call(self, case: Case, handed: NDArray[Any] | None, torch: Any) -> Run:
        arrays = {"Q": case.Q.copy(), "K": case.K.copy()}
        if handed is not None:
            arrays["mask"] = handed.copy()
        before = {name: array.copy() for name, array in arrays.items()}
        passed = {n: a if torch is None else torch.from_numpy(a) for n, a in arrays.items()}
        named = {}
        if handed is not None and self.keyword is not None:
            named[self.keyword] = passed.pop("mask")
        error: Exception | None = None
        result = None
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                result = self.fn(*passed.values(), **named)
        except Exception as raised:
            error = raised
        changed = tuple(n for n, a in arrays.items() if not np.array_equal(a, before[n]))
        if error is not None:
            return Run(case, None, f"raised {_words(error)}", error, changed)
        array, note = _weights(result, case.want.shape)
        notes = (note,) if note else ()
        if isinstance(array, str):
            return Run(case, None, array, None, changed, notes)
        fault, wanted = "", case.want.shape
        if array.shape != wanted:
            fault = f"returned the shape {array.shape}, and {wanted} is wanted"
        eps = float(np.finfo(array.dtype).eps) if array.dtype.kind == "f" else 0.0
        return Run(case, array.astype(np.float64), fault, None, changed, notes, eps)


def _weights(result: Any, shape: tuple[int, ...]) -> tuple[NDArray[Any] | str, str]:
    """Return the array of weights in `result`, or what is wrong with it; and a note or ""."""
    array = _array(result)
    several = isinstance(result, tuple | list) and len(result) > 1
    if not several or (isinstance(result, list) and not isinstance(array, str) and array.ndim == 2):
        return array, ""
    parts = [_array(part) for part in result]
    found = [i for i, a in enumerate(parts) if not isinstance(a, str) and a.ndim == 2]
    if not found:
        return array, ""
    fitting = [i for i in found if getattr(parts[i], "shape", None) == shape]
    at = (fitting or found)[0]
    return parts[at], f"It returned {len(parts)} things; number {at + 1} was read as the weights."


def _array(result: Any) -> NDArray[Any] | str:
    """Return a new numeric array, or what is wrong in the words that follow "it"."""
    kind = type(result).__name__
    if result is None:
        return "returned None (is the return missing?)"
    try:
        if hasattr(result, "detach"):
            result = result.detach().cpu()
            # NumPy has no bfloat16.
            result = (result.float() if "bfloat16" in str(result.dtype) else result).numpy()
        if isinstance(result, np.ma.MaskedArray):
            return np.asarray(result.filled(0)).copy()
        array = np.array(result)
    except Exception as error:
        return f"returned a {kind} that is no array of numbers ({_words(error)})"
    if array.dtype.kind not in "biuf":
        return f"returned a {kind} that is no array of numbers"
    return array


def _words(error: Exception) -> str:
    first = (str(error).strip().splitlines() or [""])[0].rstrip(" .")
    text = first if len(first) <= 160 else first[:159] + "…"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
