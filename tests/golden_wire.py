"""The golden wire: every message of every script, in golden/wire.json.

The file is a characterisation: it says what the widget sends today, not what is right. A page
holds the widget to it, so a change behind the traits must leave the file as it is. It may be
rewritten, by ``python tests/golden_wire.py --write``, where the wire changes on purpose and on
both of its sides (a name, a trait, a message, a text that people read), and the diff of the file
shows that change and nothing else. It is never rewritten to make a test pass.

Of each message, the file has the names and the values: plain JSON, or the type, the shape and
the first 16 digits of the SHA-256 of an array's bytes. Floats are rounded to 5 decimals before
that, because the last bits are the platform's. The revisions of a script are numbered 1, 2, 3 in
their order, because a page compares revisions and does not count them. Keys may be added to
`_change` without a change of the file, because the recorded keys alone are compared there.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import golden_page
import golden_scripts
import numpy as np
from golden_widgets import opened
from ipywidgets.widgets.widget import _put_buffers

FILE = Path(__file__).parent / "golden" / "wire.json"
SCRIPTS = golden_scripts.SCRIPTS | golden_page.SCRIPTS
DECIMALS = 5
# Keys of these may be added.
GROWING = ("_change",)


def recorded(name: str) -> list[dict[str, Any]]:
    """Run a script, and return its messages as they stand in the file."""
    kind, act = SCRIPTS[name]
    w = opened(kind)
    act(w)
    messages = [described(data, buffers) for data, buffers in w.comm.sent]
    order = sorted(set(_revisions(messages)))
    return _renumbered(messages, {revision: i for i, revision in enumerate(order, 1)})


def _revisions(value: Any) -> list[int]:
    if isinstance(value, dict):
        # What is added to these is not recorded, and gives no number.
        parts = [part for name, part in value.items() if name not in GROWING]
    else:
        parts = value if isinstance(value, list) else []
    own = [value["revision"]] if isinstance(value, dict) and "revision" in value else []
    return own + [revision for part in parts for revision in _revisions(part)]


def _renumbered(value: Any, numbers: dict[int, int]) -> Any:
    if isinstance(value, list):
        return [_renumbered(part, numbers) for part in value]
    if not isinstance(value, dict):
        return value
    return {
        name: numbers.get(part, part) if name == "revision" else _renumbered(part, numbers)
        for name, part in value.items()
    }


def described(data: dict[str, Any], buffers: list[Any]) -> dict[str, Any]:
    """Return an update as its values by name, any other message as what it says."""
    if data["method"] != "update":
        return {data["method"]: plain(data["content"]), "buffers": [digest(b) for b in buffers]}
    state = json.loads(json.dumps(data["state"]))
    _put_buffers(state, data["buffer_paths"], buffers)
    return {name: plain(state[name]) for name in sorted(state)}


def plain(value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {"data", "dtype", "shape"}:
        shape = " × ".join(map(str, value["shape"]))
        return f"{value['dtype']} {shape} {digest(value['data'], value['dtype'])}"
    if isinstance(value, dict):
        return {key: plain(part) for key, part in sorted(value.items())}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return round(value, DECIMALS) + 0.0 if isinstance(value, float) else value


def digest(data: Any, dtype: str = "uint8") -> str:
    array = np.frombuffer(data, dtype)
    if dtype == "float32":
        array = np.round(array, DECIMALS) + np.float32(0)  # and no negative zero
    return hashlib.sha256(array.tobytes()).hexdigest()[:16]


def differences(wanted: list[dict[str, Any]], got: list[dict[str, Any]]) -> list[str]:
    """Return a line for each name of each message that is not as recorded."""
    lines = []
    if len(wanted) != len(got):
        lines.append(f"{len(got)} messages, recorded are {len(wanted)}")
    for number, (old, new) in enumerate(zip(wanted, got, strict=False), 1):
        for name in sorted({*old, *new}):
            lines += [f"message {number}: {line}" for line in _differ(name, old, new)]
    for number, messages, what in ((len(got), wanted, "missing"), (len(wanted), got, "new")):
        rest = enumerate(messages[number:], number + 1)
        lines += [f"message {i}: {what}: {', '.join(message)}" for i, message in rest]
    return lines


def _differ(name: str, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    if name not in new:
        return [f"{name}: missing, recorded is {old[name]!r}"]
    if name not in old:
        return [f"{name}: not recorded, got {new[name]!r}"]
    before, after = old[name], new[name]
    if before == after:
        return []
    if isinstance(before, dict) and isinstance(after, dict):
        keys = sorted(before if name in GROWING else {*before, *after})
        return [f"{name}.{line}" for key in keys for line in _differ(key, before, after)]
    return [f"{name}: got {after!r}, recorded is {before!r}"]


def stored() -> dict[str, list[dict[str, Any]]]:
    return json.loads(FILE.read_text(encoding="utf-8"))


def write() -> None:
    """Record every script anew."""
    text = json.dumps({name: recorded(name) for name in SCRIPTS}, indent=1, ensure_ascii=False)
    FILE.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("usage: python tests/golden_wire.py --write")
    write()
