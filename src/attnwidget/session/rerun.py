"""Show the model's run on another text, or with other weights, and keep the reader's choices."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.maths.presets import fit_presets, preset_mask
from attnwidget.maths.validate import index
from attnwidget.session.size import check_size, map_shape
from attnwidget.session.transitions import show
from attnwidget.sources.api import stack_layers
from attnwidget.sources.by_token import carried

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnwidget.session.snapshot import Snapshot
    from attnwidget.sources.api import Source


@dataclass(frozen=True, eq=False)
class ShowRun:
    """Show another run of the model: of another text, or with other weights.

    `source` has the run. Runs of one `stroke` undo together. A run that is not `recorded` cannot be
    undone by itself.
    """

    source: Any
    stroke: Hashable = None
    recorded: bool = True
    may_wait: str = ""

    def apply(self, now: Snapshot) -> Snapshot:
        """Return the state with the run; what cannot hold there is dropped, and the notice says so.

        View, quantity, colours, stack, layer and head stay as far as the run has them. The mask by
        hand stays if the map has the same shape, and knock-outs where the text has their tokens.
        An undo returns to the run before.
        """
        source, lost = _of_the_same_maps(self.source, now.source)
        check_size(source, stack_layers(source)[0].index, now.is_large)
        after = _with_mask(now, source, lost)
        if now.selection is not None and after.selection is None:
            lost.append("the selected cell")
        if after.view != now.view:
            lost.append(f"the view {now.view!r}")
        if after.quantity != now.quantity:
            lost.append(f"the quantity {now.quantity!r}")
        kept, words = carried(now.experiment.knocked_out, now.source, source)
        if lost:
            words = f"Not kept from the run before: {', '.join(lost)}. {words}".strip()
        if words:
            named = self.source.with_notice(f"{words} {self.source.notice}".strip())
            after = after.evolve(source=_of_the_same_maps(named, now.source)[0])
        after = after.evolve(generated=None, checked=None)
        position, runner = now.experiment.effect_position, source.runner
        if position is not None and (runner is None or position >= runner.positions):
            position = None
        if (kept, position) != (now.experiment.knocked_out, now.experiment.effect_position):
            experiment = replace(now.experiment, knocked_out=kept, effect_position=position)
            after = after.evolve(experiment=experiment)
        return after.evolve(history=now.recorded(self.stroke)) if self.recorded else after


@dataclass(frozen=True, eq=False)
class KeepCheckpoint:
    """Keep the run of a step of a training, and show it unless an earlier step is on screen.

    The runs kept have at most `max_bytes` bytes together: beyond, every other run is left out, but
    not the first and the last.
    """

    source: Any
    max_bytes: int
    may_wait: str = ""

    def apply(self, now: Snapshot) -> Snapshot:
        """Return the state with the run; what a reader has chosen stays."""
        step = self.source.checkpoint
        # A training that starts again has other weights at the steps that come.
        earlier = [source for source in now.kept if source.checkpoint < step]
        kept = _thinned([*earlier, self.source], self.max_bytes)
        # The reader has chosen an earlier step, if the step on screen is not the newest.
        is_chosen = now.source.checkpoint in [source.checkpoint for source in earlier]
        follows = not is_chosen or now.source.checkpoint == now.checkpoints[-1]
        if follows:
            now = ShowRun(self.source, recorded=False).apply(now)
        return now.evolve(kept=tuple(kept))


def _thinned(kept: list[Any], max_bytes: int) -> list[Any]:
    while len(kept) > 2 and sum(source.nbytes for source in kept) > max_bytes:
        last = kept[-1:] if len(kept) % 2 == 0 else []
        kept = [*kept[::2], *last]
    return kept


def set_checkpoint(now: Snapshot, value: Any) -> Snapshot:
    """Return the state with the run of another step of a training on screen."""
    if not now.kept:
        raise ValueError(
            "checkpoint: no step of a training is kept; want attnwidget.callback(w) among the "
            "callbacks of a Trainer"
        )
    by_step = dict(zip(now.checkpoints, now.kept, strict=True))
    step = index("checkpoint", value, list(by_step))
    if step == now.source.checkpoint:
        return now
    return ShowRun(by_step[step], recorded=False).apply(now)


def _of_the_same_maps(source: Source, like: Source) -> tuple[Source, list[str]]:
    """Return the source with the stack and the grouping of `like`, and what it does not have."""
    lost: list[str] = []
    wanted = like.stack_id
    stacks = source.stacks
    stack = next((name for name, each in stacks.items() if each == wanted), None) or next(
        (
            name
            for name, each in stacks.items()
            if (each.part, each.derived) == (wanted.part, wanted.derived)
        ),
        None,
    )
    if stack is None:
        lost.append(f"the stack {like.stack!r}")
    else:
        source = source.of(stack)
    for name in ("merge", "hide_special"):
        value = getattr(like, name)
        if value in {None, "tokens", False}:
            continue
        try:
            source = source.replace(name, value, 0, 0)
        except ValueError:
            lost.append(f"{name}={value!r}")
    return source, lost


def _with_mask(now: Snapshot, source: Source, lost: list[str]) -> Snapshot:
    """Return the state with a source; a mask by hand of another shape is lost."""
    shape = map_shape(source)
    before = preset_mask(now.presets, now.source.tokens, now.source.key_tokens)
    by_hand: NDArray[np.bool_] = now.own & ~before
    is_same = (source.tokens, source.key_tokens) == (now.source.tokens, now.source.key_tokens)
    others = any(own.any() for own, _ in now.aside.values())
    aside = now.aside if is_same else {}
    if others and not is_same:
        lost.append("the masks of other maps")
    now = now.evolve(aside=aside)
    if shape == now.own.shape:
        return show(now, source)
    if by_hand.any():
        lost.append("the mask by hand, because the map has another shape")
    presets = fit_presets(now.presets, shape[1])
    own = preset_mask(presets, source.tokens, source.key_tokens)
    return show(now, source, own=own, presets=presets)
