"""What views keep as traits: the heads that the lines show, and the order of the grid."""

from __future__ import annotations

import pytest

from attnwidget import AttentionWidget


@pytest.fixture
def widget():
    return AttentionWidget("The cat sat on the mat", n_heads=3, d_model=6)


def test_heads_are_kept_in_order_and_all_heads_are_none(widget):
    assert widget.heads_on is None
    widget.heads_on = [2, 0, 2]
    assert widget.heads_on == (0, 2)
    widget.heads_on = []
    assert widget.heads_on == ()
    widget.heads_on = range(3)
    assert widget.heads_on is None


@pytest.mark.parametrize(
    ("value", "error"),
    [([3], "heads_on: got 3, want 0..2"), ("12", "heads_on: got '12', want a list of heads")],
)
def test_a_head_that_is_not_there_is_refused(widget, value, error):
    widget.heads_on = [1]
    with pytest.raises((TypeError, ValueError), match=error):
        widget.heads_on = value
    assert widget.heads_on == (1,)


def test_heads_that_are_gone_are_no_longer_on(widget):
    widget.heads_on = [0, 2]
    widget.n_heads = 2
    assert widget.heads_on == (0,)
    widget.heads_on = [1]
    widget.n_heads = 1
    assert widget.heads_on is None


def test_the_grid_s_order_and_statistic_are_traits(widget):
    assert (widget.grid_order, widget.grid_statistic) == ("layer", "entropy")
    widget.grid_order, widget.grid_statistic = "statistic", "induction"
    assert (widget.grid_order, widget.grid_statistic) == ("statistic", "induction")
    with pytest.raises(ValueError, match="grid_order: got 'head', want one of layer, statistic"):
        widget.grid_order = "head"
    with pytest.raises(ValueError, match="grid_statistic: got 'mean', want one of entropy"):
        widget.grid_statistic = "mean"


def test_a_look_is_no_new_map(widget):
    before = widget.revision, widget.history
    widget.heads_on, widget.grid_order, widget.color_scale = [1], "statistic", "sqrt"
    assert (widget.revision, widget.history) == before
    assert AttentionWidget("a b").color_scale == "auto"
