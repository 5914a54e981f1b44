"""`DocumentOptions`: the keywords that the documents of BertViz's head and model view share."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from attnwidget.bertviz.maps import MAX_BYTES, Stack, chosen, same_heads, span, within
from attnwidget.bertviz.page import fixed_bytes, shown_theme
from attnwidget.maths.validate import choice, index, size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KINDS = ("head", "model")


@dataclass(frozen=True, kw_only=True)
class DocumentOptions:
    """The keywords of a document, which `attnwidget.bertviz.document.document` describes.

    Raises
    ------
    TypeError, ValueError
        If `kind`, `theme`, `display_mode` or `max_bytes` does not fit. The methods check the layers
        and heads, because these depend on the maps.
    """

    kind: str
    layer: int | None = None
    include_layers: Sequence[int] | None = None
    heads: Sequence[int] | None = None
    include_heads: Sequence[int] | None = None
    prettify_tokens: bool = True
    theme: str | None = None
    display_mode: str | None = None
    max_bytes: int = MAX_BYTES

    @classmethod
    def of(cls, kind: str, keywords: Mapping[str, Any]) -> DocumentOptions:
        """Return the options in `keywords`; TypeError for a name that no option has."""
        known = sorted(field.name for field in fields(cls) if field.name != "kind")
        for name in keywords:
            if name not in known:
                names = ", ".join(known)
                raise TypeError(f"bertviz: unknown keyword {name!r}, want one of {names}")
        return cls(kind=kind, **keywords)

    def __post_init__(self) -> None:
        choice("kind", self.kind, KINDS)
        shown_theme(self.theme, self.display_mode)
        size("max_bytes", self.max_bytes)

    @property
    def page_theme(self) -> str:
        """The theme of the page, "light" or "dark"."""
        return shown_theme(self.theme, self.display_mode)

    def included_layers(self, numbers: Sequence[int]) -> list[int]:
        """Return the layers that the document contains, of the layers in `numbers`."""
        return chosen("include_layers", self.include_layers, numbers)

    def first_layer(self, included: Sequence[int], default: int) -> int:
        """Return the layer shown first, which must be in `included`."""
        return default if self.layer is None else index("layer", self.layer, included)

    def choose_heads(self, stacks: list[Stack]) -> tuple[list[Stack], list[int] | None]:
        """Return the stacks with the heads to draw, and the heads that are switched on at first."""
        common = range(min(stack.n_heads for stack in stacks))
        if self.kind == "head":
            if self.include_heads is not None:
                raise ValueError(
                    "include_heads: BertViz's head view draws every head, because the colour is "
                    "the head's number; want heads=, the heads switched on at first, or "
                    "kind='model'"
                )
            same_heads(stacks)
            return stacks, None if self.heads is None else chosen("heads", self.heads, common)
        if self.heads is not None:
            raise ValueError(
                "heads: BertViz's model view has no heads to switch; want include_heads=, or "
                "kind='head'"
            )
        if self.include_heads is None:
            return stacks, None
        drawn = chosen("include_heads", self.include_heads, common)
        return [replace(stack, heads=drawn) for stack in stacks], None

    def fitting_layers(
        self,
        stacks: Sequence[Stack],
        included: Sequence[int],
        first: int,
        texts: Sequence[str],
        *,
        copies: int = 1,
    ) -> tuple[list[int], list[str]]:
        """Return the included layers that fit the limits, and a sentence if a layer is left out.

        `texts` are the tokens that the document contains. `copies` is the number of times that a
        weight is written.
        """
        positions, reason = within(
            len(included),
            included.index(first),
            stacks,
            together=self.kind == "model",
            copies=copies,
            fixed=fixed_bytes(self.kind, texts),
            max_bytes=self.max_bytes,
        )
        layers = [included[i] for i in positions]
        if not reason:
            return layers, []
        return layers, [f"{layer_text(layers)} ({len(layers)} of {len(included)}): {reason}."]


def layer_text(numbers: Sequence[int]) -> str:
    """Return layer numbers as text: ``Layers 0 to 5``, ``Layer 3``, ``None of these layers``."""
    if not numbers:
        return "None of these layers"
    return f"Layer{'s' * (len(numbers) > 1)} {span(numbers)}"
