"""Two pages and a program on a bad network: all of them end with the same numbers.

The widget is the real one, on a recording comm. The pages are the real state of the page
(`js/state`), in one process of Node. Messages between them, up and down, are lost, late or doubled.
"""

from __future__ import annotations

import base64
import json
import random
import subprocess
from pathlib import Path

import numpy as np
import pytest
from recording import RecordingComm

from attnwidget import AttentionWidget
from attnwidget.wire.pack import pack

ROOT = Path(__file__).parents[1]
MAPS = ("embeddings", "key_embeddings", "W_q", "W_k", "W_v", "Q", "K", "V")
MAPS = (*MAPS, "bias", "scores", "mask", "attention", "output")
RUNNER = """
const { handle } = require(process.argv[1]);
let done = Promise.resolve();
require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  done = done.then(() => handle(line)).then((answer) => console.log(answer));
});
"""


class Node:
    """The process of the pages."""

    def __init__(self, bundle: Path) -> None:
        command = ["node", "-e", RUNNER, str(bundle)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)

    def say(self, **message):
        self.process.stdin.write(json.dumps(message, default=_json) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, "the process of the pages has ended"
        return json.loads(answer)


def _json(value):
    return base64.b64encode(value).decode()


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    bundle = tmp_path_factory.mktemp("page") / "pages.cjs"
    build = [str(ROOT / "node_modules/.bin/esbuild"), "tests/js/harness.ts", "--bundle"]
    build += ["--format=cjs", "--log-level=error", f"--outfile={bundle}"]
    subprocess.run(build, cwd=ROOT, check=True)
    node = Node(bundle)
    yield node
    node.process.stdin.close()
    node.process.wait(timeout=10)


class Page:
    """A page, and the two wires between it and Python."""

    def __init__(self, node, name, widget):
        self.node, self.name = node, name
        self.up, self.down = [], []
        self.revision = widget.revision  # that the page has confirmed, as its messages say
        self.is_known = True  # whether the page can compute all of its pending edits
        self.worst, self.compared, self.resyncs, self.refusals = 0.0, 0, 0, 0
        # The revision and the arrays that the page had as Python's after each message.
        self.seen = []
        self.take(node.say(type="open", page=name, state=widget.get_state(list(widget.fields()))))

    def take(self, now):
        self.now = now
        self.up += [("state", sent) for sent in now["sent"]]
        self.up += [("question", asked) for asked in now["asked"]]
        self.resyncs += len(now["asked"])

    def act(self, name, *arguments):
        before = self.now["shown"]
        if not self.now["pending"]:
            self.is_known = True
        self.take(self.node.say(type="act", page=self.name, name=name, **{"with": arguments}))
        setting = name == "ask" and arguments[0] not in ("scale", "temperature")
        # What undo takes back may be older than the page: then it shows nothing before the answer.
        is_shown = name not in ("undo", "redo") or self.now["shown"] != before
        self.is_known &= not setting and name != "reset" and is_shown

    def receive(self, message):
        author, state = message
        change = state.get("_change")
        before, pending = self.now, self.now["pending"]
        self.take(self.node.say(type="receive", page=self.name, state=state))
        self.seen.append((self.now["revision"], self.now["confirmed"]))
        if change is None or change["from"] not in (None, self.revision):
            return
        is_others = change["from"] != change["revision"] and author != self.name
        self.revision = change["revision"]
        if is_others or change["refused"]:
            self.is_known = False
            self.refusals += bool(change["refused"])
        elif pending and not self.now["pending"] and self.is_known:
            self.compare(before["shown"], self.now["shown"])

    def compare(self, preview, answer):
        for name in MAPS:
            if answer[name] is not None and name != "mask":
                a, b = (
                    np.frombuffer(base64.b64decode(each[name]), "float32")
                    for each in (preview, answer)
                )
                self.worst = max(self.worst, float(np.abs(a - b).max()))
        assert preview["mask"] == answer["mask"]
        self.compared += 1


class World:
    """A widget, two pages of it, and a network that is bad until it is mended."""

    def __init__(self, node, seed, **settings):
        self.random = random.Random(seed)
        self.widget = AttentionWidget("a b c d", key_tokens="x y z", d_model=5, d_k=2, **settings)
        self.widget.comm = RecordingComm()
        self.pages = [Page(node, f"{seed} {name}", self.widget) for name in "ab"]
        self.is_bad = True
        # What Python had at each revision that it has sent.
        self.sent = {self.widget.revision: packed(self.widget)}

    def times(self):
        return self.random.choice([0, 1, 1, 1, 1, 1, 1, 2]) if self.is_bad else 1

    def tell(self, author):
        """Put what the widget has sent on the wires of both pages."""
        states, self.widget.comm.sent = self.widget.comm.states(), []
        self.sent[self.widget.revision] = packed(self.widget)
        for state in states:
            for page in self.pages:
                page.down += [(author, state)] * self.times()

    def deliver_up(self, page):
        kind, content = self.taken(page.up)
        for _ in range(self.times()):
            if kind == "question":
                self.widget._handle_custom_msg(content, [])
                self.tell("whole")
            else:
                self.widget.set_state(json.loads(json.dumps(content)))
                self.tell(page.name)

    def taken(self, wire):
        is_late = self.is_bad and self.random.random() < 0.3
        return wire.pop(self.random.randrange(len(wire)) if is_late else 0)

    def deliver(self):
        """Deliver a message, where there is one."""
        wires = [(page, wire) for page in self.pages for wire in ("up", "down")]
        full = [(page, wire) for page, wire in wires if getattr(page, wire)]
        if not full:
            return False
        page, wire = self.random.choice(full)
        if wire == "up":
            self.deliver_up(page)
        else:
            page.receive(self.taken(page.down))
        return True

    def mend(self):
        """Deliver all, then let each page send an edit: its answer tells what was missed."""
        self.is_bad = False
        while self.deliver():
            pass
        for page in self.pages:
            page.act("paint", [0], page is self.pages[0])
            page.act("ask", "temperature", 0.75)
            while self.deliver():
                pass

    def step(self):
        dice = self.random
        if dice.random() < 0.55:
            self.deliver()
        elif dice.random() < 0.2:
            PROGRAM[dice.choice(sorted(PROGRAM))](self.widget, dice)
            self.tell("python")
        else:
            name, *arguments = dice.choice(EDITS)(dice, self.widget)
            dice.choice(self.pages).act(name, *arguments)


def packed(widget):
    """The widget's arrays as the harness gives a page's."""
    arrays = {name: pack(getattr(widget, name)) for name in MAPS}
    return {name: array and _json(array["data"]) for name, array in arrays.items()}


def number(dice):
    return dice.randrange(-8, 9) / 4 + 0.0625


def drag(dice, widget):
    name = dice.choice(["embeddings", "key_embeddings", "W_q", "W_k", "W_v", "Q", "K", "V"])
    rows, columns = getattr(widget, name).shape[-2:]
    at = [dice.randrange(rows), dice.randrange(columns)]
    return "drag", name, at, [number(dice), number(dice)], dice.random() < 0.7


def paint(dice, widget):
    cells = dice.sample(range(widget.mask.size), dice.randrange(1, 4))
    return "paint", cells, dice.random() < 0.6


PRESETS = ({}, {"causal": True}, {"window": 1}, {"padding": [2]}, {"causal": True, "prefix": 2})
TEXTS = ("p q r s", "p q r")
EDITS = (
    *[paint] * 6,
    *[drag] * 4,
    *[lambda dice, _: (dice.choice(["undo", "undo", "redo"]),)] * 4,
    lambda dice, _: ("setPresets", dice.choice(PRESETS)),
    lambda *_: ("clear",),
    lambda *_: ("reset",),
    lambda dice, _: ("ask", "temperature", dice.choice([0.5, 1, 1.5, -1])),
    lambda dice, _: ("ask", "scale", dice.choice([None, 0.25, 1])),
    lambda dice, _: ("ask", "seed", dice.randrange(5)),
    lambda dice, _: ("ask", "tokens", dice.choice(TEXTS)),
    lambda *_: ("ask", "d_k", 0),
)
PROGRAM = {
    "toggle": lambda w, dice: w.toggle(dice.randrange(3), dice.randrange(3)),
    "presets": lambda w, dice: setattr(w, "presets", dice.choice(PRESETS)),
    "temperature": lambda w, dice: setattr(w, "temperature", dice.choice([0.5, 2.0])),
    "tokens": lambda w, dice: setattr(w, "tokens", dice.choice(TEXTS)),
    "Q": lambda w, _: setattr(w, "Q", np.round(w.Q * 2, 2)),
    "undo": lambda w, _: w.undo(),
    "redo": lambda w, _: w.redo(),
}
KINDS = ({}, {"n_heads": 2}, {"positional": "rotary"}, {"positional": "alibi"})
SEQUENCES, STEPS = 30, 50


@pytest.fixture(scope="module")
def worlds(node):
    worlds = [World(node, seed, **KINDS[seed % len(KINDS)]) for seed in range(SEQUENCES)]
    for world in worlds:
        for _ in range(STEPS):
            world.step()
        world.mend()
    return worlds


def test_after_the_last_answer_the_pages_have_what_python_has(worlds):
    for seed, world in enumerate(worlds):
        w = world.widget
        for page in world.pages:
            assert page.now["pending"] == 0, seed
            values = {name: page.now[name] for name in ("presets", "scale", "temperature")}
            assert values == {name: w.get_state(name)[name] for name in values}, seed
            for name, wanted in packed(w).items():
                assert page.now["shown"][name] == wanted, (seed, name)
                assert page.now["confirmed"][name] == wanted, (seed, name)


def test_a_page_never_has_arrays_of_two_revisions(worlds):
    for seed, world in enumerate(worlds):
        for revision, arrays in (seen for page in world.pages for seen in page.seen):
            for name, wanted in world.sent[revision].items():
                assert arrays[name] == wanted, (seed, revision, name)


def test_what_a_page_showed_before_its_answer_was_right(worlds):
    pages = [page for world in worlds for page in world.pages]
    assert sum(page.compared for page in pages) > SEQUENCES
    assert max(page.worst for page in pages) < 1e-5


def test_messages_were_missed_and_edits_refused(worlds):
    pages = [page for world in worlds for page in world.pages]
    assert sum(page.resyncs for page in pages) > SEQUENCES
    assert sum(page.refusals for page in pages) > SEQUENCES / 2
