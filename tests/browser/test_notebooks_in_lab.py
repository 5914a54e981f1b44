"""The notebooks in JupyterLab: their questions are answered by touching their own cards."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from mapview import MapView
from playwright.sync_api import expect
from stepsview import StepsView

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
# The cards that a cell shows; every other -widget or -compare cell shows one.
CARDS = {"order-widget": 2}


def code_cells(name: str, until: str = ""):
    """Return the code cells before the one that has the id `until`."""
    cells = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells
    ids = [cell.id for cell in cells]
    stop = ids.index(until) if until else len(cells)
    return [cell for cell in cells[:stop] if cell.cell_type == "code"]


class Cards:
    """A notebook's cards, by the id of the cell that shows them.

    The cells are run one after the other, as a reader runs them: each card is drawn before the
    next cell is run, because anywidget gives up a widget that takes more than two seconds to load.
    """

    def __init__(self, lab, cells) -> None:
        self.notebook = lab.notebook([cell.source for cell in cells], run=False)
        self._places: dict[str, int] = {}
        self.count = 0
        for index, cell in enumerate(cells):
            self.notebook.rerun_cell(index)
            if not cell.id.endswith(("-widget", "-compare")):
                continue
            self._places[cell.id] = self.count
            for _ in range(CARDS.get(cell.id, 1)):
                self.notebook.widget(self.count)
                self.count += 1

    def map(self, id_: str, more: int = 0) -> MapView:
        return MapView(self.notebook, self._places[id_] + more)

    def steps(self, id_: str) -> StepsView:
        return StepsView(self.notebook, self._places[id_])

    def experiment(self, view, label: str):
        """Return a control of the Experiment fold, opened if it is not."""
        fold = view.root.locator(".aw-experiments")
        if fold.get_attribute("open") is None:
            fold.locator("summary").click()
        return view.root.get_by_label(label, exact=True)


@pytest.fixture(scope="module")
def lab_cards(module_lab):
    # Part 4 has a model, which the tests of the model view look at.
    cells = code_cells("self_attention_lab", until="model")
    return Cards(module_lab, cells)


@pytest.fixture(scope="module")
def guide_cards(module_lab):
    cells = code_cells("teacher_guide")
    return Cards(module_lab, cells)


@pytest.fixture(scope="module", params=["real_models", "from_bertviz"])
def model_cards(request, desk, module_lab):
    models = desk.server.root / "models"
    if not models.exists():
        models.symlink_to(NOTEBOOKS / "models")
    cells = code_cells(request.param)
    return Cards(module_lab, cells)


@pytest.mark.parametrize(
    ("cell", "mistake", "broken"),
    [
        ("starter-widget", "wrong-axis", ["row-sums"]),
        ("masked-starter-widget", "mask-after-softmax", ["row-sums"]),
        ("bug-widget", "mask-sign", ["masked"]),
    ],
)
def test_a_first_try_is_judged_on_its_card(lab_cards, cell, mistake, broken):
    report = lab_cards.map(cell).root.locator(".aw-report")
    expect(report).to_have_attribute("data-name", mistake)
    marked = report.locator('[data-holds="false"]').evaluate_all(
        "list => list.map(item => item.dataset.invariant)"
    )
    assert marked == broken


def test_a_sentence_grows(lab_cards):
    view = lab_cards.map("growing-widget")
    assert [view.value(0, k) for k in range(3)] == pytest.approx([0.318, 0.288, 0.394], abs=6e-4)
    box = lab_cards.experiment(view, "sentence")
    box.fill("The cat sat on the mat")
    box.press("Enter")
    view.masked(0, 36)
    assert [view.value(0, k) for k in range(3)] == pytest.approx([0.134, 0.122, 0.166], abs=6e-4)


def test_without_the_root_four_rows_have_a_winner(lab_cards):
    view = lab_cards.map("scale-widget")
    lab_cards.experiment(view, "divide by √d_k").uncheck()
    lab_cards.notebook.run_until("print(wide.scale)", "1.0")
    tops = [max(view.value(q, k) for k in range(6)) for q in range(6)]
    assert sum(top >= 0.85 for top in tops) == 4


def test_temperature_0_is_the_argmax_and_2_mends_a_missing_root(lab_cards):
    view = lab_cards.map("temperature-widget")
    before = [view.value(1, k) for k in range(6)]
    slider = lab_cards.experiment(view, "temperature")
    slider.fill("0")
    assert [view.value(1, k) for k in range(6)] == [0, 0, 0, 0, 0, 1]
    slider.fill("2")
    lab_cards.experiment(view, "divide by √d_k").uncheck()
    lab_cards.notebook.run_until("print(warm.scale, warm.temperature)", "1.0 2.0")
    assert [view.value(1, k) for k in range(6)] == pytest.approx(before, abs=1e-4)


def test_the_die_and_identity_weights(lab_cards):
    view = lab_cards.steps("weights-widget")
    lab_cards.experiment(view, "weights").select_option("identity")
    lab_cards.notebook.run_until("print(dice.init)", "identity")
    assert view.value("scores", 1, 4) == pytest.approx(view.value("scores", 4, 1), abs=1e-6)
    assert view.value("Q", 3, 2) == view.value("embeddings", 3, 2)
    assert view.value("attention", 1, 4) != view.value("attention", 4, 1)
    lab_cards.experiment(view, "randomise: another seed").click()
    lab_cards.notebook.run_until("print(dice.seed != 0)", "True")


def test_a_number_of_w_v_moves_values_and_output_only(lab_cards):
    view = lab_cards.steps("hand-widget")
    names = ("scores", "attention", "V", "output")
    before = {name: view.value(name, 2, 0) for name in names}
    view.drag("W_v", 0, 0, 150)
    after = {name: view.value(name, 2, 0) for name in names}
    moved = {name for name in names if abs(before[name] - after[name]) > 1e-5}
    assert moved == {"V", "output"}
    lab_cards.experiment(view, "sentence")
    view.root.get_by_role("button", name="reset numbers").click()
    lab_cards.notebook.run_until("print(hand.overridden)", "{}")
    assert {name: view.value(name, 2, 0) for name in names} == pytest.approx(before, abs=1e-5)


def test_only_positions_tell_who_bites_whom(lab_cards):
    first, last = lab_cards.map("order-widget"), lab_cards.map("order-widget", 1)
    assert first.value(0, 2) == last.value(2, 0) == pytest.approx(0.789, abs=6e-4)
    for view in (first, last):
        lab_cards.experiment(view, "positions").select_option("sinusoidal")
    lab_cards.notebook.run_until(
        "print(dog_first.positional, man_first.positional)", "sinusoidal sinusoidal"
    )
    assert first.value(0, 2) > 0.99 > 0.01 > last.value(2, 0)


def test_what_was_done_by_hand_outlives_a_preset(lab_cards):
    view = lab_cards.map("presets-widget")
    view.root.get_by_role("button", name="causal", exact=True).click()
    view.masked(23, 49)
    view.root.get_by_role("button", name="window", exact=True).click()
    view.masked(31, 49)
    lab_cards.notebook.run_until("print(together.mask[4, 0])", "False")


def test_a_small_share_with_a_larger_effect(lab_cards):
    view = lab_cards.map("effect-widget")
    assert view.value(1, 3) == pytest.approx(0.053, abs=6e-4)
    assert view.value(1, 0) == pytest.approx(0.036, abs=6e-4)
    view.root.get_by_role("radio", name="attention", exact=True).click()
    assert view.value(1, 3) == pytest.approx(0.063, abs=6e-4)
    assert view.value(1, 0) == pytest.approx(0.137, abs=6e-4)


def test_the_teachers_bug_lab_is_switched_by_hand(guide_cards):
    view = guide_cards.steps("step8-widget")
    report = view.root.locator(".aw-report")
    expect(report).to_have_attribute("data-name", "wrong-axis")
    view.root.get_by_label("mistake", exact=True).select_option("mask-multiplied")
    expect(report).to_have_attribute("data-name", "mask-multiplied")
    expect(report.locator('[data-invariant="masked"]')).to_have_attribute("data-holds", "false")
    guide_cards.notebook.run_until("print(bugs.mistake)", "mask-multiplied")


def test_the_teachers_empty_row_is_one_click(guide_cards):
    view = guide_cards.map("step7-widget")
    _, y = view.at(3, 0)
    left = float(view.map.get_attribute("data-left") or "nan")
    view.over.click(position={"x": left - 12, "y": y})
    view.settled()
    guide_cards.notebook.run_until("print(masks.mask[3].all())", "True")
    expect(view.root.locator(".aw-row-sums")).to_contain_text("1 row without a key")


def test_every_card_of_a_model_is_drawn(model_cards):
    cards = [model_cards.notebook.widget(i) for i in range(model_cards.count)]
    for card in cards:
        card.scroll_into_view_if_needed()
        expect(card.locator("canvas, iframe").first).to_be_visible()
    for card in cards:
        expect(card).not_to_contain_text("failed")


@pytest.mark.parametrize("model_cards", ["real_models"], indirect=True)
def test_one_click_takes_the_word_away(model_cards):
    view = model_cards.map("edge-widget")
    chance = "print(f'{next_word(edge.output).get(\"key\", 0):.3f}')"
    view.masked(56, 121)
    view.what_if()
    view.click(10, 4)
    model_cards.notebook.run_until(chance, "0.996")
    view.click(10, 4)
    model_cards.notebook.run_until(chance, "0.000")
    view.click(10, 3)
    view.click(10, 4)
    model_cards.notebook.run_until(chance, "0.996")
