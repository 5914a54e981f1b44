"""What a run of a model did not show: attention modules that ran, and no map of theirs is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnwidget.capture.arrange import part_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from attnwidget.capture.records import Call

UNSEEN = "no softmax over keys was seen in it"
_WORDS = {
    "self": "self-attention",
    "encoder": "encoder self-attention",
    "decoder": "decoder self-attention",
    "cross": "cross-attention",
    "vision": "vision attention",
    "audio": "audio attention",
}


@dataclass(frozen=True)
class Missing:
    """Attention of the module `module`, of class `kind`, that is not shown, and why."""

    module: str
    kind: str
    reason: str


def unrecorded(ran: Collection[tuple[str, str]], recorded: Collection[str]) -> list[Missing]:
    """Return what of `ran`, (qualified name, class), is not `recorded`.

    A module around recorded attention, or a part of it, is covered. Of modules around each other
    the innermost is named.
    """
    names = {name for name, _ in ran}
    around = {parent for name in names | set(recorded) for parent in _parents(name)}
    missing = []
    for name, kind in ran:
        inside = any(parent in recorded for parent in (name, *_parents(name)))
        if not inside and name not in around:
            missing.append(Missing(name, kind, UNSEEN))
    return missing


def _parents(name: str) -> Iterable[str]:
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def one_map_a_run(
    model: PreTrainedModel, calls: Sequence[Call]
) -> tuple[list[Call], list[Missing]]:
    """Return the calls that are one map of one layer, and what else the modules did.

    A module that attends twice in one run makes one map of both (DiffLlama). A module that runs
    again is another layer where the model says so (ALBERT, Perceiver), else its first run stands.
    """
    runs = Counter((call.module, call.turn) for call in calls)
    single = [call for call in calls if runs[call.module, call.turn] == 1]
    missing = [
        Missing(module, "", f"it attends {count} times in a run, and makes one map of all")
        for module, count in dict.fromkeys((m, n) for (m, _), n in runs.items() if n > 1)
    ]
    times = Counter(call.module for call in single)
    again = sum(count for count in times.values() if count > 1)
    if not again or again in _shared_layers(model):
        return single, missing
    first: list[Call] = []
    for call in single:
        if all(call.module != earlier.module for earlier in first):
            first.append(call)
    later = [
        Missing(m, "", f"its runs after the first, {n - 1}") for m, n in times.items() if n > 1
    ]
    return first, missing + later


def _shared_layers(model: PreTrainedModel) -> set[int]:
    """Return how many layers modules that run again may make together."""
    config = model.config
    found = {getattr(config, "num_hidden_layers", None)}
    blocks = getattr(config, "num_blocks", None)
    within = getattr(config, "num_self_attends_per_block", None)
    if isinstance(blocks, int) and isinstance(within, int):
        found.add(blocks * within)
    return {count for count in found if isinstance(count, int)}


def in_words(model: PreTrainedModel, missing: Sequence[Missing]) -> str:
    """Say what is not shown, "" where all is: kind, where, class, and why."""
    groups: dict[tuple[str, str], list[Missing]] = {}
    for one in missing:
        kind = one.kind or _class_of(model, one.module)
        groups.setdefault((_WORDS[part_of(model, one.module)], kind), []).append(one)
    parts = []
    for (words, kind), group in groups.items():
        names = list(dict.fromkeys(one.module for one in group))
        more = "" if len(names) == 1 else f" and {len(names) - 1} more"
        reasons = " and ".join(dict.fromkeys(one.reason for one in group))
        parts.append(f"{words} in {names[0]}{more} ({kind}), because {reasons}")
    return f"Not shown: {'; '.join(parts)}." if parts else ""


def _class_of(model: PreTrainedModel, module: str) -> str:
    try:
        return type(model.get_submodule(module)).__name__
    except AttributeError:  # a module that was there for the run alone
        return "unknown"
