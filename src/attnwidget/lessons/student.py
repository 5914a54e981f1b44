"""Call a student's attention function, and read the result.

The function gets copies of the arrays, and its warnings are silenced. The result, or the error that
the function raises, becomes a `Run`.
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
    """The result of a function on a case.

    `got` is the result in float64, of any shape, or None if it cannot be read as numbers. `fault`
    is the end of the sentence "The function ..." on an error or a wrong shape, "" if the shape is
    right.
    `error` is the exception that the function raised. `changed` names the arguments that the
    function changed. `notes` are sentences on facts that are no mistakes. `eps` is the precision of
    the result's dtype.
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
        """The error that rounding may cause. It grows with the scores and with `eps`."""
        largest = float(np.abs(self.case.Q @ self.case.K.T * self.case.scale).max())
        return min(max(1e-5, 64 * self.eps * (1 + largest)), 1e-2)

    def near(self, expected: NDArray[np.float64], cells: NDArray[np.bool_] | None = None) -> bool:
        """Return whether the result has the shape of `expected` and, at `cells`, the same values.

        NaN equals NaN.
        """
        if self.got is None or self.got.shape != expected.shape:
            return False
        got = self.got
        if cells is not None:
            got, expected = got[cells], expected[cells]
        return bool(np.allclose(got, expected, rtol=0, atol=self.tolerance, equal_nan=True))

    @property
    def right(self) -> bool:
        """Whether the result is right; a row with every key masked may have any values."""
        return self.near(self.case.expected, self.case.open_rows)


class Student:
    """The function under test, and the way to call it.

    `takes` tells whether the function "never", "may" or "must" take a mask. `known` is False if the
    signature does not tell; `takes` is then right only after `probe`.
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
        positional = [
            p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
        keyword_only = [p for p in parameters if p.kind == p.KEYWORD_ONLY]
        for p in positional[2:] + keyword_only:
            if "mask" in p.name.lower():
                if p not in positional[2:3]:
                    self.keyword = p.name
                return "must" if p.default is p.empty else "may"
        if len(positional) > 2:
            third = positional[2]
            if third.name.lower() in _NO_MASKS:
                return "never"
            if third.default is inspect.Parameter.empty:
                return "must"
            return "may" if third.default is None else "never"
        self.known = all(p.kind != p.VAR_POSITIONAL for p in parameters)
        return "never" if self.known else "may"

    def probe(self, case: Case) -> None:
        """Find out with a masked `case` whether a function of unknown signature takes a mask."""
        if self.known:
            return
        run = self.run(case)
        unmasked = softmax(scores(case.Q, case.K, scale=case.scale)).astype(np.float64)
        if isinstance(run.error, TypeError) or run.near(unmasked):
            self.takes = "never"

    def run(self, case: Case) -> Run:
        """Call the function on copies of the inputs of `case`.

        If arrays fail and torch is loaded, tensors are tried. If the mask's dtype fails, bool and
        float are tried. Only an Exception is caught: a KeyboardInterrupt ends the check.
        """
        mask = None if self.takes == "never" else case.mask_argument
        run = self._run(case, mask)
        if run.error is None or mask is None:
            return run
        for dtype in (np.bool_, np.float64):
            if mask.dtype == dtype or (dtype is np.bool_ and not np.isin(mask, (0, 1)).all()):
                continue
            retry = self._run(case, mask.astype(dtype))
            if retry.error is None:
                note = f"With a mask of {mask.dtype} the function {run.fault}; with a mask of "
                note += f"{np.dtype(dtype)} the function raised no error."
                return replace(retry, notes=(*retry.notes, note))
        return run

    def _run(self, case: Case, mask: NDArray[Any] | None) -> Run:
        run = self._call(case, mask, None)
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(run.error, TypeError | AttributeError):
            tensor_run = self._call(case, mask, torch)
            if not isinstance(tensor_run.error, TypeError | AttributeError):
                return tensor_run
        return run

    def _call(self, case: Case, mask: NDArray[Any] | None, torch: Any) -> Run:
        arrays = {"Q": case.Q.copy(), "K": case.K.copy()}
        if mask is not None:
            arrays["mask"] = mask.copy()
        before = {name: array.copy() for name, array in arrays.items()}
        arguments = {n: a if torch is None else torch.from_numpy(a) for n, a in arrays.items()}
        keywords = {}
        if mask is not None and self.keyword is not None:
            keywords[self.keyword] = arguments.pop("mask")
        error: Exception | None = None
        result = None
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                result = self.fn(*arguments.values(), **keywords)
        except Exception as raised:
            error = raised
        changed = tuple(n for n, a in arrays.items() if not np.array_equal(a, before[n]))
        if error is not None:
            return Run(case, None, f"raised {_words(error)}", error, changed)
        shape = case.expected.shape
        array, note = _weights(result, shape)
        notes = (note,) if note else ()
        if isinstance(array, str):
            return Run(case, None, array, None, changed, notes)
        fault = ""
        if array.shape != shape:
            fault = f"returned the shape {array.shape} instead of {shape}"
        eps = float(np.finfo(array.dtype).eps) if array.dtype.kind == "f" else 0.0
        return Run(case, array.astype(np.float64), fault, None, changed, notes, eps)


def _weights(result: Any, shape: tuple[int, ...]) -> tuple[NDArray[Any] | str, str]:
    """Return the array of weights in `result`, or the fault as text; and a note or ""."""
    array = _array(result)
    several = isinstance(result, tuple | list) and len(result) > 1
    if not several or (isinstance(result, list) and not isinstance(array, str) and array.ndim == 2):
        return array, ""
    parts = [_array(part) for part in result]
    matrices = [i for i, a in enumerate(parts) if not isinstance(a, str) and a.ndim == 2]
    if not matrices:
        return array, ""
    fitting = [i for i in matrices if getattr(parts[i], "shape", None) == shape]
    i = (fitting or matrices)[0]
    note = (
        f"The function returned {len(parts)} values; the check took value {i + 1} as the weights."
    )
    return parts[i], note


def _array(result: Any) -> NDArray[Any] | str:
    """Return a new numeric array, or the fault as the end of the sentence "The function ..."."""
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
        return f"returned a {kind} that is not an array of real numbers ({_words(error)})"
    if array.dtype.kind not in "biuf":
        return f"returned a {kind} that is not an array of real numbers"
    return array


def _words(error: Exception) -> str:
    first = (str(error).strip().splitlines() or [""])[0].rstrip(" .")
    text = first if len(first) <= 160 else first[:159] + "…"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
