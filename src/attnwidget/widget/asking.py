"""What an AttentionWidget can be asked, by a program and by its page."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.lessons.report import Report
from attnwidget.maths.effects import output_shift
from attnwidget.maths.strongest import Lines
from attnwidget.maths.thumbnails import make_grid, parts
from attnwidget.maths.validate import index
from attnwidget.session.size import cells
from attnwidget.sources.api import stack
from attnwidget.sources.picking import pick
from attnwidget.widget.editing import AttentionEditing
from attnwidget.widget.guard import exclusive
from attnwidget.wire.answers import grid_message, lines_message

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from attnwidget.bertviz.page import Document
    from attnwidget.lessons.check import CheckResult
    from attnwidget.sources.api import Source

# Bytes of an answer that go with the first state, and stay in a saved notebook: a page that need
# not ask for it draws a quarter sooner.
_AHEAD = 1_000_000


class AttentionAsking(AttentionEditing):
    """Edits, weights, a student's function, documents; and the page's own questions."""

    def _open(self, source: Source, **state: Any) -> None:
        super()._open(source, **state)
        self.on_msg(self._answer)

    # Messages

    def _answer(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        answers = {
            "bertviz": self._bertviz_message,
            "grid": self._grid_message,
            "lines": self._lines_message,
        }
        answer = answers.get(content.get("type", ""))
        if answer is None:
            return
        reply = {"id": content.get("id")}
        try:
            said, buffers = answer(content)
        except (TypeError, ValueError) as error:  # in words for whoever asked
            self.send({**reply, "error": str(error)})
        except Exception as error:  # whatever else went wrong, the view that asked says it
            self.send({**reply, "error": f"{type(error).__name__}: {error}"})
        else:
            self.send({**reply, **said}, buffers=buffers)

    @exclusive
    def _pack_ahead(self, fresh: bool) -> dict[str, Any] | None:
        """Return the answer to what the page of a new widget asks at once, with the question."""
        if not fresh or self.view != "lines" or not self._source.is_model:
            return None
        asked = {"type": "lines", "layer": self.layer, "kind": self.kind}
        try:
            said, buffers = self._lines_message(asked)
        except Exception:  # the page will ask, and hear why
            return None
        if sum(part.nbytes for part in buffers) > _AHEAD:
            return None
        return {"asked": asked, "answer": said, "buffers": buffers}

    def _bertviz_message(self, content: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
        theme = content.get("theme", "light")
        html = self.bertviz(content.get("kind", ""), theme=theme, prettify_tokens=False)
        return {}, [html.encode()]

    @exclusive
    def _lines_message(self, content: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
        source = self._source.of(content.get("kind", self.kind))
        layer = index("layer", content.get("layer"), [one.index for one in stack(source)])
        said, buffers = lines_message(Lines.of(source.maps(layer)))
        return {**said, "layer": layer}, buffers

    def _grid_message(self, content: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
        with self._mutex:
            source = self._source.of(content.get("kind", self.kind))
        # A source never changes: others may set and read this widget while its maps are computed.
        heads = {one.index: one.n_heads for one in stack(source)}
        every = parts(heads, cells(source))
        part = every[index("part", content.get("part", 0), range(len(every)))]

        def weights(layer: int) -> NDArray:
            try:
                if part.end - part.first == heads[layer]:
                    return source.weights(layer)
                some = range(part.first, part.end)
                return np.stack([pick(source, layer, head, None, None) for head in some])
            except ValueError:  # computed as NaN: it is dark among the others
                return np.full((part.end - part.first, 1, 1), np.nan)

        said, buffers = grid_message(make_grid(part.layers, weights, source.tokens))
        return {**said, "first": part.first, "parts": len(every)}, buffers

    @exclusive
    def toggle(self, query: int, key: int) -> None:
        """Mask cell (`query`, `key`), or free it: positions from 0, rows are queries.

        Raises
        ------
        TypeError, ValueError
            For a position outside the map, or a cell that the model itself masks.
        """
        n_q, n_k = self._computation.mask.shape
        query, key = index("query", query, range(n_q)), index("key", key, range(n_k))
        if self.locked is not None and self.locked[query, key]:
            raise ValueError(f"toggle: the model itself masks ({query}, {key}); it stays masked")
        mask = self._own.copy()
        mask[query, key] ^= True
        self._remask(mask)

    def undo(self) -> bool:
        """Take back the last edit, of mask or numbers, here or in the browser; False if none."""
        return self._travel("undo")

    def redo(self) -> bool:
        """Make the edit again that was undone last; False if there is none."""
        return self._travel("redo")

    def reset(self) -> bool:
        """Take back every number set by hand since the widget was made; False if none was.

        The mask and the settings (sizes, seed, temperature, ...) stay as they are.
        """
        return self._reset()

    def randomise(self) -> int:
        """Draw new embeddings and weights from another seed, and return it."""
        seed = secrets.randbelow(10_000)
        seed += seed == self.seed
        self.set_trait("seed", seed)
        return seed

    @property
    def output_shift(self) -> NDArray:
        """How far masking each cell would move its query's output, shaped like `attention`.

        Euclidean, in the units of `output`; 0 where a cell is masked. See
        `attnwidget.maths.effects.output_shift`. ValueError for weights given as they are.
        """
        with self._mutex:
            V, temperature, maps = self.V, self.temperature, self._computation
            attention, output, scores, mask = maps.attention, maps.output, maps.scores, maps.mask
        if V is None or output is None:
            raise ValueError("output_shift: it needs V; given weights have none")
        return output_shift(attention, V, output, scores=scores, mask=mask, temperature=temperature)

    def check(self, fn: Callable[..., Any], mask: ArrayLike | None = None) -> CheckResult:
        """Try a student's own ``fn(Q, K)`` or ``fn(Q, K, mask)`` and name its mistake.

        `fn` is to return the attention weights, (n_q, n_k). It runs on copies of the shown head's
        Q and K, on `mask` (this widget's own where None) handed over as it is written, and on
        inputs of other shapes and sizes. The record says `ok`, `mistake`, `message` and
        `difference` (got - expected); it is true where `fn` is right. See
        `attnwidget.lessons.check`.
        The widget shows it, with the difference as a map, until it is dismissed.

        Raises
        ------
        TypeError, ValueError
            Where `fn` can't be called, or `mask` is no mask for this map. What `fn` itself does
            wrong, raising included, is in the record.
        """
        from attnwidget.lessons.check import check

        with self._mutex:
            Q, K, scale, head, revision = self.Q, self.K, self.scale, self.head, self.revision
            own, note = self.mask, self._left_out()
        if Q is None:
            raise ValueError("check: it needs Q and K; given weights have none")
        Q, K = (a[head] if a.ndim > 2 else a for a in (Q, K))
        if mask is None and own.any():
            mask = own
        result = check(fn, Q, K, mask, scale=scale)
        with self._mutex, self.hold_sync():
            self.set_trait("mistake", None)
            self.report = Report.of_check(result, revision).noted(note)
        return result

    def weights(
        self,
        layer: int,
        head: int | None = None,
        *,
        kind: str | None = None,
        rows: Any = None,
        cols: Any = None,
    ) -> NDArray:
        """Return the attention of a layer as the source computes it, without edits of the mask.

        (h, n_q, n_k), or (n_q, n_k) of one `head`; `rows` (queries) and `cols` (keys) pick from it:
        a position, a slice or a list. `kind` is the stack, the one shown where None; `layers`
        lists them. What flows into a sink is left out. Of a captured model, only the `head` asked
        for is computed, and only its `rows`. Raises ValueError for a kind, layer, head or position
        that isn't there.
        """
        with self._mutex:
            source = self._source if kind is None else self._source.of(kind)
        return pick(source, layer, head, rows, cols)

    def bertviz(self, kind: str = "head", **options: Any) -> Document:
        """Return BertViz's own ``"head"``, ``"model"`` or ``"neuron"`` view as one offline page.

        It shows what the source itself computes, without edits of the mask; an encoder-decoder
        with all its stacks. The document is a `str`; in a notebook cell it draws itself, and
        ``.save(path)`` writes it. `options` are BertViz's: `include_layers`, `heads`,
        `include_heads`, `display_mode` (or `theme`), `prettify_tokens`, `sentence_b_start`; see
        `attnwidget.bertviz.document.document`. The neuron view is there for BERT, RoBERTa and
        GPT-2.

        Raises
        ------
        TypeError, ValueError
            For another kind or option, or maps that BertViz can't draw, saying why.
        ImportError
            Without ``attnwidget[models]``.
        """
        from attnwidget.bertviz.of_source import bertviz_document

        with self._mutex:
            source, layer, head = self._source, self.layer, self.head
        return bertviz_document(source, kind, layer, head, options)
