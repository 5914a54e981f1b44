"""Find the mistakes in an attention function from its results on the cases.

The results are compared with the results of the recipes in `mistakes` on the same inputs: first
recipes with a single change, then recipes with two changes. The cases without a mask show mistakes
in the softmax, the masked case mistakes with the mask, and the large scores an overflow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnwidget.lessons.mistakes import MISTAKES, OTHERS
from attnwidget.lessons.recipes import Recipe, follow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from attnwidget.lessons.student import Run

__all__ = ["Finding", "diagnose"]


@dataclass(frozen=True)
class Finding:
    """A mistake: the `name` or "other", a `description` ("" if unknown), a `case` that shows it."""

    name: str
    description: str
    case: str = ""


_Guess = tuple[Recipe, tuple[Finding, ...]]

_MASKING = ("mask-sign", "mask-after-softmax", "mask-multiplied")
_SOFTMAX = tuple(n for n in MISTAKES if n not in (*_MASKING, "in-place", "overflow"))
_LAST = ("in-place", "overflow")
_ORDER = (*(n for n in MISTAKES if n not in _LAST), "other", *_LAST)


def diagnose(runs: Mapping[str, Run], takes: str) -> list[Finding]:
    """Return the mistakes, the most fundamental mistake first; empty if there are none.

    `runs` are by name of the case. `takes` tells whether the function "never", "may" or "must"
    take a mask.
    """
    findings = list(_softmax_and_mask(runs, takes))
    large, plain = runs["large"], runs["non-square"]
    if not large.right and _is_finite(plain) and not _is_finite(large):
        findings.append(Finding("overflow", _overflow(large), "large"))
    elif not large.right and not findings:
        findings.append(
            Finding("overflow", "The softmax gives wrong numbers for large scores.", "large")
        )
    if any(run.changed for run in runs.values()):
        findings.append(Finding("in-place", MISTAKES["in-place"].what))
    if not any(f.name != "in-place" for f in findings):
        findings.extend(_other_cases(runs))
    return sorted(findings, key=lambda f: _ORDER.index(f.name))


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
        wrong = next(run for run in base if not run.right)
        yield Finding("other", _describe(wrong), wrong.case.name)
        return
    yield from guess[1]
    if takes == "may" and masked is not None and not _explains(guess[0], [masked]):
        with_mask = _mask_guess(masked, guess[0], runs["nothing masked"])
        if with_mask is not None:
            yield from with_mask[1]
        elif not guess[1]:
            yield Finding("other", _describe(masked), "masked")


def _search(runs: Sequence[Run], names: Sequence[str]) -> _Guess | None:
    """Return the first recipe that explains all runs: one change, another scale, or two changes."""
    singles = [_only(name, recipe, what) for name, recipe, what in _spellings(names)]
    others = [(s.recipe, (Finding("other", s.what),)) for s in OTHERS if "mask-sign" in names]
    for guess in singles + others:
        if any(_explains(recipe, runs) for recipe in _unshifted(guess[0])):
            return guess
    scale = _fitted_scale(runs)
    if scale is not None:
        return scale
    for i, (recipe_1, findings_1) in enumerate(singles):
        for recipe_2, findings_2 in singles[i + 1 :]:
            both = recipe_1.merged(recipe_2)
            if findings_1[0].name == findings_2[0].name or both is None:
                continue
            if any(_explains(recipe, runs) for recipe in _unshifted(both)):
                return both, findings_1 + findings_2
    return None


def _mask_guess(run: Run, base: Recipe, unused: Run) -> _Guess | None:
    """Return the mistake with the mask, if `base` is the recipe of the results without a mask."""
    changes = list(_spellings(_MASKING)) + [("other", s.recipe, s.what) for s in OTHERS]
    for name, recipe, what in changes:
        both = base.merged(recipe)
        if both is not None and any(_explains(r, [run]) for r in _unshifted(both)):
            return both, (Finding(name, what, "masked"),)
    return _mask_alone(run, base, unused)


def _mask_alone(run: Run, base: Recipe, unused: Run) -> _Guess | None:
    """Recognise a mistake with the mask by where the weights are, for any numbers in the mask.

    `unused` is the run with a mask without masked cells.
    """
    hidden, got = run.case.hidden, run.got
    if got is None or got.shape != hidden.shape:
        return None
    mixed = hidden.any(axis=1) & ~hidden.all(axis=1)
    weights, open_cells = got[mixed], ~hidden[mixed]
    on_open = np.where(open_cells, weights, 0).sum(axis=1)
    on_masked = np.where(open_cells, 0, weights).sum(axis=1)
    backwards = (np.abs(on_open) < 1e-3) & ~(np.abs(on_masked - 1) > 1e-3)
    # A row with a score of +inf is all NaN. With 0 * inf, the unused mask would give NaN as well.
    infinite = np.isnan(weights).all() and _is_finite(unused)
    if backwards.all() or infinite:
        return _only("mask-sign", base, MISTAKES["mask-sign"].what, "masked")
    try:
        unmasked = _predict(base._replace(mask="ignore"), run)
    except ValueError:
        return None
    if run.near(unmasked, ~hidden) and not np.isclose(got, unmasked, atol=1e-5)[hidden].any():
        return _only("mask-after-softmax", base, MISTAKES["mask-after-softmax"].what, "masked")
    return None


def _fitted_scale(runs: Sequence[Run]) -> _Guess | None:
    """Return a recipe with another factor on Q Kᵀ if such factors explain the runs."""
    factors = []
    for run in runs:
        case = run.case
        if run.got is None or run.got.shape != case.expected.shape:
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
    first, expected = factors[0], runs[0].case.scale
    if np.allclose(factors, first, rtol=1e-3):
        description = f"The scores are multiplied by {first:.4g} for every d_k, as if d_k were "
        description += f"always {1 / first**2:.4g}."
    else:
        description = f"The scores are multiplied by {first:.4g}, where {expected:.4g} is right."
    return Recipe(scale=first), (Finding("no-scale", description),)


def _spellings(names: Sequence[str]) -> Iterator[tuple[str, Recipe, str]]:
    for name in names:
        for recipe, what in MISTAKES[name].spellings:
            yield name, recipe, what


def _only(name: str, recipe: Recipe, what: str, case: str = "") -> _Guess:
    return recipe, (Finding(name, what, case),)


def _unshifted(recipe: Recipe) -> Iterator[Recipe]:
    """Yield the recipe, and the recipe without a shift if the missing shift may give NaN."""
    yield recipe
    if recipe.mask != "hide" and recipe.shift == "row":
        yield recipe._replace(shift="none")


def _predict(recipe: Recipe, run: Run) -> NDArray[np.float64]:
    case = run.case
    return follow(recipe, case.Q, case.K, case.hidden, case.scale, case.mask_argument)


def _explains(recipe: Recipe, runs: Sequence[Run]) -> bool:
    """Return whether the recipe gives the results of all runs, of which some are not errors."""
    compared = False
    for run in runs:
        try:
            predicted = _predict(recipe, run)
        except ValueError:
            if run.error is None:
                return False
            continue
        cells = None
        if recipe.mask == "raise" and predicted.shape == run.case.hidden.shape:
            # With a swapped mask, a row without masked cells loses every key, so ignore the row.
            cells = np.broadcast_to(run.case.hidden.any(axis=1, keepdims=True), predicted.shape)
        if not run.near(predicted, cells):
            return False
        compared = True
    return compared


def _is_finite(run: Run) -> bool:
    return run.got is not None and bool(np.isfinite(run.got).all())


def _overflow(run: Run) -> str:
    as_is, whole = MISTAKES["overflow"].spellings
    if run.near(_predict(whole.recipe, run)) and not run.near(_predict(as_is.recipe, run)):
        return whole.what
    return as_is.what


def _other_cases(runs: Mapping[str, Run]) -> Iterator[Finding]:
    """Yield mistakes that show only on the given inputs, or only on another case."""
    run = runs["given"]
    if not run.right:
        names = _SOFTMAX if run.case.mask_argument is None else (*_SOFTMAX, *_MASKING)
        guess = _search([run], names)
        if guess is not None:
            yield from (Finding(f.name, f.description, "given") for f in guess[1])
        else:
            yield Finding("other", _describe(run), "given")
        return
    for name, other in runs.items():
        if other.right or (name == "empty row" and other.error is not None):
            continue
        description = _describe(other)
        if name == "empty row":
            description = "A row with every key masked makes the other rows wrong."
        yield Finding("other", description, name)
        return


def _describe(run: Run) -> str:
    """Return a sentence on a result that no recipe explains, "" if `run.fault` explains it."""
    got, case = run.got, run.case
    if got is None or run.fault:
        return ""
    dots = case.Q @ case.K.T
    if run.near(dots) or run.near(dots * case.scale):
        return "The function returns the scores: the softmax is missing."
    if np.isnan(got).any():
        if case.mask_argument is not None and np.isnan(got).all():
            return (
                "The mask makes every weight NaN, because 0 * inf is NaN: set masked scores with "
                "np.where instead."
            )
        return "Some weights are NaN."
    sums = got.sum(axis=1)
    wrong = np.abs(sums - 1) > 1e-4
    wrong &= ~case.hidden.all(axis=1)
    if wrong.any():
        row = int(np.argmax(wrong))
        return f"Row {row} sums to {sums[row]:.4g}, but each row must sum to 1."
    return "These are not the weights of softmax(Q Kᵀ · scale)."
