"""AttentionWidget: a session on screen, and what a program may ask of it."""

from __future__ import annotations

import difflib
import secrets
from functools import partial
from typing import TYPE_CHECKING, Any

import traitlets

from attnwidget.export import MAX_BYTES
from attnwidget.session.commands import REDO, UNDO, Reset, Set, Toggle
from attnwidget.session.knock_outs import StopRun
from attnwidget.session.session import Session
from attnwidget.sources.given import GivenSource
from attnwidget.sources.lab import LabSource
from attnwidget.sources.outputs import read_outputs
from attnwidget.sources.picking import pick
from attnwidget.widget.bundle import built
from attnwidget.widget.field import Field
from attnwidget.widget.figures import FigureMethods
from attnwidget.widget.keywords import with_hints
from attnwidget.widget.knocking import KnockOutMethods
from attnwidget.widget.live import Growing
from attnwidget.widget.mirror import SessionMirror
from attnwidget.widget.model_methods import ModelMethods
from attnwidget.widget.progress import progress
from attnwidget.wire.schema import SCHEMA

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path
    from threading import Event

    from numpy.typing import ArrayLike, NDArray
    from typing_extensions import Unpack

    from attnwidget.bertviz.page import Document
    from attnwidget.lessons.check import CheckResult
    from attnwidget.lessons.report import Report
    from attnwidget.sources.api import Layer
    from attnwidget.sources.effect import Effect
    from attnwidget.sources.generation import Generation
    from attnwidget.sources.knockouts import KnockOut
    from attnwidget.sources.runs import RunRecord, RunState
    from attnwidget.widget.comparison import AttentionComparison
    from attnwidget.widget.keywords import SentenceSettings, Settings


class AttentionWidget(FigureMethods, KnockOutMethods, ModelMethods, SessionMirror):
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
        (n_q, n_k). See `attnwidget.maths.masks.as_mask`.
    presets:
        Masks with names, on top of `mask`: any of "causal", "padding", "window", "prefix",
        "block", or a mapping with parameters such as ``{"window": 2}``.
        See `attnwidget.maths.presets.check_presets`.
    scale:
        What Q Kᵀ is multiplied with; 1/√d_k where None (Vaswani et al. 2017, arXiv 1706.03762).
    temperature:
        What the scores are divided by before the softmax; 0 is the argmax limit.
    title:
        The title of the card.
    cmap:
        The colours: one of `attnwidget.session.settings.CMAPS`.
    color_scale:
        The numbers that the colours range over: one of `attnwidget.session.settings.COLOR_SCALES`.
        The colours of "auto" go from 0 to 1 for up to 16 tokens; for more tokens they show the
        square root, up to the maximum of the map.
    quantity:
        The quantity of the map: one of `attnwidget.session.settings.QUANTITIES`.
    view:
        The view on the card: one of `attnwidget.session.settings.VIEWS`.
    settings:
        Every other trait that may be set, by its name: `mistake`, `selection`, `head`, ...

    Raises
    ------
    TypeError, ValueError
        For anything that doesn't fit, naming the argument, what was got and what is wanted.
    """

    _esm = built("widget.js", "export default { render({ el }) { el.textContent = %r } }")
    _css = built("widget.css", "/* %s */")
    _anywidget_id = traitlets.Unicode("attnwidget.widget.widget.AttentionWidget").tag(sync=True)

    tokens: Field[tuple[str, ...]] = Field(SCHEMA)
    key_tokens: Field[tuple[str, ...] | None] = Field(SCHEMA)
    embeddings: Field[NDArray | None] = Field(SCHEMA)
    key_embeddings: Field[NDArray | None] = Field(SCHEMA)
    W_q: Field[NDArray | None] = Field(SCHEMA)
    W_k: Field[NDArray | None] = Field(SCHEMA)
    W_v: Field[NDArray | None] = Field(SCHEMA)
    Q: Field[NDArray | None] = Field(SCHEMA)
    K: Field[NDArray | None] = Field(SCHEMA)
    V: Field[NDArray | None] = Field(SCHEMA)
    bias: Field[NDArray | None] = Field(SCHEMA)
    softcap: Field[float | None] = Field(SCHEMA)
    scale: Field[float] = Field(SCHEMA)
    temperature: Field[float] = Field(SCHEMA)
    scores: Field[NDArray] = Field(SCHEMA)
    mask: Field[NDArray] = Field(SCHEMA)
    attention: Field[NDArray] = Field(SCHEMA)
    output: Field[NDArray | None] = Field(SCHEMA)
    locked: Field[NDArray | None] = Field(SCHEMA)
    row_mass: Field[NDArray | None] = Field(SCHEMA)
    output_norms: Field[NDArray | None] = Field(SCHEMA)
    presets: Field[Mapping[str, Any]] = Field(SCHEMA)
    d_model: Field[int | None] = Field(SCHEMA)
    d_k: Field[int | None] = Field(SCHEMA)
    d_v: Field[int | None] = Field(SCHEMA)
    n_heads: Field[int | None] = Field(SCHEMA)
    seed: Field[int | None] = Field(SCHEMA)
    init: Field[str | None] = Field(SCHEMA)
    positional: Field[str | None] = Field(SCHEMA)
    given: Field[tuple[str, ...]] = Field(SCHEMA)
    replaced: Field[tuple[str, ...]] = Field(SCHEMA)
    overridden: Field[Mapping[str, Any] | None] = Field(SCHEMA)
    special: Field[tuple[bool, ...]] = Field(SCHEMA)
    sentence_b_start: Field[int | None] = Field(SCHEMA)
    merge: Field[str | None] = Field(SCHEMA)
    hide_special: Field[bool | None] = Field(SCHEMA)
    layers: Field[tuple[Layer, ...]] = Field(SCHEMA)
    derived_layers: Field[tuple[Layer, ...]] = Field(SCHEMA)
    stack: Field[str] = Field(SCHEMA)
    layer: Field[int] = Field(SCHEMA)
    head: Field[int] = Field(SCHEMA)
    shown: Field[tuple[int, int, str]] = Field(SCHEMA)
    view: Field[str] = Field(SCHEMA)
    cmap: Field[str] = Field(SCHEMA)
    color_scale: Field[str] = Field(SCHEMA)
    quantity: Field[str] = Field(SCHEMA)
    selection: Field[tuple[int, int] | None] = Field(SCHEMA)
    heads_on: Field[tuple[int, ...] | None] = Field(SCHEMA)
    grid_order: Field[str] = Field(SCHEMA)
    grid_statistic: Field[str] = Field(SCHEMA)
    mistake: Field[str | None] = Field(SCHEMA)
    report: Field[Report | None] = Field(SCHEMA)
    bertviz_views: Field[tuple[str, ...]] = Field(SCHEMA)
    title: Field[str] = Field(SCHEMA)
    subtitle: Field[str] = Field(SCHEMA)
    notice: Field[str] = Field(SCHEMA)
    revision: Field[int] = Field(SCHEMA)
    history: Field[tuple[int, int]] = Field(SCHEMA)
    generation: Field[Generation | None] = Field(SCHEMA)
    knockouts: Field[tuple[KnockOut, ...]] = Field(SCHEMA)
    effect: Field[Effect | None] = Field(SCHEMA)
    run_state: Field[RunState | None] = Field(SCHEMA)
    shown_run: Field[str] = Field(SCHEMA)
    effect_position: Field[int | None] = Field(SCHEMA)
    runs: Field[tuple[RunRecord, ...]] = Field(SCHEMA)
    input_text: Field[str | tuple[str, str] | None] = Field(SCHEMA)
    checkpoint: Field[int | None] = Field(SCHEMA)
    checkpoints: Field[tuple[int, ...]] = Field(SCHEMA)
    _stop_generation: Event | None = None

    @with_hints
    def __init__(
        self,
        sentence_or_tokens: str | Iterable[str] | Session,
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
        color_scale: str = "auto",
        quantity: str = "attention",
        view: str = "heatmap",
        **settings: Unpack[SentenceSettings],
    ) -> None:
        if isinstance(sentence_or_tokens, Session):
            super().__init__(sentence_or_tokens)
            return
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
        look: dict[str, Any] = {"cmap": cmap, "color_scale": color_scale}
        look |= {"quantity": quantity, "view": view}
        look |= settings
        super().__init__(Session(source, mask=mask, presets=presets, title=title, **look))

    @classmethod
    @with_hints
    def from_model(
        cls,
        model: Any,
        tokenizer: Any = None,
        text: str | tuple[str, str] | None = None,
        *,
        inputs: Mapping[str, Any] | None = None,
        tokenize: Mapping[str, Any] | None = None,
        generate: Mapping[str, Any] | None = None,
        batch_index: int = 0,
        strict: bool = False,
        stack: str | None = None,
        layer: int | None = None,
        head: int = 0,
        large: bool = False,
        mask: ArrayLike | None = None,
        title: str | None = None,
        cmap: str = "viridis",
        color_scale: str = "auto",
        quantity: str = "attention",
        view: str = "heatmap",
        **settings: Unpack[Settings],
    ) -> AttentionWidget:
        """Open a Hugging Face model on `text`: one forward pass, every layer and head.

        `model` may be a wrapper inside of which the model computes the same: of torch.compile,
        DataParallel or PEFT (LoRA), a SentenceTransformer or a pipeline, which bring their own
        tokenizer along. `tokenizer` may be a processor. `text` is a str, or a pair as a tuple:
        two sentences, or what an encoder-decoder reads and what it writes. `tokenize` are
        options of the tokenizer's call, such as ``{"truncation": True, "max_length": 128}``;
        without them nothing is cut off.

        `inputs` in place of a text is what the model is called with: tensors, NumPy arrays or
        lists by name (pixels, sounds, a padded batch of which `batch_index` is shown), or the
        token ids alone, (n,) or (batch, n); without a tokenizer, positions name the tokens.

        With `generate`, options of ``model.generate`` such as ``{"max_new_tokens": 20}``, the map
        grows by a row for each token: what the model looked at when it generated the next token. In
        a notebook the widget is on screen meanwhile. The stop button, `stop` in another thread and
        an interrupt keep the rows so far. `generation` has the text, probabilities and the state.

        `stack` is the stack shown: "self" in a single stack, "encoder", "decoder" or "cross" in an
        encoder-decoder, "vision" or "audio" in a tower beside text. Q, K and V are those of the
        shown `layer` (the model's own index; the first one where None) and `head`, after
        rotation. What the model itself masks is shown as masked and locked; what flows into an
        attention sink has a column of its own. An edited mask recomputes this head's attention
        and output only. The model is left exactly as it was found.

        A map goes to the page whole, with about 10 bytes a cell, and so does each other map that
        is looked at. Above 1,000,000 cells the notice states the megabytes; above 8,000,000
        cells, `large` has to be True. The widget of such a map sends nothing before it is
        displayed; its `weights`, of any rows and columns, need no page.

        Raises
        ------
        TypeError, ValueError
            For a model, tokenizer, text, layer or head that can't be shown, saying what can.
        ImportError
            Without ``attnwidget[models]``.
        """
        from attnwidget.capture.source import ModelSource
        from attnwidget.capture.unwrap import unwrapped

        if not isinstance(large, bool):
            raise TypeError(f"large: got {large!r}, want True or False")
        model, tokenizer = unwrapped(model, tokenizer)
        look: dict[str, Any] = {"title": title, "cmap": cmap, "color_scale": color_scale}
        look |= {"quantity": quantity, "view": view, **settings}
        at: dict[str, Any] = {"layer": layer, "head": head, "mask": mask, "large": large}
        read: dict[str, Any] = {"inputs": inputs, "batch_index": batch_index, "tokenize": tokenize}
        read["strict"] = strict
        if generate is not None:
            from attnwidget.capture.generate import capture_generation

            run = partial(capture_generation, model, tokenizer, text, generate, **read)
            at |= look
            growing = Growing(lambda s, text: cls(Session(s, generated=text, **at)), stack, large)
            return growing.run(run)
        source = ModelSource.capture(model, tokenizer, text, **read, watch=progress)
        return cls(Session(source if stack is None else source.of(stack), **at, **look))

    @classmethod
    @with_hints
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
        color_scale: str = "auto",
        view: str = "heatmap",
        **settings: Unpack[Settings],
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
        session = Session(
            GivenSource.create(attention, tokens, key_tokens),
            layer=layer,
            head=head,
            mask=mask,
            presets=presets,
            title=title,
            cmap=cmap,
            color_scale=color_scale,
            view=view,
            **settings,
        )
        return cls(session)

    @classmethod
    @with_hints
    def from_outputs(
        cls,
        outputs: Any,
        tokens: str | Iterable[str],
        key_tokens: str | Iterable[str] | None = None,
        *,
        stack: str | None = None,
        batch_index: int = 0,
        layer: int = 0,
        head: int = 0,
        mask: ArrayLike | None = None,
        presets: Any = None,
        title: str | None = None,
        cmap: str = "viridis",
        color_scale: str = "auto",
        view: str = "heatmap",
        **settings: Unpack[Settings],
    ) -> AttentionWidget:
        """Show attentions that a transformers model has returned: all its layers and heads.

        `outputs` is what the model returned under ``output_attentions=True``, or its tuple of
        tensors, one a layer, (b, h, n_q, n_k). Of an encoder-decoder, `stack` is "encoder",
        "decoder" or "cross". The other keywords are those of `from_arrays`.

        Raises
        ------
        TypeError, ValueError
            For outputs without weights (what to do is said), of the wrong rank, or with NaN.
        """
        return cls.from_arrays(
            read_outputs(outputs, stack, batch_index),
            tokens,
            key_tokens,
            layer=layer,
            head=head,
            mask=mask,
            presets=presets,
            title=title,
            cmap=cmap,
            color_scale=color_scale,
            view=view,
            **settings,
        )

    @staticmethod
    @with_hints
    def compare(
        a: AttentionWidget,
        b: AttentionWidget,
        /,
        *,
        layer: int | None = None,
        head: int | None = None,
        stack: str | None = None,
        align: str = "token",
        labels: tuple[str, str] | None = None,
        title: str | None = None,
        cmap: str = "viridis",
        color_scale: str = "unit",
    ) -> AttentionComparison:
        """Show the attention of `a`, of `b` and what changed, B - A, side by side.

        Two texts are aligned by token, two models of the same tokens cell by cell; both have the
        same layer and head. `attnwidget.widget.comparison.AttentionComparison` explains the
        keywords.

        Raises
        ------
        TypeError, ValueError
            For what is no AttentionWidget, or has no layer or no token in common.
        """
        from attnwidget.widget.comparison import AttentionComparison

        at: dict[str, Any] = {"layer": layer, "head": head, "stack": stack, "align": align}
        look: dict[str, Any] = {"title": title, "cmap": cmap, "color_scale": color_scale}
        return AttentionComparison(a, b, labels=labels, **at, **look)

    def toggle(self, query: int, key: int) -> None:
        """Mask cell (`query`, `key`), or free it: positions from 0, rows are queries.

        Raises
        ------
        TypeError, ValueError
            For a position outside the map, or a cell that the model itself masks.
        """
        self.store.do(Toggle(query, key))

    def undo(self) -> bool:
        """Take back the last edit, of mask or numbers, here or in the browser; False if none."""
        change = self.store.do(UNDO)
        return change.after is not change.before

    def redo(self) -> bool:
        """Make the edit again that was undone last; False if there is none."""
        change = self.store.do(REDO)
        return change.after is not change.before

    def reset(self) -> bool:
        """Return to the numbers that the widget was made with; False if it has them.

        Numbers set by hand are taken back, and arrays that were given and then replaced by a seed
        or a size come back, with their sizes. The mask and the other settings (seed, temperature,
        ...) stay as they are.
        """
        change = self.store.do(Reset())
        return change.after is not change.before

    def stop(self) -> bool:
        """End the generation of text after the token at hand, and keep the rows so far.

        Call it in another thread than `from_model`, which returns when the generation has ended.
        `generation.state` is "stopped" afterwards. A run with knock-outs ends at its next layer,
        and `run_state.state` is "stopped". Returns False if there is nothing to stop.
        """
        change = self.store.do(StopRun())
        if change.after is not change.before:
            return True
        generation = self.generation
        if generation is None or generation.state != "running" or self._stop_generation is None:
            return False
        self._stop_generation.set()
        return True

    def randomise(self) -> int:
        """Draw new embeddings and weights from another seed, and return it."""
        seed = secrets.randbelow(10_000)
        seed += seed == self.seed
        self.store.do(Set("seed", seed))
        return seed

    @property
    def output_shift(self) -> NDArray:
        """How far masking each cell would move its query's output, shaped like `attention`.

        Euclidean, in the units of `output`; 0 where a cell is masked. See
        `attnwidget.maths.effects.output_shift`. ValueError for weights given as they are.
        """
        shift = self.store.now.output_shift
        if shift is None:
            raise ValueError("output_shift: it needs V; given weights have none")
        return shift

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
        return self.store.check(fn, mask)

    def weights(
        self,
        layer: int,
        head: int | None = None,
        *,
        stack: str | None = None,
        rows: Any = None,
        cols: Any = None,
    ) -> NDArray:
        """Return the attention of a layer as the source computes it, without edits of the mask.

        (h, n_q, n_k), or (n_q, n_k) of one `head`; `rows` (queries) and `cols` (keys) pick from it:
        a position, a slice or a list. `stack` is the stack, the one shown where None; `layers`
        lists them. What flows into a sink is left out. Of a captured model, only the `head` asked
        for is computed, and only its `rows`. Raises ValueError for a stack, layer, head or position
        that isn't there.
        """
        return pick(self.store.source_of(stack), layer, head, rows, cols)

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

        now = self.store.now
        return bertviz_document(now.source, kind, now.layer, now.head, options)

    def save_html(
        self,
        path: str | os.PathLike[str],
        *,
        title: str | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> Path:
        """Write the card as one HTML file that needs no Python and no network; return its path.

        The page opens from disk. Masks, numbers, presets, undo, mistakes, Steps and every own view
        work in it, and the edits are kept until it is closed or loaded again. Another sentence,
        other sizes and seeds, figures and BertViz's views need Python, and the page says so.

        Of a model, all captured heads are in the file, rounded to 65,536 steps an array. Given
        weights are exact. The page states how far a weight may differ under any mask. If the heads
        need more than `max_bytes`, the layers nearest to the layer on screen are in the file, and
        the page names the others. `title` is the title of the page.

        Raises
        ------
        TypeError, ValueError
            For another `max_bytes` than a number of bytes that the head on screen fits in, and
            while a text is being generated.
        OSError
            For a path that cannot be written. Nothing is written then.
        """
        from attnwidget.export.page import save_html

        return save_html(self.store.now, path, title=title, max_bytes=max_bytes)

    def save_module(self, path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES) -> Path:
        """Write the card as an ES module that any web page and MyST can host; return its path.

        The module exports anywidget's `render` with the state inside: ``import lab from
        "./lab.mjs"; lab.render({ el })``. The model of a host is not read. The module has what the
        page of `save_html` has, and raises the same errors.
        """
        from attnwidget.export.page import save_module

        return save_module(self.store.now, path, max_bytes=max_bytes)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a trait; any other public name is a slip. A subclass has attributes of its own."""
        is_slip = not name.startswith("_") and not hasattr(type(self), name) and name != "store"
        if is_slip and type(self) is AttentionWidget:
            near = difflib.get_close_matches(name, self.trait_names(), n=1)
            hint = f"did you mean {near[0]!r}?" if near else "want a trait of the widget"
            raise AttributeError(f"the widget has no {name!r}; {hint}")
        super().__setattr__(name, value)

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Refuse a subclass that puts something else in the place of a field."""
        super().__init_subclass__(**keywords)
        for name in SCHEMA:
            if name in cls.__dict__:
                raise TypeError(f"{name}: it is a field of AttentionWidget, want another name")
