"""What is shown is true: random states of the widget, read back from every view.

Each state is set from the kernel, which also computes the numbers. The page is read where a person
reads it: the number under the pointer, the readout, the text of a screen reader, the bars and their
colours, the pixels of the map, the panel of Steps, the lines, the columns of Neuron, the row sums.
"""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import shown
from mapview import MapView
from playwright.sync_api import expect
from stepsview import StepsView

# Widths of 1 in all three: a transposed or shifted map differs. The largest weight is far below 1.
SETUP = """import json
import numpy as np
from attnwidget import AttentionWidget
w = AttentionWidget("The cat sat on mats", key_tokens="Le chat est sur un des tapis", n_heads=2,
                    d_model=6, d_k=4, d_v=3, init="normal", seed=5)

def truth():
    \"\"\"The numbers that the state must show, by definition, for the head on screen.\"\"\"
    h, mistaken = w.head, w.report is not None and w.report.weights is not None
    scores, weights = (w.report.scores, w.report.weights) if mistaken else (w.scores, w.attention)
    V = w.V[h]
    output = np.stack([np.nan_to_num(row)[:, None] * V for row in weights[h]]).sum(1)
    output[np.isnan(weights[h]).any(1)] = np.nan
    quantity = w.quantity
    if quantity == "output-shift" and mistaken:
        quantity = "attention"  # the formula of the effect holds for the right softmax alone
    numbers = {"attention": weights[h], "scores": scores[h],
               "value-norm": weights[h] * np.sqrt((V ** 2).sum(1)),
               "output-shift": None if mistaken else w.output_shift[h]}[quantity]
    return {"numbers": numbers.tolist(), "scores": scores[h].tolist(), "quantity": quantity,
            "attention": weights.tolist(), "output": output.tolist(), "mask": w.mask.tolist(),
            "norms": np.sqrt((V ** 2).sum(1)).tolist(), "mistaken": mistaken}
"""
NAMES = {
    "attention": "attention",
    "scores": "scores",
    "value-norm": "attention · ‖v‖",
    "output-shift": "effect",
}
QUERIES = ["The", "cat", "sat", "on", "mats"]
KEYS = ["Le", "chat", "est", "sur", "un", "des", "tapis"]
# Anchors of viridis and of ColorBrewer's RdBu, blue to red, as published.
VIRIDIS = (
    "440154 481567 482677 453781 404788 39568c 33638d 2d708e 287d8e 238a8d "
    "1f968b 20a387 29af7f 3cbb75 55c667 73d055 95d840 b8de29 dce319 fde725"
)
RDBU = "053061 2166ac 4393c3 92c5de d1e5f0 f7f7f7 fddbc7 f4a582 d6604d b2182b 67001f"
MISTAKES = (None, "no-scale", "wrong-axis", "mask-sign", "mask-after-softmax", "mask-multiplied",
            "overflow", "keepdims")  # fmt: skip


def states():
    rng = np.random.default_rng(11)
    for i in range(10):
        mistake = MISTAKES[i % len(MISTAKES)]
        yield {
            "mask": (rng.random((5, 7)) < rng.choice([0, 0.3])).tolist(),
            "mistake": mistake,
            "quantity": list(NAMES)[(i + i // 4) % 4],
            "color_scale": str(rng.choice(["unit", "row", "map"])),
            "temperature": float(rng.choice([0.5, 1, 2])),
            "scale": float(rng.choice([0.5, 300])) if mistake == "overflow" else None,
            "head": int(rng.integers(2)),
            "selection": (int(rng.integers(5)), int(rng.integers(7))),
        }


@pytest.fixture(scope="module")
def opened(module_lab):
    return module_lab.notebook([SETUP, "w"])


def set_state(notebook, state, view):
    """Set the state in the kernel, and return what Python says of it."""
    lines = [f"w.{name} = {value!r}" for name, value in state.items()]
    source = "\n".join([*lines, f"w.view = {view!r}", "print(json.dumps([truth(), w.revision]))"])
    said, revision = json.loads(notebook.run_cell(source))
    root = notebook.widget()
    expect(root).to_have_attribute("data-revision", str(revision))
    expect(root).to_have_attribute("data-view", view)
    return {n: np.array(v) if isinstance(v, list) else v for n, v in said.items()}


def number(text):
    """The number that a text ends with; NaN where the text says so."""
    last = re.findall(r"NaN|[−-]?\d+(?:\.\d+)?(?:e[−+-]?\d+)?", text)[-1]
    return float(last.replace("−", "-"))


def near(text, wanted):
    assert number(text) == pytest.approx(wanted, abs=6e-3, rel=6e-3, nan_ok=True), text


def blank(said):
    """Cells without a number: masked cells, and under a mistake those that get no weight."""
    if not said["mistaken"] or said["quantity"] == "scores":
        return said["mask"]
    return ~np.isfinite(own(said)) | (said["mask"] & (own(said) == 0))


def own(said):
    """The weights of the head on screen."""
    return said["attention"][said["head"]]


def color(said, state, query, key):
    """The colour of a cell by the scale, red, green and blue."""
    values = np.where(blank(said), np.nan, said["numbers"])
    signed = said["quantity"] == "scores"
    scale = state["color_scale"]
    if signed or (scale == "unit" and said["quantity"] != "attention"):
        scale = "map"
    top = {"unit": 1, "row": np.nanmax(values[query]), "map": np.nanmax(np.abs(values))}[scale]
    share = values[query, key] / top if top else 0
    anchors = (RDBU if signed else VIRIDIS).split()
    place = (share + 1) / 2 if signed else min(share, 1)
    rgb = np.array([[int(a[i : i + 2], 16) for i in (0, 2, 4)] for a in anchors])
    return [np.interp(place, np.linspace(0, 1, len(rgb)), rgb[:, c]) for c in range(3)]


def check_badge(root, state, said):
    badge = root.locator(".aw-badge")
    if state["mistake"] is None:
        expect(badge).to_be_hidden()
    elif said["mistaken"]:
        expect(badge).to_have_text(f"mistake: {state['mistake']}")
    else:
        expect(badge).to_contain_text("fails on these shapes; these numbers are right")


def check_map(view, state, said):
    view.over.hover(position={"x": 1, "y": 1})
    for _ in range(2):  # a relayout may move the map under the pointer
        view.notebook.page.evaluate("() => new Promise(requestAnimationFrame)")
    wanted = said["numbers"]
    np.testing.assert_allclose(
        shown.numbers(view), wanted, rtol=1e-4, atol=6e-5, err_msg=str(state)
    )
    query, key = state["selection"]
    x, y = view.at(query, key)
    view.over.click(position={"x": x, "y": y}, modifiers=["Alt"])
    inspector = view.root.locator(".aw-inspector")
    expect(inspector).to_have_attribute("data-cell", f"{query},{key}")
    for words in (
        view.readout.inner_text(),
        view.root.locator(".aw-gridcell").get_attribute("aria-label"),
    ):
        assert words.startswith(f"{QUERIES[query]} → {KEYS[key]} ")
        if said["mistaken"]:
            assert words.endswith(f", with the mistake {state['mistake']}")
        words = words.split(", with the mistake")[0]
        if blank(said)[query, key] and not np.isnan(wanted[query, key]):
            assert "masked" in words
            continue
        assert (NAMES[said["quantity"]] in words) == (said["quantity"] != "attention")
        near(words, wanted[query, key])
    place = inspector.locator(".aw-where").first.inner_text()
    assert place.startswith(f"{NAMES[said['quantity']]}[{query}, {key}]")
    check_bars(inspector, state, said, query)
    for k in range(7):
        if not blank(said)[query, k] and np.isfinite(wanted[query, k]):
            got = view.pixel(query, k)[:3]
            assert got == pytest.approx(color(said, state, query, k), abs=9), (state, k)
    view.over.click(position={"x": x, "y": y}, modifiers=["Alt"])


def check_bars(inspector, state, said, query):
    assert inspector.locator(".aw-where").nth(1).inner_text().startswith(NAMES[said["quantity"]])
    bars = inspector.locator(".aw-bar:visible").evaluate_all(
        """bars => bars.map(bar => ({
          words: bar.querySelector('.aw-bar-value').textContent,
          width: bar.querySelector('.aw-bar-fill').getBoundingClientRect().width,
          color: getComputedStyle(bar.querySelector('.aw-bar-fill')).backgroundColor,
        }))"""
    )
    wanted, hidden = said["numbers"][query], blank(said)[query]
    if hidden.all() and not np.isnan(wanted).any():
        assert bars == []
        return
    assert len(bars) == 7
    largest = np.nanmax(np.abs(np.where(hidden, np.nan, wanted)), initial=0)
    widest = max(
        (bar["width"] for bar, gone in zip(bars, hidden, strict=True) if not gone), default=0
    )
    for key, bar in enumerate(bars):
        if hidden[key] and not np.isnan(wanted[key]):
            assert bar["words"] == "masked"
        else:
            near(bar["words"], wanted[key])
        if hidden[key] or not np.isfinite(wanted[key]):
            continue
        got = [int(part) for part in re.findall(r"\d+", bar["color"])[:3]]
        assert got == pytest.approx(color(said, state, query, key), abs=9), (state, key)
        if abs(wanted[key]) > 0.05 * largest and widest > 40:
            share = abs(wanted[key]) / largest
            assert bar["width"] == pytest.approx(share * widest, abs=0.06 * widest)


def check_sums(root, said):
    sums = own(said)[~said["mask"].all(axis=1)].sum(axis=1)
    words = root.locator(".aw-row-sums").inner_text().split("·")[0]
    if np.isnan(sums).any():
        assert "NaN" in words
        return
    found = [float(n) for n in re.findall(r"[\d.]+", words)]
    assert (min(found), max(found)) == pytest.approx((sums.min(), sums.max()), abs=6e-4)


def check_steps(notebook, said, query, key):
    view = StepsView(notebook)
    for name, col in (("scores", key), ("attention", key), ("output", key % 3)):
        wanted = {"attention": own(said)}.get(name, said.get(name))
        got = view.value(name, query, col)
        assert got == pytest.approx(wanted[query, col], rel=1e-4, abs=1e-5, nan_ok=True), name


def check_neuron(root, said, query, key):
    neuron = root.locator(".aw-neuron")
    expect(neuron).to_have_attribute("data-query", str(query))
    expect(neuron).to_have_attribute("data-key", str(key))
    got = [float(v) for v in neuron.get_attribute("data-values").split()]
    weight, norm = own(said)[query, key], said["norms"][key]
    wanted = [said["scores"][query, key], weight, norm, weight * norm]
    assert got == pytest.approx(wanted, rel=1e-4, abs=1e-5, nan_ok=True)


@pytest.mark.parametrize("state", list(states()), ids=lambda s: f"{s['mistake']}-{s['quantity']}")
def test_every_view_shows_python_s_numbers(opened, state):
    page, root = opened.page, opened.widget()
    query, key = state["selection"]
    said = set_state(opened, state, "heatmap") | {"head": state["head"]}
    check_badge(root, state, said)
    check_map(MapView(opened), state, said)
    check_sums(root, said)
    for view in ("steps", "neuron", "lines"):
        opened.run_cell(f"w.view = {view!r}")
        expect(root).to_have_attribute("data-view", view)
        check_badge(root, state, said)
        if view == "steps":
            check_steps(opened, said, query, key)
            check_sums(root, said)
        elif view == "neuron":
            check_neuron(root, said, query, key)
        else:
            got = shown.lines(page, root, query)
            wanted = said["attention"].mean(axis=0)[query]
            np.testing.assert_allclose(got, wanted, atol=2e-5)


@pytest.mark.parametrize(
    "state", list(states())[:6], ids=lambda s: f"{s['mistake']}-{s['quantity']}"
)
def test_the_difference_is_that_of_python_s_numbers(opened, state):
    view, root = MapView(opened), opened.widget()
    opened.run_cell("w.seed = 5")
    before = set_state(opened, state, "heatmap")
    said = set_state(opened, {"seed": 9}, "heatmap") | {"head": state["head"]}
    delta = root.locator('[data-tool="difference"]')
    expect(delta).to_have_attribute("aria-disabled", "false")
    delta.click()
    expect(delta).to_have_attribute("aria-pressed", "true")
    old, now = before["numbers"], said["numbers"]
    by = np.where(np.isfinite(now - old), now - old, 0)
    top = np.abs(by).max()
    anchors = np.array([[int(a[i : i + 2], 16) for i in (0, 2, 4)] for a in RDBU.split()])
    for query, key in np.ndindex(by.shape):
        if not np.isfinite(now[query, key] - old[query, key]) or by[query, key] == 0:
            continue
        place = (by[query, key] / top + 1) / 2
        color = [np.interp(place, np.linspace(0, 1, 11), anchors[:, c]) for c in range(3)]
        assert view.pixel(query, key)[:3] == pytest.approx(color, abs=9), (query, key)
    words = root.locator(".aw-gridcell").get_attribute("aria-label").split("; before ")[1]
    query, key = state["selection"]
    parts = words.replace(": Δ =", ",").split(", ")
    for part, number_ in zip(parts, (old, now, now - old), strict=True):
        near(part, number_[query, key])
    delta.click()
