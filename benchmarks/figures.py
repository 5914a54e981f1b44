"""Figures: the time of an SVG of 64 tokens beside 200 ms and beside matplotlib; 50 pictures.

The peer is `savefig` of a heatmap of the same map with the same labels, drawn by `pcolormesh`. The
pictures are those that notebooks keep; their time is stated beside the making of the widgets.
"""

from __future__ import annotations

import io
import statistics
import time

from matplotlib.figure import Figure

from attnwidget import AttentionWidget

BOUND_MS = 200
N = 64


def milliseconds(function, repeats=7):
    """Return the median time of a call."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def peer(weights, tokens):
    figure = Figure((85 / 25.4, 85 / 25.4))
    axes = figure.add_subplot()
    mesh = axes.pcolormesh(weights)
    axes.set_xticks(range(0, N, 3), tokens[::3], rotation=90, fontsize=6)
    axes.set_yticks(range(0, N, 3), tokens[::3], fontsize=6)
    figure.colorbar(mesh)
    figure.savefig(io.BytesIO(), format="svg")


def fifty(is_on):
    for seed in range(50):
        w = AttentionWidget("The cat sat on the mat", seed=seed)
        w.static_picture = is_on
        w._repr_mimebundle_()


def main():
    tokens = [f"token{i}" for i in range(N)]
    w = AttentionWidget(tokens, d_model=8, presets="causal")
    weights = w.attention
    own = milliseconds(lambda: w.save_svg(io.BytesIO()))
    other = milliseconds(lambda: peer(weights, tokens))
    size = io.BytesIO()
    w.save_svg(size)
    print(f"SVG, n = {N}: {own:.0f} ms, {size.tell() / 1000:.0f} kB; bound {BOUND_MS} ms")
    print(f"matplotlib's SVG of the map: {other:.0f} ms, {other / own:.1f} times as long")
    for kind in ("pdf", "png"):
        save = getattr(w, f"save_{kind}")
        print(
            f"{kind.upper()}, n = {N}: {milliseconds(lambda save=save: save(io.BytesIO())):.0f} ms"
        )
    fifty(True)
    without, pictures = (milliseconds(lambda on=on: fifty(on), 5) for on in (False, True))
    print(
        f"50 widgets and their bundles: {without:.0f} ms without pictures, {pictures:.0f} ms with, "
        f"{(pictures - without) / 50:.1f} ms a picture"
    )
    assert own < BOUND_MS


main()
