"""`KnockOut`: a part of a model's attention that is taken out while the model runs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from attnwidget.maths.validate import choice, size

Kind = Literal["remove", "zero", "mean", "first"]

#: What each kind does to the weights of the cells that are knocked out.
KINDS: Mapping[Kind, str] = {
    "remove": (
        "the score becomes -inf before the softmax, and the rest of the row grows "
        "(Geva et al. 2023, arXiv 2304.14767)"
    ),
    "zero": "the weight becomes 0 after the softmax, and the row sums to less than 1",
    "mean": (
        "the weight becomes the mean of the weights that the head gives the key, over the queries "
        "that see the key; a whole row keeps its sum"
    ),
    "first": "the weight moves to the first key that the query sees",
}


@dataclass(frozen=True)
class KnockOut:
    """A part of a model's attention that is taken out. None stands for all.

    `stack` is the name of a stack without its size ("self", "encoder", "decoder", "cross",
    "vision", "audio"), `layer` and `head` are the model's numbers, `query` and `key` positions
    counted from 0. Query and key give an edge, a key alone a column, a query alone a row, neither
    of them whole heads. `kind` is a name in `KINDS`.
    """

    stack: str | None = None
    layer: int | None = None
    head: int | None = None
    query: int | None = None
    key: int | None = None
    kind: Kind = "remove"

    def as_dict(self) -> dict[str, Any]:
        """Return the record as a dictionary, with all six entries."""
        return {name: getattr(self, name) for name in _FIELDS}

    def as_code(self) -> str:
        """Return the record as a dictionary in Python, without the entries that are the default."""
        plain = KnockOut().as_dict()
        return repr({name: value for name, value in self.as_dict().items() if value != plain[name]})

    def __str__(self) -> str:
        """Return the knock-out in words: "remove 4→2 in layer 3, head 1"."""
        if self.query is None and self.key is None:
            cells = "all"
        elif self.key is None:
            cells = f"query {self.query}"
        elif self.query is None:
            cells = f"key {self.key}"
        else:
            cells = f"{self.query}→{self.key}"
        places = [] if self.stack is None else [self.stack]
        places.append("all layers" if self.layer is None else f"layer {self.layer}")
        places.append("all heads" if self.head is None else f"head {self.head}")
        return f"{self.kind} {cells} in {', '.join(places)}"


def named(knockouts: Sequence[KnockOut]) -> str:
    """Return a name for knock-outs: the first of them in words, and how many there are more."""
    more = f" and {len(knockouts) - 1} more" if len(knockouts) > 1 else ""
    return f"{knockouts[0]}{more}" if knockouts else "no knock-outs"


@dataclass(frozen=True)
class Measured(KnockOut):
    """A knock-out with its effect, which a scan has measured.

    It stands wherever a `KnockOut` does. `effect` is the change of the scan's target.
    """

    effect: float = math.nan


_NUMBERS = ("layer", "head", "query", "key")
_FIELDS = tuple(field.name for field in dataclasses.fields(KnockOut))


def check_knockouts(value: Any) -> tuple[KnockOut, ...]:
    """Return records of knock-outs; `value` has `KnockOut`s, or dictionaries with their fields.

    Raises
    ------
    TypeError
        If `value` is no list, or a record has a wrong type.
    ValueError
        If a record has an unknown entry or kind, or a negative number.
    """
    if isinstance(value, (str, Mapping)) or not isinstance(value, Iterable):
        raise TypeError(f"knockouts: got {type(value).__name__}, want a list of records")
    return tuple(_checked(record, i) for i, record in enumerate(value))


def _checked(record: Any, i: int) -> KnockOut:
    name = f"knockouts[{i}]"
    if isinstance(record, KnockOut):
        record = record.as_dict()
    if not isinstance(record, Mapping):
        raise TypeError(
            f"{name}: got {type(record).__name__}, want a KnockOut or a dictionary with some of "
            f"{', '.join(_FIELDS)}"
        )
    unknown = [key for key in record if key not in _FIELDS]
    if unknown:
        raise ValueError(f"{name}: got {unknown[0]!r}, want some of {', '.join(_FIELDS)}")
    stack = record.get("stack")
    if not isinstance(stack, str | None):
        raise TypeError(f"{name}.stack: got {type(stack).__name__}, want a name or None")
    numbers = {
        key: None if record.get(key) is None else size(f"{name}.{key}", record[key], at_least=0)
        for key in _NUMBERS
    }
    kind = choice(f"{name}.kind", record.get("kind", "remove"), tuple(KINDS))
    return KnockOut(stack, **numbers, kind=kind)  # type: ignore[arg-type]
