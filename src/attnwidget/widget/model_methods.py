"""The methods of a widget that run its model again: another text, other weights, a scan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attnwidget.maths.validate import index, size
from attnwidget.session.rerun import KeepCheckpoint, ShowRun
from attnwidget.sources.derived import base_of
from attnwidget.widget.progress import counting, progress

if TYPE_CHECKING:
    from attnwidget.search.result import Scan
    from attnwidget.session.snapshot import Snapshot
    from attnwidget.sources.effect import Effect
    from attnwidget.sources.runs import RunRecord

# The runs of the steps of a training have at most so many bytes together.
MAX_BYTES = 256_000_000


def captured(now: Snapshot, what: str) -> Any:
    """Return the source of the model that a state shows.

    Raises
    ------
    ValueError
        If the maps do not come from a model that can run.
    """
    source = base_of(now.source.of_run(None))
    if source.model is None:
        raise ValueError(
            f"{what}: there is no model here that can be run; want a widget from "
            "AttentionWidget.from_model"
        )
    return source


def scan_of(
    now: Snapshot,
    target: Any,
    over: str,
    kind: str,
    limits: dict[str, Any],
    position: Any,
    **options: Any,
) -> Scan:
    """Scan the model that a state shows; see `ModelMethods.scan`."""
    from attnwidget.search.scan import scan_source

    source = captured(now, "scan")
    if now.source.stack_id.derived:
        raise ValueError(
            f"scan: the stack {now.source.stack!r} is derived from other maps; want stack="
            f"{source.stack!r}, the stack of the model"
        )
    if over == "edges":
        for name in ("layer", "head"):
            if limits[name] is None:
                limits = {**limits, name: getattr(now, name)}
    return scan_source(source, target, over, kind, limits, position, **options)


def run_at(name: str, runs: tuple[RunRecord, ...], at: Any) -> RunRecord:
    """Return the run at an index, which may be negative."""
    if not runs:
        raise ValueError(f"{name}: no run was done yet; set `knockouts`, or want None")
    at = index(name, at, range(-len(runs), len(runs)))
    return runs[at]


def effect_between(now: Snapshot, first: Any, second: Any, position: Any) -> Effect:
    """Compare two runs that a state has kept; see `ModelMethods.compare_runs`."""
    pair = [
        None if at is None else run_at(name, now.experiment.runs, at)
        for name, at in (("first", first), ("second", second))
    ]
    runner = next((run.runner for run in pair if run), now.experiment.runner)
    if runner is None:
        captured(now, "compare_runs")
        raise ValueError(f"compare_runs: {now.experiment.why_not}")
    if any(run and run.runner is not runner for run in pair):
        raise ValueError(
            f"compare_runs: run {first} and run {second} are of different texts or models; "
            "want two runs of the same text and model"
        )
    if position is None:
        position = now.experiment.effect_position
    else:
        position = index("position", position, range(runner.positions))
    edits = [run.knockouts if run else () for run in pair]
    return runner.compared(edits[0], edits[1], position)


class ModelMethods:
    """The methods of a widget that run its model again."""

    store: Any

    def run(
        self,
        text: str | tuple[str, str] | None = None,
        *,
        inputs: Mapping[str, Any] | None = None,
        tokenize: Mapping[str, Any] | None = None,
        batch_index: int = 0,
        strict: bool = False,
    ) -> None:
        """Run the model on another text, in this card, and keep what the reader has chosen.

        `text`, `inputs`, `tokenize`, `batch_index` and `strict` are those of `from_model`;
        `tokenize` None are the options with which the card was opened. View, stack, layer, head,
        quantity, colours and the grouping of tokens stay as far as the other text has them; a mask
        by hand stays where the map has the same shape. The notice says what was dropped. `undo`
        returns to the text before.

        Raises
        ------
        TypeError, ValueError
            For a text that the model cannot take, and for a card without a model. Nothing has
            changed then.
        """
        source = captured(self.store.now, "run")
        new = source.read_again(
            text,
            inputs,
            batch_index=batch_index,
            tokenize=tokenize,
            strict=strict,
            watch=progress,
        )
        self.store.do(ShowRun(new))

    def refresh(self) -> None:
        """Run the model again on the same input, with its weights as they are now.

        Use it after the weights have changed: by a training, an adapter, or by hand. Every choice
        stays, and the mask by hand; numbers of a head that were set by hand do not. `undo` returns
        to the maps before. See `attnwidget.callback` for a training.

        Raises
        ------
        ValueError
            For a card without a model, or a head that now computes NaN.
        """
        source = captured(self.store.now, "refresh")
        self.store.do(ShowRun(source.again(watch=progress)))

    def compare_runs(
        self, first: int | None, second: int | None, *, position: int | None = None
    ) -> Effect:
        """Return what changes in the model's output from a run to another run of `runs`.

        `first` and `second` are indices into `runs`, negative ones from the end; None is the model
        without knock-outs. `position` is where the output is read, None for the position of the
        card. In the `Effect`, "before" is the first run and "after" the second. The model runs
        with both anew, because the outputs of runs are not kept. The card stays as it is.

        Raises
        ------
        TypeError, ValueError
            If there is no such run, the runs are of different texts or models, or the model is not
            the model that was opened any more.
        """
        return effect_between(self.store.now, first, second, position)

    def keep_checkpoint(self, step: int, max_bytes: int = MAX_BYTES) -> None:
        """Run the model again, and keep the maps as those of a step of a training.

        For a training loop of your own; `attnwidget.callback` does it for transformers' Trainer.
        `checkpoints` has the steps kept, and setting `checkpoint` shows one of them. The card shows
        the newest step, unless an earlier step was chosen. If the steps need more than `max_bytes`,
        every other step is left out, but not the first and the last. A smaller step than the last
        begins another training, and later steps are left out.

        Raises
        ------
        TypeError, ValueError
            For a negative step, a card without a model, or a head that computes NaN.
        """
        source = captured(self.store.now, "keep_checkpoint")
        step, max_bytes = size("step", step, at_least=0), size("max_bytes", max_bytes)
        new = source.again(watch=progress).with_checkpoint(step)
        self.store.do(KeepCheckpoint(new, max_bytes))

    def scan(
        self,
        target: Any,
        over: str = "heads",
        kind: str = "remove",
        *,
        position: int | None = None,
        layer: int | None = None,
        head: int | None = None,
        query: int | None = None,
        key: int | None = None,
        batch_size: int | None = None,
    ) -> Scan:
        """Measure the effect of every knock-out on a number of the model's output.

        `target` is a token, a pair of tokens, "kl", a class or a function of the outputs, and
        `over` is "heads", "layers", "keys" or "edges" of the stack shown; `attnwidget.scan`
        explains all of the keywords. The edges are those of the head shown, unless `layer` and
        `head` name another. The text is that of the card, without its masks and its knock-outs.

        A long scan shows a bar. Ctrl+C (or the notebook's stop button) ends it and keeps what was
        measured. The result draws itself as a coloured map.

        Raises
        ------
        TypeError, ValueError
            For a wrong argument, and for a card without a model.
        """
        limits = {"layer": layer, "head": head, "query": query, "key": key}
        with counting(f"Scan over {over}", "knock-outs") as step:
            return scan_of(
                self.store.now,
                target,
                over,
                kind,
                limits,
                position,
                batch_size=batch_size,
                progress=step,
            )
