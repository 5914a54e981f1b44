"""Naming what is wrong with an attention function from what it did on the cases.

A result is compared with what each recipe of `mistakes` gives on the same inputs: first one
change, then two. The cases without a mask settle the softmax, the masked one the mask, the large
scores the overflow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnwidget.lessons.mistakes import MISTAKES, OTHERS, Recipe, follow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from attnwidget.lessons.student import Run

__all__ = ["Finding", "diagnose"]


@dataclass(frozen=True)
class Finding:
    """A mistake found: its `name` or "other", `what` was done ("" if unknown), where it shows."""

    name: str
    what: str
    case: str = ""


_Guess = tuple[Recipe, tuple[Finding, ...]]

_MASKING = ("mask-sign", "mask-after-softmax", "mask-multiplied")
_SOFTMAX = tuple(n for n in MISTAKES if n not in (*_MASKING, "in-place", "overflow"))
_LAST = ("in-place", "overflow")
_ORDER = (*(n for n in MISTAKES if n not in _LAST), "other", *_LAST)


def diagnose(runs: Mapping[str, Run], takes: str) -> list[Finding]:
    """Return what is wrong, the most fundamental first; empty where nothing is.

    `runs` are by case name; `takes` says whether the function "never", "may" or "must" take a
    mask.
    """
    found = list(_softmax_and_mask(runs, takes))
    large, plain = runs["large"], runs["non-square"]
    if not large.right and _sound(plain) and not _sound(large):
        found.append(Finding("overflow", _overflow(large), "large"))
    elif not large.right and not found:
        found.append(
            Finding("overflow", "The softmax goes wrong where the scores are large.", "large")
        )
    if any(run.changed for run in runs.values()):
        found.append(Finding("in-place", MISTAKES["in-place"].what))
    if not any(f.name != "in-place" for f in found):
        found.extend(_left_over(runs))
    return sorted(found, key=lambda f: _ORDER.index(f.name))


def _softmax_and_mask(runs: Mapping[str, Run], takes: str) -> Iterator[Finding]:
    base = [runs["non-square"], runs["square"]]
    names = _SOFTMAX if takes != "must" else (*_SOFTMAX, *_MASKING)
    guess: _Guess | None = (Recipe(), ())
    if not all(run.right for run in base):
        guess = _search(base, names)
        if guess is None and takes == "must":
            guess = _mask_alone(base[0], Recipe(), runs["nothing masked"])
    masked = runs.get("masked")
    if guess is None:
        bad = next(run for run in base if not run.right)
        yield Finding("other", _describe(bad), bad.case.name)
        return
    yield from guess[1]
    if takes == "may" and masked is not None and not _explains(guess[0], [masked]):
        with_mask = _mask_guess(masked, guess[0], runs["nothing masked"])
        if with_mask is not None:
            yield from with_mask[1]
        elif not guess[1]:
            yield Finding("other", _describe(masked), "masked")


def _search(runs: Sequence[Run], names: Sequence[str]) -> _Guess | None:
    """Return the first recipe with one change, another scale or two changes that explains all."""
    singles = [_only(name, recipe, what) for name, recipe, what in _spellings(names)]
    others = [(s.recipe, (Finding("other", s.what),)) for s in OTHERS if "mask-sign" in names]
    for guess in singles + others:
        if any(_explains(recipe, runs) for recipe in _unshifted(guess[0])):
            return guess
    scale = _fitted_scale(runs)
    if scale is not None:
        return scale
    for i, (first, one) in enumerate(singles):
        for second, two in singles[i + 1 :]:
            both = first.merged(second)
            if one[0].name == two[0].name or both is None:
                continue
            if any(_explains(recipe, runs) for recipe in _unshifted(both)):
                return both, one + two
    return None


def _mask_guess(run: Run, base: Recipe, unused: Run) -> _Guess | None:
    """Return what was done with the mask, given what is wrong without one."""
    changes = list(_spellings(_MASKING)) + [("other", s.recipe, s.what) for s in OTHERS]
    for name, recipe, what in changes:
        both = base.merged(recipe)
        if both is not None and any(_explains(r, [run]) for r in _unshifted(both)):
            return both, (Finding(name, what, "masked"),)
    return _mask_alone(run, base, unused)


def _mask_alone(run: Run, base: Recipe, unused: Run) -> _Guess | None:
    """Recognise a mistake with the mask by what it leaves, whatever numbers were used for it.

    `unused` is the run with a mask that hides nothing.
    """
    hidden, got = run.case.hidden, run.got
    if got is None or got.shape != hidden.shape:
        return None
    mixed = hidden.any(axis=1) & ~hidden.all(axis=1)
    ours, open_cells = got[mixed], ~hidden[mixed]
    on_open = np.where(open_cells, ours, 0).sum(axis=1)
    on_masked = np.where(open_cells, 0, ours).sum(axis=1)
    backwards = (np.abs(on_open) < 1e-3) & ~(np.abs(on_masked - 1) > 1e-3)
    # A row with +inf in it is all NaN; 0 * inf would have made NaN of the unused mask as well.
    infinite = np.isnan(ours).all() and _sound(unused)
    if backwards.all() or infinite:
        return _only("mask-sign", base, MISTAKES["mask-sign"].what, "masked")
    try:
        blind = _predict(base._replace(mask="ignore"), run)
    except ValueError:
        return None
    if run.near(blind, ~hidden) and not np.isclose(got, blind, atol=1e-5)[hidden].any():
        return _only("mask-after-softmax", base, MISTAKES["mask-after-softmax"].what, "masked")
    return None


def _fitted_scale(runs: Sequence[Run]) -> _Guess | None:
    """Return the factors on Q Kᵀ that explain the runs, where there are such."""
    factors = []
    for run in runs:
        case = run.case
        if run.got is None or run.got.shape != case.want.shape:
            return None
        cells = ~case.hidden & (run.got > 0)
        weight = np.log(np.where(cells, run.got, 1))
        dots = np.where(cells, case.Q @ case.K.T, 0)
        count = np.maximum(cells.sum(axis=1, keepdims=True), 1)
        weight = np.where(cells, weight - weight.sum(axis=1, keepdims=True) / count, 0)
        dots = np.where(cells, dots - dots.sum(axis=1, keepdims=True) / count, 0)
        factor = float((weight * dots).sum() / max((dots**2).sum(), 1e-300))
        if factor <= 0 or not _explains(Recipe(scale=factor), [run]):
            return None
        factors.append(factor)
    first, wanted = factors[0], runs[0].case.scale
    if np.allclose(factors, first, rtol=1e-3):
        what = f"The scores are scaled by {first:.4g} whatever d_k is, as if it were always "
        what += f"{1 / first**2:.4g}."
    else:
        what = f"The scores are scaled by {first:.4g} where {wanted:.4g} is right."
    return Recipe(scale=first), (Finding("no-scale", what),)


def _spellings(names: Sequence[str]) -> Iterator[tuple[str, Recipe, str]]:
    for name in names:
        for recipe, what in MISTAKES[name].spellings:
            yield name, recipe, what


def _only(name: str, recipe: Recipe, what: str, case: str = "") -> _Guess:
    return recipe, (Finding(name, what, case),)


def _unshifted(recipe: Recipe) -> Iterator[Recipe]:
    """Yield the recipe, and the same without a shift where that may give NaN."""
    yield recipe
    if recipe.mask != "hide" and recipe.shift == "row":
        yield recipe._replace(shift="none")


def _predict(recipe: Recipe, run: Run) -> NDArray[np.float64]:
    case = run.case
    return follow(recipe, case.Q, case.K, case.hidden, case.scale, case.handed)


def _explains(recipe: Recipe, runs: Sequence[Run]) -> bool:
    """Whether the recipe gives what the runs gave, errors included, but not errors alone."""
    seen = False
    for run in runs:
        try:
            told = _predict(recipe, run)
        except ValueError:
            if run.error is None:
                return False
            continue
        cells = None
        if recipe.mask == "raise" and told.shape == run.case.hidden.shape:
            # With the mask swapped, a row that hides nothing loses every key: it may be anything.
            cells = np.broadcast_to(run.case.hidden.any(axis=1, keepdims=True), told.shape)
        if not run.near(told, cells):
            return False
        seen = True
    return seen


def _sound(run: Run) -> bool:
    return run.got is not None and bool(np.isfinite(run.got).all())


def _overflow(run: Run) -> str:
    as_is, whole = MISTAKES["overflow"].spellings
    if run.near(_predict(whole.recipe, run)) and not run.near(_predict(as_is.recipe, run)):
        return whole.what
    return as_is.what


def _left_over(runs: Mapping[str, Run]) -> Iterator[Finding]:
    """Yield what is wrong on the given inputs only, or on a case that settles nothing else."""
    run = runs["given"]
    if not run.right:
        names = _SOFTMAX if run.case.handed is None else (*_SOFTMAX, *_MASKING)
        guess = _search([run], names)
        if guess is not None:
            yield from (Finding(f.name, f.what, "given") for f in guess[1])
        else:
            yield Finding("other", _describe(run), "given")
        return
    for name, other in runs.items():
        if other.right or (name == "empty row" and other.error is not None):
            continue
        what = _describe(other)
        if name == "empty row":
            what = "A row with every key masked spoils the other rows."
        yield Finding("other", what, name)
        return


def _describe(run: Run) -> str:
    """Return a sentence on a result that no recipe explains, "" where its fault says it all."""
    got, case = run.got, run.case
    if got is None or run.fault:
        return ""
    dots = case.Q @ case.K.T
    if run.near(dots) or run.near(dots * case.scale):
        return "It returns the scores: the softmax is missing."
    if np.isnan(got).any():
        if case.handed is not None and np.isnan(got).all():
            return "The mask makes NaN: 0 * inf is NaN, so set masked scores with np.where instead."
        return "Some weights are NaN."
    sums = got.sum(axis=1)
    off = np.abs(sums - 1) > 1e-4
    off &= ~case.hidden.all(axis=1)
    if off.any():
        row = int(np.argmax(off))
        return f"Row {row} sums to {sums[row]:.4g}, and each row must sum to 1."
    return "These are not the weights of softmax(Q Kᵀ · scale)."
