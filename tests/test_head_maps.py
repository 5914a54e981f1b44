"""The maps of a head after any sequence of masks, against torch; earlier maps never change."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from attnwidget.session.maps import HeadMaps
from attnwidget.session.row_patch import Patched
from attnwidget.sources.api import HeadInputs

N_Q, N_K, SCALE = 40, 7, 0.4


def by_torch(Q, K, V, mask, temperature):
    scores = torch.tensor(Q) @ torch.tensor(K).mT * SCALE / temperature
    weights = torch.softmax(scores.masked_fill(torch.tensor(mask), -torch.inf), -1).nan_to_num(0)
    return weights.numpy(), (weights @ torch.tensor(V)).numpy()


CELLS = st.lists(st.tuples(st.integers(0, N_Q - 1), st.integers(0, N_K - 1)), max_size=50)


@given(
    st.lists(st.tuples(CELLS, st.booleans(), st.booleans()), max_size=8),
    st.sampled_from([(), (3,)]),
    st.sampled_from([1.0, 0.7]),
)
def test_a_sequence_of_masks(steps, heads, temperature):
    rng = np.random.default_rng(0)
    shapes = ((*heads, n, d) for n, d in ((N_Q, 4), (N_K, 4), (N_K, 5)))
    Q, K, V = (rng.standard_normal(shape) for shape in shapes)
    inputs = HeadInputs(Q, K, V, SCALE, temperature=temperature)
    sequence = [HeadMaps(inputs, np.zeros((N_Q, N_K), bool))]
    for cells, is_read, are_rows_known in steps:
        mask = sequence[-1].mask.copy()
        for query, key in cells:
            mask[query, key] ^= True
        touched = np.unique(np.array([query for query, _ in cells], int))
        before = sequence[-1]
        after = before.remasked(mask, touched if are_rows_known else None)
        differ = np.flatnonzero((before.mask != mask).any(axis=1))
        np.testing.assert_array_equal(after.rows_since(before), differ)
        np.testing.assert_array_equal(after.rows_since(sequence[0]), np.flatnonzero(mask.any(1)))
        rows = np.array([0, 3, N_Q - 1])
        weights, output = by_torch(Q, K, V, mask, temperature)
        parts = after.rows(rows)
        np.testing.assert_allclose(parts["attention"], weights[..., rows, :], atol=1e-12)
        np.testing.assert_allclose(parts["output"], output[..., rows, :], atol=1e-12)
        if is_read:
            np.testing.assert_allclose(after.attention, weights, atol=1e-12)
        sequence.append(after)
    for maps in sequence:
        weights, output = by_torch(Q, K, V, maps.mask, temperature)
        np.testing.assert_allclose(maps.attention, weights, atol=1e-12)
        np.testing.assert_allclose(maps.output, output, atol=1e-12)
        assert not maps.attention.flags.writeable


def test_a_replaced_row_copies_no_map():
    base = np.zeros((2, 1000, 3))
    patched = Patched(base).replaced(np.array([5]), np.ones((2, 1, 3)))
    assert patched._parts[0] is base
    patched.take(np.array([5]))[:] = 7
    assert patched.whole[:, 5].tolist() == [[1, 1, 1]] * 2
    assert not base.any()
