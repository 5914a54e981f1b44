"""A small lab for marimo: `marimo edit notebooks/marimo_lab.py`, or in a browser alone by `make lite`."""

import marimo

app = marimo.App(width="medium")


@app.cell
async def _():
    import sys

    import marimo as mo

    if sys.platform == "emscripten":
        # In a browser without a server, the page brings the wheel along.
        import micropip

        await micropip.install(str(mo.notebook_location() / "public" / "attnwidget.whl"))
    from attnwidget import AttentionWidget

    return AttentionWidget, mo


@app.cell
def _(AttentionWidget, mo):
    w = mo.ui.anywidget(AttentionWidget("The cat sat on the mat", init="normal", seed=3))
    w
    return (w,)


@app.cell
def _(mo, w):
    # This cell runs again after each click on the map.
    mask = w.mask
    mo.md(f"**{int(mask.sum())} of {mask.size}** cells are masked. Click a cell of the map.")
    return


if __name__ == "__main__":
    app.run()
