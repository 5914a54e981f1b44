"""The maps of all heads of a state, as the views draw them that show more than one head."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnwidget.sources.api import stack_layers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnwidget.session.snapshot import Snapshot


def maps_of_one_mask(now: Snapshot) -> NDArray | None:
    """Return the weights (h, n_q, n_k) as other views draw them, None where heads have own masks.

    The heads of a sentence share the mask and the mistake that is switched on. The mask of a
    model's head is of this head alone, so the grid of a model has the weights of the source.
    """
    if len(stack_layers(now.source)) > 1 or now.maps.attention.ndim < 3:
        return None
    report = now.report
    if report is not None and report.kind == "mistake" and report.weights is not None:
        return report.weights
    return now.maps.attention
