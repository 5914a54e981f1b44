"""AttentionWidget: how one is made, and what it can be asked."""

from __future__ import annotations

import difflib
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.checks import index
from attnwidget.editing import AttentionEditing
from attnwidget.grid import make_grid
from attnwidget.guard import exclusive
from attnwidget.lines import Lines
from attnwidget.report import Report
from attnwidget.sources.base import stack
from attnwidget.sources.given import GivenSource
from attnwidget.sources.lab import LabSource
from attnwidget.sources.outputs import read_outputs
from attnwidget.whatif import output_shift

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import ArrayLike, NDArray

    from attnwidget.bertviz import Document
    from attnwidget.check import CheckResult
    from attnwidget.sources.base import Source

_STATIC = Path(__file__).parent / "static"


def _static(name: str, without: str) -> Path | str:
    """Return the built file, or, in a checkout that was never built, what says so in its place."""
    path = _STATIC / name
    return path if path.exists() else without % "attnwidget was not built: run `make build`"


class AttentionWidget(AttentionEditing):
    """Self-attention of a sentence, live: click a cell, and that query no longer sees that key.

    Parameters
    ----------
    sentence_or_tokens:
        A sentence, split at whitespace and punctuation, or a list of n tokens.
    key_tokens:
        For cross-attention: the n_k tokens that keys and values come from, n where None.
    embeddings, key_embeddings:
        X, (n, d_model), and what the keys are made from, (n_k, d_model). Drawn uniformly from
        [0, 1) by `seed` where not given.
    d_model, d_k, d_v, n_heads:
        Sizes; 4, d_model // n_heads, d_k and 1 where neither said nor given by an array.
    seed:
        For NumPy's legacy generator, as in the course lab.
    init:
        How W_q, W_k and W_v are drawn: "uniform" as in the lab, "normal", "identity",
        "orthogonal" (Saxe et al. 2013, arXiv 1312.6120).
    positional:
        "none", "sinusoidal" (Vaswani et al. 2017), "rotary" (Su et al. 2021, arXiv 2104.09864)
        or "alibi" (Press et al. 2021, arXiv 2108.12409).
    W_q, W_k, W_v:
        Projections (d_model, d_k), (d_model, d_k), (d_model, d_v); several heads: a leading
        axis h.
    Q, K, V:
        Given directly: (n, d_k), (n, d_k), (n, d_v); they stay until their inputs are set.
    mask:
        True (or any of 1, -1, -inf, <= -1e4) where a query may not see a key; (n,), (1, n) or
        (n_q, n_k). See `attnwidget.masks.as_mask`.
    presets:
        Masks with names, on top of `mask`: any of "causal", "padding", "window", "prefix",
        "block", or a mapping with parameters such as ``{"window": 2}``.
        See `attnwidget.presets.check_presets`.
    scale:
        What Q Kᵀ is multiplied with; 1/√d_k where None (Vaswani et al. 2017, arXiv 1706.03762).
    temperature:
        What the scores are divided by before the softmax; 0 is the argmax limit.
    title, cmap, color_scale, quantity, view:
        What is shown, and how: see `VIEWS`, `CMAPS`, `COLOR_SCALES`, `QUANTITIES` in
        `attnwidget.traits`.

    Raises
    ------
    TypeError, ValueError
        For anything that doesn't fit, naming the argument, what was got and what is wanted.
    """

    _esm = _static("widget.js", "export default { render({ el }) { el.textContent = %r } }")
    _css = _static("widget.css", "/* %s */")

    def __init__(
        self,
        sentence_or_tokens: str | Iterable[str],
        *,
        key_tokens: str | Iterable[str] | None = None,
        embeddings: ArrayLike | None = None,
        key_embeddings: ArrayLike | None = None,
        d_model: int | None = None,
        d_k: int | None = None,
        d_v: int | None = None,
        n_heads: int | None = None,
        seed: int = 0,
        init: str = "uniform",
        positional: str = "none",
        W_q: ArrayLike | None = None,
        W_k: ArrayLike | None = None,
        W_v: ArrayLike | None = None,
        Q: ArrayLike | None = None,
        K: ArrayLike | None = None,
        V: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        presets: Any = None,
        scale: float | None = None,
        temperature: float = 1.0,
        title: str | None = None,
        cmap: str = "viridis",
        color_scale: str = "unit",
        quantity: str = "attention",
        view: str = "heatmap",
        **unknown: Any,
    ) -> None:
        _refuse(type(self).__init__, unknown)
        source = LabSource.create(
            sentence_or_tokens,
            key_tokens=key_tokens,
            d_model=d_model,
            d_k=d_k,
            d_v=d_v,
            n_heads=n_heads,
            seed=seed,
            init=init,
            positional=positional,
            scale=scale,
            temperature=temperature,
            embeddings=embeddings,
            key_embeddings=key_embeddings,
            W_q=W_q,
            W_k=W_k,
            W_v=W_v,
            Q=Q,
            K=K,
            V=V,
        )
        shown = {"cmap": cmap, "color_scale": color_scale, "quantity": quantity, "view": view}
        self._open(source, mask=mask, presets=presets, title=title, **shown)

    @classmethod
    def from_model(
        cls,
        model: Any,
        tokenizer: Any = None,
        text: str | tuple[str, str] | None = None,
        *,
        inputs: Mapping[str, Any] | None = None,
        batch_index: int = 0,
        kind: str | None = None,
        layer: int | None = None,
        head: int = 0,
        mask: ArrayLike | None = None,
        title: str | None = None,
        cmap: str = "viridis",
        color_scale: str = "unit",
        view: str = "heatmap",
        **unknown: Any,
    ) -> AttentionWidget:
        """Open a Hugging Face model on `text`: one forward pass, every layer and head.

        `tokenizer` may be a processor. `text` is a str, or a pair: two sentences, or what an
        encoder-decoder reads and what it writes. `inputs` in its place is what the model is
        called with, tensors by name (pixels, sounds, a padded batch of which `batch_index` is
        shown); without a tokenizer, positions name the tokens.

        `kind` is the stack shown: "self" in a single stack, "encoder", "decoder" or "cross" in an
        encoder-decoder, "vision" or "audio" in a tower beside text. Q, K and V are those of the
        shown `layer` (the model's own index; the first one where None) and `head`, after
        rotation. What the model itself masks is shown as masked and locked; what flows into an
        attention sink has a column of its own. An edited mask recomputes this head's attention
        and output only. The model is left exactly as it was found.

        Raises
        ------
        TypeError, ValueError
            For a model, tokenizer, text, layer or head that can't be shown, saying what can.
        ImportError
            Without ``attnwidget[models]``.
        """
        from attnwidget.sources.model import ModelSource

        _refuse(cls.from_model, unknown)
        source = ModelSource.capture(model, tokenizer, text, inputs=inputs, batch_index=batch_index)
        source = source if kind is None else source.of(kind)
        shown = {"title": title, "cmap": cmap, "color_scale": color_scale, "view": view}
        return cls._of(source, mask=mask, layer=layer, head=head, **shown)

    @classmethod
    def from_arrays(
        cls,
        attention: ArrayLike,
        tokens: str | Iterable[str],
        key_tokens: str | Iterable[str] | None = None,
        *,
        layer: int = 0,
        head: int = 0,
        mask: ArrayLike | None = None,
        presets: Any = None,
        title: str | None = None,
        cmap: str = "viridis",
        color_scale: str = "unit",
        view: str = "heatmap",
        **unknown: Any,
    ) -> AttentionWidget:
        """Show weights that were computed elsewhere: NumPy, torch or JAX arrays, or lists.

        `attention` is (n_q, n_k), (h, n_q, n_k) or (l, h, n_q, n_k), after the softmax. Rows that
        don't sum to 1 are shown as they are, and a notice says so. A masked cell's weight goes to
        the rest of its row, which keeps the sum that it came with; `scores` are log(attention).

        Raises
        ------
        TypeError, ValueError
            For weights that are negative, NaN, or don't fit the tokens.
        """
        _refuse(cls.from_arrays, unknown)
        source = GivenSource.create(attention, tokens, key_tokens)
        shown = {"title": title, "cmap": cmap, "color_scale": color_scale, "view": view}
        return cls._of(source, mask=mask, presets=presets, layer=layer, head=head, **shown)

    @classmethod
    def from_outputs(
        cls,
        outputs: Any,
        tokens: str | Iterable[str],
        key_tokens: str | Iterable[str] | None = None,
        *,
        kind: str | None = None,
        batch_index: int = 0,
        **shown: Any,
    ) -> AttentionWidget:
        """Show attentions that a transformers model has returned: all its layers and heads.

        `outputs` is what the model returned under ``output_attentions=True``, or its tuple of
        tensors, one a layer, (b, h, n_q, n_k). Of an encoder-decoder, `kind` is "encoder",
        "decoder" or "cross". What else is `shown` is as in `from_arrays`.

        Raises
        ------
        TypeError, ValueError
            For outputs without weights (what to do is said), of the wrong rank, or with NaN.
        """
        weights = read_outputs(outputs, kind, batch_index)
        return cls.from_arrays(weights, tokens, key_tokens, **shown)

    @classmethod
    def _of(cls, source: Source, **state: Any) -> AttentionWidget:
        self = cls.__new__(cls)
        self._open(source, **state)
        return self

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a trait; a name that is nearly one is a slip, not a new attribute."""
        if not name.startswith("_") and not hasattr(type(self), name):
            near = difflib.get_close_matches(name, self.trait_names(), n=1)
            if near:
                raise AttributeError(f"the widget has no {name!r}; did you mean {near[0]!r}?")
        super().__setattr__(name, value)

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
        except Exception as error:  # whatever went wrong, the view that asked says it
            self.send({**reply, "error": f"{type(error).__name__}: {error}"})
        else:
            self.send({**reply, **said}, buffers=buffers)

    def _bertviz_message(self, content: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
        html = self.bertviz(content.get("kind", ""), theme=content.get("theme", "light"))
        return {}, [html.encode()]

    @exclusive
    def _lines_message(self, content: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
        source = self._source.of(content.get("kind", self.kind))
        layer = index("layer", content.get("layer"), [one.index for one in stack(source)])
        said, buffers = Lines.of(source.maps(layer)).message()
        return {**said, "layer": layer}, buffers

    @exclusive
    def _grid_message(self, content: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
        source = self._source.of(content.get("kind", self.kind))
        layers = [one.index for one in stack(source)]
        return make_grid(layers, source.weights, source.tokens).message()

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
        `attnwidget.whatif.output_shift`. ValueError for weights given as they are.
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
        `difference` (got - expected); it is true where `fn` is right. See `attnwidget.check`.
        The widget shows it, with the difference as a map, until it is dismissed.

        Raises
        ------
        TypeError, ValueError
            Where `fn` can't be called, or `mask` is no mask for this map. What `fn` itself does
            wrong, raising included, is in the record.
        """
        from attnwidget.check import check

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

    @exclusive
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
        lists them. What flows into a sink is left out. Raises ValueError for a kind, layer, head
        or position that isn't there.
        """
        source = self._source if kind is None else self._source.of(kind)
        layer = index("layer", layer, [one.index for one in stack(source)])
        found = source.weights(layer)
        if head is not None:
            found = found[index("head", head, range(len(found)))]
        for name, axis, pick in (("cols", -1, cols), ("rows", -2, rows)):
            if pick is None:
                continue
            try:
                at = np.arange(found.shape[axis])[pick]
            except (IndexError, TypeError) as error:
                n = found.shape[axis]
                raise ValueError(
                    f"{name}: got {pick!r}, want positions from 0 to {n - 1}"
                ) from error
            found = np.take(found, at, axis=axis)
        return found

    # Documents

    def bertviz(self, kind: str = "head", *, theme: str = "light") -> Document:
        """Return BertViz's own ``"head"`` or ``"model"`` view as one self-contained HTML file.

        It shows what the source itself computes, without edits of the mask. The document is a
        `str`; in a notebook cell it draws itself, and ``.save(path)`` writes it.

        Raises
        ------
        ValueError
            For another kind, or maps too large for BertViz.
        ImportError
            Without ``attnwidget[models]``.
        """
        from attnwidget.bertviz import document

        if self.key_tokens is not None:
            raise ValueError("bertviz: its views want one list of tokens; this has key_tokens too")
        layers = [one.index for one in stack(self._source)]
        weights = [self._source.weights(layer) for layer in layers]
        return document(
            kind, weights, list(self.tokens), layer=self.layer, layers=layers, theme=theme
        )


def _refuse(function: Any, unknown: dict[str, Any]) -> None:
    """Raise TypeError for keywords that `function` doesn't have, with the nearest one it has."""
    if not unknown:
        return
    name = next(iter(unknown))
    known = [k for k in function.__annotations__ if k not in {"return", "unknown"}]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"
    raise TypeError(f"unknown keyword {name!r}{hint}")
