"""The menu of figures in the card: the files that a click saves are the files of Python."""

from __future__ import annotations

import pytest
from mapview import MapView
from playwright.sync_api import expect

CELL = (
    "from attnwidget import AttentionWidget\n"
    "w = AttentionWidget('The cat sat on the mat', d_k=3)\nw.toggle(2, 3)\nw"
)


@pytest.fixture(scope="module")
def view(module_lab):
    return MapView(module_lab.notebook([CELL]))


def open_menu(view):
    menu = view.root.get_by_role("dialog", name="figure")
    if menu.is_visible():
        menu.press("Escape")
    expect(menu).to_be_hidden()
    view.root.get_by_role("button", name="save a figure of this view").click()
    expect(menu).to_be_visible()
    return menu


@pytest.mark.parametrize("kind", ["svg", "pdf", "png"])
def test_a_click_saves_the_file_that_python_draws(view, kind, tmp_path):
    menu = open_menu(view)
    with view.notebook.page.expect_download() as download:
        menu.get_by_role("button", name=f"save {kind.upper()}").click()
    expect(menu.get_by_role("status")).to_have_text(f"saved attention-heatmap.{kind}")
    assert download.value.suggested_filename == f"attention-heatmap.{kind}"
    path = tmp_path / f"saved.{kind}"
    download.value.save_as(path)
    wanted = tmp_path / f"wanted.{kind}"
    view.notebook.run_cell(f"w.save_{kind}({str(wanted)!r})")
    # The first line of a PDF's end is the time at which it was written.
    size = wanted.stat().st_size if kind != "pdf" else 200
    assert path.read_bytes()[:size] == wanted.read_bytes()[:size]
    assert path.stat().st_size == pytest.approx(wanted.stat().st_size, abs=8)


def test_the_picture_is_copied(view, tmp_path):
    page = view.notebook.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    menu = open_menu(view)
    menu.get_by_role("button", name="copy PNG").click()
    expect(menu.get_by_role("status")).to_have_text("copied attention-heatmap.png")
    size = page.evaluate(
        """async () => {
          const [item] = await navigator.clipboard.read();
          const { width, height } = await createImageBitmap(await item.getType('image/png'));
          return [width, height];
        }"""
    )
    view.notebook.run_cell(f"w.save_png({str(tmp_path / 'wanted.png')!r})")
    header = (tmp_path / "wanted.png").read_bytes()[16:24]
    assert size == [int.from_bytes(header[:4], "big"), int.from_bytes(header[4:], "big")]


def test_a_menu_without_a_figure_says_why(view):
    view.notebook.run_cell("w.view = 'bertviz-head'")
    button = view.root.get_by_role("button", name="save a figure of this view")
    expect(button).to_be_disabled()
    expect(button).to_have_attribute("title", "BertViz's own views have no figure")
    view.notebook.run_cell("w.view = 'heatmap'")
    expect(button).to_be_enabled()
    view.notebook.shutdown_kernel()
    menu = open_menu(view)
    menu.get_by_role("button", name="save SVG").click()
    expect(menu.get_by_role("status")).to_contain_text("needs a running kernel")
