"""The names that Python and the browser share: every synced trait of a widget, and its choices."""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

from attnwidget.maths.presets import check_presets
from attnwidget.widget.fields import Array, Checked, Computed, heard
from attnwidget.wire.answers import report_message
from attnwidget.wire.pack import pack_layers

VIEWS = (
    "heatmap",
    "steps",
    "lines",
    "neuron",
    "grid",
    "bertviz-head",
    "bertviz-model",
    "bertviz-neuron",
)
CMAPS = ("viridis", "magma", "inferno", "plasma", "cividis", "turbo", "greys", "blues")
COLOR_SCALES = ("unit", "row", "map")
QUANTITIES = ("attention", "scores", "value-norm", "output-norm", "output-shift")


def _synced(trait: Any) -> Any:
    return trait.tag(sync=True, echo_update=False)


class AttentionTraits(anywidget.AnyWidget):
    """What is on screen can be rebuilt from these alone."""

    tokens = Checked(())
    key_tokens = Checked(None)
    embeddings = Array()
    key_embeddings = Array()
    W_q = Array()
    W_k = Array()
    W_v = Array()
    Q = Array()
    K = Array()
    V = Array()
    bias = Array(read_only=True)
    softcap = Checked(None, read_only=True)
    special = Checked((), read_only=True)
    sentence_b_start = Checked(None, read_only=True)
    merge = Checked(None)
    hide_special = Checked(None)
    scale = Checked(1.0)
    temperature = Checked(1.0)
    scores = Computed()
    mask = Computed()
    attention = Computed()
    output = Computed()
    locked = Array(read_only=True)
    row_mass = Array(read_only=True)
    output_norms = Array(read_only=True)

    d_model = Checked(None)
    d_k = Checked(None)
    d_v = Checked(None)
    n_heads = Checked(None)
    seed = Checked(None)
    init = Checked(None)
    positional = Checked(None)
    given = Checked((), read_only=True)  # names of the arrays that it was made with
    overridden = Checked(None, read_only=True)
    presets: Any = Checked(check_presets(None, 0)).tag(to_json=lambda presets, _: dict(presets))

    layers = Checked((), read_only=True).tag(to_json=lambda layers, _: pack_layers(layers))
    derived_layers = Checked((), read_only=True).tag(to_json=lambda layers, _: pack_layers(layers))
    kind = Checked("self")
    layer = Checked(0)
    head = Checked(0)
    view = Checked("heatmap")
    cmap = Checked("viridis")
    color_scale = Checked("unit")
    quantity = Checked("attention")
    selection = Checked(None)
    mistake = Checked(None)
    report: Any = Checked(None).tag(to_json=lambda report, _: report and report_message(report))
    bertviz_views = Checked((), read_only=True)
    title: Any = Checked("")
    subtitle = _synced(traitlets.Unicode(read_only=True))
    notice = _synced(traitlets.Unicode(read_only=True))
    error = _synced(traitlets.Unicode())

    shown = Checked((0, 0, "self"), read_only=True)
    revision = _synced(traitlets.Int(0, read_only=True))
    history = Checked((0, 0), read_only=True)
    _edits = _synced(traitlets.Dict())
    _patch: Any = Checked(None).tag(to_json=lambda patch, widget: widget._pack_patch(patch))
    # Whether what the page will ask first is as it was when the widget was made.
    _ahead: Any = Checked(True).tag(to_json=lambda fresh, widget: widget._pack_ahead(fresh))

    def _notify_observers(self, event: Any) -> None:
        super()._notify_observers(heard(event))
