"""The same checks in every front end that runs Python: JupyterLab, Notebook, Voilà and marimo."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from frontends import Lab, MarimoEdit, MarimoRun, Notebook7, Voila, open_jupyter, open_marimo
from harmless import harmless
from hosted import Colab, VSCode
from mapview import MapView
from playwright.sync_api import expect
from stepsview import StepsView

JUPYTER = {
    "jupyterlab": (Lab, "lab/tree/{name}?"),
    "notebook": (Notebook7, "notebooks/{name}?"),
    "voila": (Voila, "voila/render/{name}?theme=light&"),
}
MARIMO = {"marimo-run": (MarimoRun, "run"), "marimo-edit": (MarimoEdit, "edit")}
HOSTED = {"vscode": VSCode, "colab": Colab}
DRAWN = np.random.RandomState(0).rand(6, 4)


def attention(mask):
    """Return the lab's attention by torch."""
    rng = np.random.RandomState(0)
    Q, K = (torch.tensor(DRAWN @ rng.rand(4, 3)) for _ in range(2))
    scores = Q @ K.T / 3**0.5
    return torch.softmax(scores.masked_fill(torch.tensor(mask), -torch.inf), -1).numpy()


def state(masked, number=DRAWN[1, 2]):
    return f"{masked} masked, X[1, 2] = {number:.2f}"


@pytest.fixture(scope="module", params=[*JUPYTER, *MARIMO, *HOSTED])
def frontend(request, desk, tmp_path_factory):
    if request.param in JUPYTER:
        kind, path = JUPYTER[request.param]
        opening = nullcontext(open_jupyter(desk, path, kind))
    elif request.param in HOSTED:
        opening = nullcontext(HOSTED[request.param].open(desk, request.config.rootpath))
    else:
        kind, mode = MARIMO[request.param]
        opening = open_marimo(desk, mode, kind, tmp_path_factory.mktemp("marimo"))
    with opening as opened:
        yield opened
        problems = [text for text in opened.watch.drain() if not opened.noise.search(text)]
        opened.page.context.close()
    assert not problems, "\n".join(problems)


@pytest.fixture
def view(frontend):
    """The heatmap of the first card, with nothing masked and no number set by hand."""
    view = MapView(frontend)
    view.root.get_by_role("radio", name="Heatmap").click()
    frontend.press("Python resets")
    view.masked(0, 36)
    view.settled()
    return view


def test_a_click_reaches_python_and_both_cards_and_is_undone(frontend, view):
    twice = MapView(frontend, 1)
    mask = np.zeros((6, 6), bool)
    assert view.value(2, 4) == pytest.approx(attention(mask)[2, 4], abs=5.1e-5)
    view.click(2, 3)
    mask[2, 3] = True
    frontend.state(state(1))
    view.masked(1, 36)
    twice.masked(1, 36)
    assert twice.value(2, 4) == pytest.approx(attention(mask)[2, 4], abs=5.1e-5)
    view.root.press("Control+z")
    frontend.state(state(0))
    twice.masked(0, 36)


def test_what_python_sets_is_drawn_in_both_cards(frontend, view):
    frontend.press("Python masks")
    if frontend.follows_python:
        frontend.state(state(15))
    for card in (view, MapView(frontend, 1)):
        card.masked(15, 36)
        want = attention(np.triu(np.ones((6, 6), bool), 1))[4, 1]
        assert card.value(4, 1) == pytest.approx(want, abs=5.1e-5)


def test_a_number_dragged_in_steps_reaches_python(frontend, view):
    view.root.get_by_role("radio", name="Steps").click()
    steps = StepsView(frontend)
    steps.drag("embeddings", 1, 2, 80)
    frontend.state(state(0, DRAWN[1, 2] + 0.8))


def test_the_grid_has_its_answer_from_python(frontend, view):
    # A sentence of one head has no grid: the two heads stand in the third card.
    heads = MapView(frontend, 2)
    heads.root.get_by_role("radio", name="Grid").click()
    grid = heads.root.locator(".aw-heads-grid")
    expect(grid).to_have_attribute("aria-busy", "false")
    expect(grid.get_by_role("gridcell")).to_have_count(2)


def test_hostile_text_stays_text(frontend, view):
    card = frontend.widget(2)
    for name in ("Heatmap", "Steps", "Lines"):
        card.get_by_role("radio", name=name).click()
        expect(card).to_have_attribute("data-view", name.lower())
        harmless(frontend.page, card)


def test_the_theme_is_followed_while_the_page_is_open(frontend, view):
    for theme in ("dark", "light"):
        frontend.set_theme(theme)
        view = MapView(frontend)
        expect(view.root).to_have_attribute("data-theme", theme)
        background = view.root.evaluate("root => getComputedStyle(root).backgroundColor")
        assert (sum(map(int, background[4:-1].split(",")[:3])) < 384) == (theme == "dark")


def test_the_display_is_run_again(frontend, view):
    frontend.rerun()
    again = MapView(frontend)
    again.masked(0, 36)
    again.click(1, 5)
    frontend.state(state(1))


def test_a_card_stands_in_a_shadow_root_where_the_front_end_makes_one(frontend, view):
    inside = view.root.evaluate("root => root.getRootNode() instanceof ShadowRoot")
    assert inside == isinstance(frontend, (MarimoRun, MarimoEdit))


def test_a_saved_notebook_is_drawn_with_another_kernel(frontend, view):
    if not isinstance(frontend, Lab):
        return  # Voilà and marimo save no widget
    view.click(2, 3)
    frontend.state(state(1))
    frontend.reopen()
    again = MapView(frontend)
    again.masked(1, 36)
    mask = np.zeros((6, 6), bool)
    mask[2, 3] = True
    assert again.value(2, 4) == pytest.approx(attention(mask)[2, 4], abs=5.1e-5)
    assert MapView(frontend, 1).value(2, 3) == 0
